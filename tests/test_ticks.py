"""What WhatsApp says of an accepted message reaches its thread, by either way in.

A bridge that polls and one that takes webhooks do the same; each serves many tests.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.sandbox.slack.workspace import Json
from tests.harness import WEBHOOK_TOKEN, World, at_the_post, in_parallel, open_world

SCALE = 0.01
DANA = "U0DANA"
HOOK = "/green-api/webhook"
POLLING_ONLY = pytest.mark.parametrize("shared", ["polling"], indirect=True)
WEBHOOK_ONLY = pytest.mark.parametrize("shared", ["webhook"], indirect=True)


@pytest.fixture(scope="module", params=["polling", "webhook"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    way = request.param
    by_webhook = {"GREEN_API_WEBHOOK_TOKEN": WEBHOOK_TOKEN}
    with open_world(
        tmp_path_factory.mktemp(way),
        "http" if way == "webhook" else "socket",
        scale=SCALE,
        notifications=True,
        GREEN_API_RECEIVE=way,
        **(by_webhook if way == "webhook" else {}),
    ) as world:
        if way == "webhook":
            url = f"http://127.0.0.1:{world.bridge.port}{HOOK}"
            world.green.apply_settings(webhookUrl=url, webhookUrlToken=WEBHOOK_TOKEN)
        yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.heal()
    shared.green.apply_settings(outgoingAPIMessageWebhook="yes")


@dataclass(frozen=True)
class Message:
    """A text that GREEN-API accepted; WhatsApp is silent on it until told to speak."""

    world: World
    room: str
    chat_id: str
    id: str

    def tell(self, *statuses: str) -> None:
        """Have WhatsApp report these statuses, in this order."""
        for status in statuses:
            self.world.green.notify(receipt(self.world, self.id, self.chat_id, status))


def send(world: World, words: str) -> Message:
    """Send a text in a channel of its own, to its answer."""
    room, number = world.room(), world.number()
    chat_id = f"{number[1:]}@c.us"
    world.green.script(chat_id)
    world.type(room, f"{number} {words}")
    world.settle(room)
    (accepted,) = world.ledger(words)
    return Message(world, room, chat_id, accepted.id)


def about(world: World, kind: str) -> Json:
    """Return what all notifications have in common."""
    return {
        "typeWebhook": kind,
        "instanceData": {
            "idInstance": int(world.green.id_instance),
            "wid": "14155550199@c.us",
            "typeInstance": "whatsapp",
        },
        "timestamp": int(time.time()),
    }


def receipt(world: World, id_message: str, chat_id: str, status: str) -> Json:
    """Return an ``outgoingMessageStatus``."""
    return about(world, "outgoingMessageStatus") | {
        "chatId": chat_id,
        "idMessage": id_message,
        "status": status,
        "sendByApi": True,
    }


def echo(world: World, id_message: str, chat_id: str, text: str) -> Json:
    """Return an ``outgoingAPIMessageReceived``."""
    return about(world, "outgoingAPIMessageReceived") | {
        "idMessage": id_message,
        "senderData": {"chatId": chat_id, "sender": "14155550199@c.us"},
        "messageData": {
            "typeMessage": "textMessage",
            "textMessageData": {"textMessage": text},
        },
    }


def incoming(world: World, id_message: str) -> Json:
    """Return an ``incomingMessageReceived``."""
    return about(world, "incomingMessageReceived") | {
        "idMessage": id_message,
        "senderData": {"chatId": "14155550111@c.us", "sender": "14155550111@c.us"},
        "messageData": {
            "typeMessage": "textMessage",
            "textMessageData": {"textMessage": "a canary of a customer's text"},
        },
    }


def count(world: World, table: str, like: str = "%") -> int:
    """Return how many rows of a table hold certain words."""
    column = {"inbox": "key", "dead_letters": "body", "receipts": "id_message"}[table]
    query = f"SELECT count(*) FROM {table} WHERE {column} LIKE :like"  # noqa: S608
    return int(world.rows(query, like=like)[0][0])


def all_taken(world: World) -> bool:
    """Whether GREEN-API's queue of notifications is empty."""
    return world.green.notifications() == []


def shown(world: World, message: Message) -> list[str]:
    """Return what the one answer said, in time."""
    (line,) = world.lines(message.room)[:1]
    return [
        str(entry.data["message"]["text"])
        for entry in world.slack.log.since()
        if entry.kind in {"message", "update"}
        and entry.data["message"]["ts"] == line["ts"]
    ]


# --- good news ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stuck(shared: World) -> Message:
    """A message that stays at one tick; first of all, because ten minutes pass."""
    message = send(shared, "one tick for long")
    message.tell("sent")
    return message


@pytest.mark.usefixtures("stuck")
def test_ticks_edit_the_one_answer_and_add_no_line(world: World) -> None:
    message = send(world, "tick after tick")
    (line,) = world.lines(message.room)

    said = []
    for status in ("sent", "delivered", "read"):
        message.tell(status)
        words = f"{status.capitalize()} · idMessage `{message.id}`"
        said.append(world.wait_for_answer(message.room, words))

    world.settle(message.room)
    assert [each[0] for each in said] == ["✓", "✓", "👁"]
    assert [each["ts"] for each in world.lines(message.room)] == [line["ts"]]
    assert world.roots(message.room)[0]["text"] == "WhatsApp message: read"


def test_f45_reversed_and_doubled_receipts_never_take_anything_back(
    world: World,
) -> None:
    message = send(world, "backwards")

    message.tell("read", "delivered", "read", "sent", "sent", "delivered")

    world.wait_for_answer(message.room, "Read · ")
    world.wait_for(lambda: all_taken(world))
    world.settle(message.room)
    said = shown(world, message)
    assert world.status_of("backwards") == "read"
    assert [words for words in said if "Read" in words] == said[-1:]


def test_f45_a_receipt_that_overtakes_the_answer_waits_for_it(world: World) -> None:
    room, number = world.room(), world.number()
    chat_id = f"{number[1:]}@c.us"
    world.green.script(chat_id)

    def overtake() -> None:
        (accepted,) = world.ledger("overtaken")
        world.green.notify(receipt(world, accepted.id, chat_id, "delivered"))
        world.wait_for(lambda: all_taken(world))

    world.green.on_executed = at_the_post(overtake)
    world.type(room, f"{number} overtaken")

    world.wait_for_answer(room, "Delivered · ")
    assert len(world.posts("overtaken")) == 1


def test_f5_an_echo_ends_the_search_where_the_journal_shows_nothing(
    world: World,
) -> None:
    room, number = world.room(), world.number()
    world.green.journal.lag = None
    world.green.fault(drop="after", chat_id=f"{number[1:]}@c.us")

    world.type(room, f"{number} found by its echo")

    answer = world.answer_in(room)
    (accepted,) = world.ledger("found by its echo")
    assert f"idMessage `{accepted.id}`" in answer


def test_f30_an_echo_under_the_lid_of_a_known_person_is_theirs(world: World) -> None:
    message, lid = send(world, "learn the lid"), "98765432101234@lid"
    world.green.notify(receipt(world, message.id, lid, "sent"))
    world.wait_for_answer(message.room, "Sent · ")
    world.green.apply_settings(outgoingAPIMessageWebhook="no")
    world.green.fault(drop="after", chat_id=message.chat_id)
    room = world.room()

    world.type(room, f"+{message.chat_id.partition('@')[0]} known by a lid")
    (accepted,) = world.wait_for(lambda: world.ledger("known by a lid"))
    world.wait_for(lambda: world.status_of("known by a lid") == "unknown")
    world.green.notify(echo(world, accepted.id, lid, "known by a lid"))

    assert f"idMessage `{accepted.id}`" in world.answer_in(room)


# --- bad news -------------------------------------------------------------------------

BAD = {
    "failed": "WhatsApp reports a failure.",
    "noAccount": "This number has no WhatsApp.",
    "notInGroup": "not a member of that group",
    "yellowCard": "WhatsApp has limited this number.",
}


def test_bad_news_comes_as_a_new_line_that_mentions_the_sender(world: World) -> None:
    messages = {status: send(world, f"bad news: {status}") for status in BAD}

    for status, message in messages.items():
        message.tell(status, status)

    for status, message in messages.items():
        world.wait_for_answer(message.room, "✗ Not delivered · ")
        world.wait_for(lambda room=message.room: world.further(room))
        world.settle(message.room)
        (line,) = world.further(message.room)
        assert f"<@{DANA}> Not delivered" in line
        assert BAD[status] in line


def test_f45_a_failure_gives_way_to_a_phone_that_has_the_message(world: World) -> None:
    message = send(world, "failed, and yet delivered")

    message.tell("failed")
    world.wait_for_answer(message.room, "Not delivered · ")
    message.tell("delivered")

    answer = world.wait_for_answer(message.room, "Delivered · ")
    world.settle(message.room)
    assert answer.startswith("✓✓")
    assert len(world.further(message.room)) == 1


# --- notifications repeat, make no sense, come in masses ------------------------------


def test_f41_the_same_notification_four_times_is_stored_once(world: World) -> None:
    for n in (1, 2, 1, 1, 2, 1, 2, 2):
        world.green.notify(incoming(world, f"FOURTIMES{n}"))

    world.wait_for(lambda: all_taken(world))
    assert count(world, "inbox", "%FOURTIMES%") == 2


@POLLING_ONLY
@pytest.mark.parametrize("is_executed", [False, True])
def test_f42_a_kill_between_the_commit_and_the_deletion_changes_nothing(
    world: World, is_executed: bool
) -> None:
    name = f"KILLED{is_executed}"
    message = send(world, f"killed at the deletion: {is_executed}")
    kills = iter([world.bridge.kill])

    def kill(method: str, _body: Any) -> None:
        if method == "deleteNotification" and (end := next(kills, None)) is not None:
            if not is_executed:
                world.green.fault("deleteNotification", drop="before")
            end()

    if is_executed:
        world.green.on_executed = kill
    else:
        world.green.on_request = kill
    world.green.notify(incoming(world, name))
    message.tell("delivered")
    world.wait_for(lambda: not world.bridge.is_running)
    stored = count(world, "inbox", f"%{name}%")
    world.heal()
    world.bridge.start()

    world.wait_for_answer(message.room, "Delivered · ")
    world.wait_for(lambda: all_taken(world))
    assert stored == 1
    assert count(world, "inbox", f"%{name}%") == 1


@POLLING_ONLY
def test_f43_a_deletion_that_fails_blocks_nothing(world: World) -> None:
    message = send(world, "deletion fails")
    world.green.fault("deleteNotification", status=500)
    world.green.fault("deleteNotification", drop="after")

    message.tell("sent", "delivered", "read")

    world.wait_for_answer(message.room, "Read · ")
    world.wait_for(lambda: all_taken(world))


def _poison(world: World) -> list[object]:
    deep: object = []
    for _ in range(500):
        deep = [deep]
    good = about(world, "outgoingMessageStatus")
    return [
        None,
        7,
        "poison",
        [],
        {},
        {"typeWebhook": 7},
        {"typeWebhook": "outgoingMessageStatus"},
        about(world, "nobodyHeardOfThis"),
        good,
        good | {"idMessage": 7, "status": "sent"},
        good | {"idMessage": "x" * 100_000, "status": "sent"},
        good | {"idMessage": "POISON", "status": ["sent"]},
        good | {"idMessage": "POISON", "status": "sent", "timestamp": "now"},
        about(world, "incomingMessageReceived") | {"idMessage": None},
        about(world, "outgoingAPIMessageReceived") | {"messageData": deep},
        good | {"instanceData": {"idInstance": [1]}},
    ]


def test_f44_poison_at_the_head_of_the_queue_blocks_nothing_behind_it(
    world: World,
) -> None:
    before, poison = count(world, "dead_letters"), _poison(world)

    for body in poison:
        world.green.notify(body)
    for n in range(100):
        world.green.notify(incoming(world, f"BEHINDPOISON{n}"))

    world.wait_for(lambda: all_taken(world))
    assert count(world, "inbox", "%BEHINDPOISON%") == 100
    assert count(world, "dead_letters") - before == len(poison)


def test_f46_commands_are_acked_in_a_storm_of_receipts(world: World) -> None:
    message, room = send(world, "in the storm"), world.room()
    for n in range(300):
        name = f"STORM{n // 3}"
        status = ("sent", "delivered", "read")[n % 3]
        world.green.notify(receipt(world, name, message.chat_id, status))
    message.tell("delivered")

    outcomes = in_parallel(
        *[lambda: world.type(room, f"{world.number()} storm").outcome] * 10
    )

    world.wait_for_answer(message.room, "Delivered · ")
    world.settle(room)
    assert outcomes == ["acked"] * 10
    assert len(world.ledger("storm")) == 10 + 1
    assert count(world, "receipts", "STORM%") == 300


# --- the webhook's door ---------------------------------------------------------------


@WEBHOOK_ONLY
def test_t5_a_forged_webhook_changes_nothing(world: World) -> None:
    message = send(world, "forged")
    body = json.dumps(receipt(world, message.id, message.chat_id, "read")).encode()
    foreign = body.replace(world.green.id_instance.encode(), b"7103999999")
    good = {"Authorization": f"Bearer {WEBHOOK_TOKEN}"}

    def post(what: bytes, headers: dict[str, str]) -> int:
        return world.bridge.request("POST", HOOK, what, headers)[0]

    refused = [
        post(body, {}),
        post(body, {"Authorization": "Bearer guessed"}),
        post(body, {"Authorization": f"Digest {WEBHOOK_TOKEN}"}),
        post(foreign, good),
        post(b"x" * 2_000_000, good),
    ]
    after_the_forged = world.status_of("forged")
    taken = [post(body, good), post(body, good)]

    assert refused == [401, 401, 401, 403, 413]
    assert after_the_forged == "accepted"
    assert taken == [200, 200]
    world.wait_for_answer(message.room, "Read · ")


@WEBHOOK_ONLY
def test_a_button_is_pressed_over_http(world: World) -> None:
    room, number = world.room(), world.number()
    world.green.fault(drop="before", chat_id=f"{number[1:]}@c.us")
    world.type(room, f"{number} decided over HTTP")
    world.settle(room)

    pressed = world.press(room, "mark_not_sent")

    world.wait_for_answer(room, "It was marked as not sent.")
    assert pressed.outcome == "acked"


# --- last, for ten minutes have to be over --------------------------------------------


@POLLING_ONLY
def test_one_tick_for_long_is_worth_a_line_and_a_second_tick_ends_it(
    world: World, stuck: Message
) -> None:
    world.wait_for(lambda: world.further(stuck.room))
    (line,) = world.further(stuck.room)

    stuck.tell("delivered")

    world.wait_for_answer(stuck.room, "Delivered · ")
    world.settle(stuck.room)
    assert f"<@{DANA}> Sent 10 min ago, not delivered." in line
    assert world.further(stuck.room) == [line]
