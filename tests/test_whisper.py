"""What only one person should read, said after the ack."""

from __future__ import annotations

import logging
import threading

import pytest

from bridge.errors import SlackRefused, SlackUnavailable
from bridge.slack.whisper import MOST, Whisper
from tests.fakes import FakeSlack

URL = "http://127.0.0.1/r"


def test_whispers_are_said_in_their_order_before_the_end() -> None:
    slack = FakeSlack()
    whisper = Whisper(slack)
    whisper.start()

    for number in range(5):
        whisper(URL, f"{number}")
    whisper.stop()

    assert slack.responses == [(URL, f"{number}") for number in range(5)]


def test_a_whisper_that_slack_does_not_take_is_lost_and_no_other() -> None:
    slack = FakeSlack(errors=[SlackUnavailable("x"), SlackRefused("expired_url")])
    whisper = Whisper(slack)
    whisper.start()

    for number in range(3):
        whisper(URL, f"{number}")
    whisper.stop()

    assert slack.responses == [(URL, "2")]


def test_whoever_whispers_waits_for_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class DeadSlow(FakeSlack):
        def respond(self, response_url: str, text: str) -> None:
            entered.set()
            leave.wait(10)
            super().respond(response_url, text)

    entered, leave = threading.Event(), threading.Event()
    slack = DeadSlow()
    whisper = Whisper(slack)
    whisper.start()
    whisper(URL, "first")
    entered.wait(10)

    with caplog.at_level(logging.WARNING):
        for _ in range(MOST + 1):
            whisper(URL, "a secret")
    leave.set()
    whisper.stop()

    assert len(slack.responses) == MOST + 1
    assert "dropped" in caplog.text
    assert "secret" not in caplog.text
