"""From a slash command to a row and an ephemeral answer."""

from __future__ import annotations

import time
from typing import Any

import pytest
from slack_bolt import App
from slack_sdk import WebClient
from sqlalchemy import text

from bridge.flows.decide import Decisions
from bridge.model import Member, Status
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.slack.app import dispatch, make_app
from bridge.slack.listeners import Desk, answer
from bridge.store import Store
from bridge.wording.choices import DECIDED_ALREADY, NO_SUCH_DELIVERY, NOT_YOURS
from bridge.wording.deliveries import NOT_DECIDED
from tests.fakes import FakeClock
from tests.test_presses import SENSELESS, UNREADABLE, action, payload


@pytest.fixture
def members() -> dict[str, Member]:
    return {}


@pytest.fixture
def decisions(store: Store, clock: FakeClock, schedule: Schedule) -> Decisions:
    return Decisions(store.outbox, clock, schedule, frozenset())


@pytest.fixture
def whispers() -> list[tuple[str, str]]:
    """Return what only pressers read, as (response_url, text)."""
    return []


@pytest.fixture
def desk(
    store: Store,
    clock: FakeClock,
    schedule: Schedule,
    members: dict[str, Member],
    decisions: Decisions,
    whispers: list[tuple[str, str]],
) -> Desk:
    return Desk(
        store.outbox,
        clock,
        schedule,
        4096,
        members.get,
        decisions,
        lambda url, text: whispers.append((url, text)),
        store.accounts.get,
    )


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


def test_t2_the_same_command_again_is_the_same_delivery(
    desk: Desk, store: Store
) -> None:
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


def test_t12_an_error_can_not_ping_anybody(desk: Desk) -> None:
    said = ask(desk, "&lt;!channel&gt; hello")

    assert "<" not in said


def test_f36_a_command_that_comes_too_late_is_not_stored(
    desk: Desk, store: Store
) -> None:
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


def test_status_says_why_nothing_leaves(desk: Desk, store: Store) -> None:
    store.accounts.use("1101000001")
    store.accounts.hold(Reason.NOT_AUTHORIZED, desk.clock())

    assert "on hold. The WhatsApp account is logged out." in ask(desk, "status")


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


def test_whoever_presses_in_vain_is_told_so_and_nobody_else(
    app: App, whispers: list[tuple[str, str]]
) -> None:
    response = dispatch(app, payload(), time.monotonic())

    assert (response.status, response.body) == (200, "")
    assert whispers == [("http://127.0.0.1/r", NO_SUCH_DELIVERY)]


@pytest.mark.parametrize(
    ("user", "said"), [("U0SAM", NOT_YOURS), ("U0DANA", DECIDED_ALREADY)]
)
def test_t38_a_press_is_judged_by_who_pressed_what(
    desk: Desk,
    app: App,
    store: Store,
    whispers: list[tuple[str, str]],
    user: str,
    said: str,
) -> None:
    ask(desk, "+14155550100 Hello")
    delivery_id = store.outbox.latest(1)[0].id
    body = payload(user={"id": user}, actions=[action(value=delivery_id)])

    dispatch(app, body, time.monotonic())

    assert whispers == [("http://127.0.0.1/r", said)]


def test_a_decision_that_can_not_be_stored_is_acked_and_owned_up_to(
    app: App, store: Store, whispers: list[tuple[str, str]]
) -> None:
    with store.database.write() as connection:
        connection.execute(text("ALTER TABLE deliveries RENAME TO gone"))

    response = dispatch(app, payload(), time.monotonic())

    assert response.status == 200
    assert whispers == [("http://127.0.0.1/r", NOT_DECIDED)]


def test_without_a_response_url_nobody_is_told(
    app: App, whispers: list[tuple[str, str]]
) -> None:
    response = dispatch(app, payload(response_url=None), time.monotonic())

    assert response.status == 200
    assert whispers == []


@pytest.mark.parametrize("odd", [*UNREADABLE, *SENSELESS])
def test_t38_a_forged_press_is_acked_and_ignored(
    app: App, odd: dict[str, Any], whispers: list[tuple[str, str]]
) -> None:
    response = dispatch(app, payload(**odd), time.monotonic())

    assert response.status == 200
    assert whispers == []
