"""Requests of Slack between their arrival and their ack."""

from __future__ import annotations

import threading
import time

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


def test_the_time_to_the_ack_is_told_once_the_lanes_have_started() -> None:
    order: list[str] = []
    seconds: list[float] = []

    def observe(took: float) -> None:
        order.append("observed")
        seconds.append(took)

    intake = Intake(lambda: order.append("lanes"), observe)
    received_at = time.monotonic() - 1.5
    intake.arrived()

    intake.answered(received_at)

    assert order == ["lanes", "observed"]
    assert seconds[0] >= 1.5


def test_a_request_with_its_own_beginning_and_end_is_timed_too() -> None:
    seconds: list[float] = []
    intake = Intake(observe_ack=seconds.append)

    with intake.request():
        pass

    assert len(seconds) == 1
    assert seconds[0] >= 0


def test_without_a_time_of_arrival_nothing_is_told() -> None:
    seconds: list[float] = []
    intake = Intake(observe_ack=seconds.append)
    intake.arrived()

    intake.answered()

    assert seconds == []


def test_an_observer_that_fails_leaves_the_request_answered() -> None:
    def fail(_seconds: float) -> None:
        raise RuntimeError("no room for a histogram")

    intake = Intake(observe_ack=fail)

    with intake.request():
        pass

    intake.drain(3600)


def test_a_stop_waits_for_the_requests_in_hand() -> None:
    intake = Intake()
    intake.arrived()
    answering = threading.Thread(target=intake.answered)
    answering.start()

    intake.drain(3600)

    answering.join()
