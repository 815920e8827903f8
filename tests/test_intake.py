"""Requests of Slack between their arrival and their ack."""

from __future__ import annotations

import threading

import pytest

from bridge.intake import CROWD, Intake


def test_a_few_requests_hold_nobody_up() -> None:
    intake = Intake()
    for _ in range(CROWD):
        intake.arrived()

    intake.give_way(3600)


def test_a_crowd_holds_the_lanes_up_until_it_is_served() -> None:
    intake = Intake()
    for _ in range(CROWD + 1):
        intake.arrived()
    went_on = threading.Event()
    lane = threading.Thread(target=lambda: (intake.give_way(3600), went_on.set()))
    lane.start()
    assert not went_on.is_set()

    intake.answered()

    lane.join()
    assert went_on.is_set()


def test_a_crowd_that_stays_does_not_stop_the_lanes() -> None:
    intake = Intake()
    for _ in range(CROWD + 1):
        intake.arrived()

    intake.give_way(0.001)


def test_the_lanes_start_after_the_ack_also_of_a_request_that_failed() -> None:
    order: list[str] = []
    intake = Intake(lambda: order.append("lanes"))

    def fail() -> None:
        with intake.request():
            order.append(f"ack{1 / 0}")

    with pytest.raises(ZeroDivisionError):
        fail()

    assert order == ["lanes"]


def test_a_stop_waits_for_the_requests_in_hand() -> None:
    intake = Intake()
    intake.arrived()
    answering = threading.Thread(target=intake.answered)
    answering.start()

    intake.drain(3600)

    answering.join()
