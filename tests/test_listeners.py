"""From a slash command to a row and an ephemeral answer."""

from __future__ import annotations

import time
from typing import Any

import pytest
from slack_bolt import App
from slack_sdk import WebClient

from bridge.model import Member, Status
from bridge.schedule import Schedule
from bridge.slack.app import dispatch, make_app
from bridge.slack.listeners import Desk, answer
from bridge.store import Store
from tests.fakes import FakeClock


@pytest.fixture
def members() -> dict[str, Member]:
    return {}


@pytest.fixture
def desk(
    store: Store,
    clock: FakeClock,
    schedule: Schedule,
    members: dict[str, Member],
) -> Desk:
    return Desk(store.outbox, clock, schedule, 4096, members.get)


def command(text: str, **more: str) -> dict[str, Any]:
    return {
        "command": "/whatsapp",
        "text": text,
        "user_id": "U0DANA",
        "team_id": "T1",
        "channel_id": "C1",
        "trigger_id": "1.2.3",
        "response_url": "http://127.0.0.1/r",
        **more,
    }


def ask(desk: Desk, text: str, **more: str) -> str:
    return answer(desk, command(text, **more), time.monotonic())


def test_a_good_command_is_stored_before_it_is_answered(
    desk: Desk, store: Store
) -> None:
    said = ask(desk, "+1 415 555 0100 Hello &amp; welcome :tada:")

    (delivery,) = store.outbox.latest(10)
    assert delivery.text == "Hello & welcome 🎉"
    assert delivery.chat_id == "14155550100@c.us"
    assert delivery.caller is not None
    assert delivery.caller.channel_id == "C1"
    assert said == "Queued for +1 ••••• 0100. Follow it in the thread."


def test_the_same_command_again_is_the_same_delivery(desk: Desk, store: Store) -> None:
    ask(desk, "+14155550100 Hello")

    said = ask(desk, "+14155550100 Hello")

    assert len(store.outbox.latest(10)) == 1
    assert said.startswith("Already queued")


def test_two_commands_with_the_same_words_are_two_deliveries(
    desk: Desk, store: Store
) -> None:
    ask(desk, "+14155550100 Hello", trigger_id="1")
    ask(desk, "+14155550100 Hello", trigger_id="2")

    assert len(store.outbox.latest(10)) == 2


def test_a_bad_command_stores_nothing(desk: Desk, store: Store) -> None:
    said = ask(desk, "12ab Hello")

    assert "12ab" in said
    assert store.outbox.latest(10) == []


def test_an_error_can_not_ping_anybody(desk: Desk) -> None:
    said = ask(desk, "&lt;!channel&gt; hello")

    assert "<" not in said


def test_a_command_that_comes_too_late_is_not_stored(desk: Desk, store: Store) -> None:
    said = answer(desk, command("+14155550100 Hello"), time.monotonic() - 2.3)

    assert "Nothing was sent" in said
    assert store.outbox.latest(10) == []


def test_a_guest_we_know_is_refused_at_once(
    desk: Desk, store: Store, members: dict[str, Member]
) -> None:
    members["U0DANA"] = Member("Dana", may_send=False)

    said = ask(desk, "+14155550100 Hello")

    assert said.startswith("Nothing was sent. Guests")
    assert store.outbox.latest(10) == []


@pytest.mark.parametrize("text", ["", "   ", "help", "HELP me"])
def test_who_does_not_know_the_command_gets_help(desk: Desk, text: str) -> None:
    assert "/whatsapp <number> <text>" in ask(desk, text)


def test_status_shows_ones_own_latest_messages(desk: Desk) -> None:
    ask(desk, "+14155550100 Hello", trigger_id="1")
    ask(desk, "+14155550101 Hi", trigger_id="2", user_id="U0SAM")

    said = ask(desk, "status")

    assert "2 waiting" in said
    assert "0100" in said
    assert "0101" not in said


def test_status_of_one_message_is_for_its_sender_only(desk: Desk, store: Store) -> None:
    ask(desk, "+14155550100 Hello")
    delivery_id = store.outbox.latest(1)[0].id[:8]

    assert "queued" in ask(desk, f"status {delivery_id}")
    assert "don't know" in ask(desk, f"status {delivery_id}", user_id="U0SAM")


def test_a_command_without_a_trigger_is_a_command_of_its_own(
    desk: Desk, store: Store
) -> None:
    ask(desk, "+14155550100 Hello", trigger_id="")
    ask(desk, "+14155550100 Hello", trigger_id="")

    assert len(store.outbox.latest(10)) == 2


@pytest.fixture
def app(desk: Desk) -> App:
    client = WebClient(token="xoxb-1", base_url="http://127.0.0.1:9/api/")
    return make_app(client, desk)


def test_bolt_answers_a_command_with_json(app: App, store: Store) -> None:
    response = dispatch(app, command("+14155550100 Hello"), time.monotonic())

    assert response.status == 200
    assert '"response_type": "ephemeral"' in response.body
    assert store.outbox.latest(1)[0].status is Status.QUEUED


@pytest.mark.parametrize(
    "body",
    [
        {
            "type": "event_callback",
            "team_id": "T1",
            "event": {"type": "message", "subtype": "channel_join", "user": "U1"},
        },
        {
            "type": "event_callback",
            "team_id": "T1",
            "event": {"type": "an_event_of_tomorrow"},
        },
        {
            "type": "block_actions",
            "team": {"id": "T1"},
            "user": {"id": "U1"},
            "actions": [{"action_id": "old", "block_id": "b", "type": "button"}],
        },
        {"type": "shortcut", "callback_id": "old", "team": {"id": "T1"}},
        {
            "type": "view_submission",
            "team": {"id": "T1"},
            "view": {"callback_id": "old", "type": "modal"},
        },
    ],
)
def test_what_nobody_listens_for_is_acked_all_the_same(
    app: App, body: dict[str, Any]
) -> None:
    assert dispatch(app, body, time.monotonic()).status == 200
