"""Bolt's known traps, against the real Bolt as the bridge sets it up.

What each trap does to other apps is written in the pages on Slack that this product
was built from; here each has the name of what must happen instead.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bridge.sandbox.log import Entry
from bridge.sandbox.slack import Kind
from bridge.sandbox.slack.delivery import Envelope, Outcome
from bridge.sandbox.slack.workspace import Json
from bridge.sandbox.websocket import WebSocket
from tests.harness import (
    PATIENCE,
    SIGNING_SECRET,
    World,
    at_the_post,
    in_parallel,
    make_slack,
    open_world,
)

FORM = "application/x-www-form-urlencoded"
PATH = "/slack/events"


@pytest.fixture(scope="module", params=["socket", "http"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("traps"), request.param) as world:
        yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.heal()


HTTP_ONLY = pytest.mark.parametrize("shared", ["http"], indirect=True)
SOCKET_ONLY = pytest.mark.parametrize("shared", ["socket"], indirect=True)


def signed(
    body: bytes, *, at: float | None = None, secret: str = SIGNING_SECRET
) -> Any:
    """Return the headers with which Slack would send these bytes."""
    timestamp = str(int(time.time() if at is None else at))
    base = b"v0:" + timestamp.encode() + b":" + body
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {
        "Content-Type": FORM,
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest}",
    }


def command_payload(channel: str, text: str) -> dict[str, str]:
    return {
        "token": "sandbox-verification",
        "team_id": "T0SANDBOX",
        "channel_id": channel,
        "user_id": "U0DANA",
        "command": "/whatsapp",
        "text": text,
        "api_app_id": "A0BRIDGE",
        "response_url": "http://127.0.0.1:9/gone",
        "trigger_id": f"trigger-{text}",
    }


# --- odd words in a command -----------------------------------------------------------


LOOKALIKES = [
    "the payload is ready",
    "payload=%7B%7D&payload={}",
    '{"type": "block_actions"}',
    "a & b = c; 100% sure?",
    "ssl_check=1",
]


def test_a_text_that_looks_like_slacks_own_format_is_only_a_text(world: World) -> None:
    room, number = world.room(), world.number()

    commands = [world.type(room, f"{number} {words}") for words in LOOKALIKES]

    world.settle(room)
    arrived = [e.text for e in world.green.ledger if e.chat_id == f"{number[1:]}@c.us"]
    assert [command.outcome for command in commands] == ["acked"] * len(LOOKALIKES)
    assert arrived == LOOKALIKES


@pytest.mark.parametrize("typed", ['{"text": "hello"}', "{", "[1]", '"{"'])
def test_a_command_that_starts_like_json_is_explained(world: World, typed: str) -> None:
    command = world.type(world.room(), typed)

    assert command.outcome == "acked"
    assert len(str(command.ephemeral)) > 30


def test_a_channel_whose_name_holds_the_word_payload_is_served(world: World) -> None:
    world.slack.add_channel(
        "C0PAYLOAD", "payload", kind=Kind.PUBLIC, members=["U0BRIDGE"]
    )

    command = world.type("C0PAYLOAD", f"{world.number()} in a room with that name")

    assert command.outcome == "acked"
    assert "idMessage" in world.answer_in("C0PAYLOAD")


# --- what nobody listens for ----------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message", "channel": "C0SUPPORT", "user": "U0SAM", "text": "hi"},
        {"type": "message", "subtype": "message_changed", "channel": "C0SUPPORT"},
        {"type": "app_mention", "channel": "C0SUPPORT", "user": "U0SAM", "text": "?"},
        {"type": "app_home_opened", "user": "U0SAM"},
        {"type": "a_type_of_next_year"},
    ],
    ids=lambda event: str(event.get("subtype", event["type"])),
)
def test_an_event_nobody_listens_for_is_acked_and_not_sent_again(
    world: World, event: Json
) -> None:
    delivery = world.slack.send_event(event)

    world.wait_for(lambda: delivery.is_over)
    assert [reply.outcome for reply in delivery.replies] == [Outcome.ACKED]


INTERACTIONS: dict[str, Json] = {
    "action": {
        "type": "block_actions",
        "actions": [{"action_id": "gone", "block_id": "b", "type": "button"}],
    },
    "shortcut": {"type": "shortcut", "callback_id": "gone"},
    "message shortcut": {"type": "message_action", "callback_id": "gone"},
    "view": {
        "type": "view_submission",
        "view": {"type": "modal", "callback_id": "gone"},
    },
    "choice of options": {"type": "block_suggestion", "action_id": "gone", "value": ""},
    "closed view": {
        "type": "view_closed",
        "view": {"type": "modal", "callback_id": "gone"},
    },
}


@pytest.mark.parametrize("name", INTERACTIONS)
def test_a_button_or_form_nobody_listens_for_is_acked(world: World, name: str) -> None:
    payload = {
        "team": {"id": "T0SANDBOX"},
        "user": {"id": "U0DANA", "team_id": "T0SANDBOX"},
        "trigger_id": "1.2.3",
        **INTERACTIONS[name],
    }

    assert interact(world, payload) == Outcome.ACKED


def interact(world: World, payload: Json) -> str:
    """Send what Slack sends for a button; return how it fared."""
    if world.transport == "socket":
        envelope = Envelope("interactive", payload)
        return world.slack.socket_mode.deliver(envelope, 0, "").outcome
    body = urlencode({"payload": json.dumps(payload)}).encode()
    status, _ = world.bridge.request("POST", PATH, body, signed(body))
    return Outcome.ACKED if status == 200 else Outcome.DISPATCH_FAILED


# --- deliveries that come again -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FirstDelivery(Envelope):
    """A first delivery as Slack really sends it: it says that it is retry 0."""

    def to_json(self, attempt: int) -> Json:
        shown = Envelope.to_json(self, attempt)
        return shown | {"retry_attempt": 0, "retry_reason": ""}


@SOCKET_ONLY
def test_retry_attempt_0_is_no_retry(world: World) -> None:
    room, number = world.room(), world.number()
    payload = command_payload(room, f"{number} attempt zero")

    envelope = FirstDelivery("slash_commands", payload)
    reply = world.slack.socket_mode.deliver(envelope, 0, "")

    assert reply.outcome == Outcome.ACKED
    assert "idMessage" in world.answer_in(room)


@HTTP_ONLY
def test_a_retry_number_in_the_headers_drops_nothing(world: World) -> None:
    for retry in ("0", "1", "3"):
        room = world.room()
        body = urlencode(
            command_payload(room, f"{world.number()} retry number {retry}")
        ).encode()
        headers = signed(body) | {"X-Slack-Retry-Num": retry}

        status, _ = world.bridge.request("POST", PATH, body, headers)

        assert status == 200
        assert "idMessage" in world.answer_in(room)


@HTTP_ONLY
def test_t2_the_same_signed_bytes_three_times_are_one_message(world: World) -> None:
    room = world.room()
    payload = command_payload(room, f"{world.number()} replayed")
    body = urlencode(payload).encode()
    headers = signed(body)

    answers = in_parallel(
        *[lambda: world.bridge.request("POST", PATH, body, headers)] * 3
    )

    assert [status for status, _ in answers] == [200, 200, 200]
    assert "idMessage" in world.answer_in(room)
    assert len(world.posts("replayed")) == 1


@HTTP_ONLY
def test_f35_a_command_whose_ack_is_lost_is_carried_out_once(world: World) -> None:
    room = world.room()
    body = urlencode(command_payload(room, f"{world.number()} ack is lost")).encode()

    with send(world, body, signed(body)):  # nobody reads the answer
        world.wait_for(lambda: world.status_of("ack is lost"))
    again = world.bridge.request("POST", PATH, body, signed(body))

    assert "idMessage" in world.answer_in(room)
    assert "Already queued" in again[1]
    assert len(world.posts("ack is lost")) == 1


def send(world: World, body: bytes, headers: Mapping[str, str]) -> socket.socket:
    """Send a request; return the connection on which the answer will come."""
    head = [f"POST {PATH} HTTP/1.1", f"Host: 127.0.0.1:{world.bridge.port}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    head += [f"Content-Length: {len(body)}", "", ""]
    connection = socket.create_connection(("127.0.0.1", world.bridge.port), PATIENCE)
    connection.sendall("\r\n".join(head).encode() + body)
    return connection


# --- slow neighbours ------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["socket", "http"])
def test_sixty_commands_are_acked_while_green_api_answers_none(
    tmp_path: Path, transport: Any
) -> None:
    with open_world(tmp_path, transport) as world:
        world.green.fault(hold=True, times=None)
        rooms = [world.room() for _ in range(6)]
        texts = [f"{world.number()} silence {n:02}" for n in range(60)]

        outcomes = in_parallel(
            *[lambda n=n: world.type(rooms[n % 6], texts[n]).outcome for n in range(60)]
        )

        assert outcomes == ["acked"] * 60
        assert world.rows("SELECT count(*) FROM deliveries") == [(60,)]


def test_events_are_acked_while_slack_answers_none_of_our_calls(world: World) -> None:
    world.slack.fault("*", times=None, delay=1)
    world.type(world.room(), f"{world.number()} while Slack is slow", world.person())

    deliveries = [world.slack.send_event({"type": f"event_{n}"}) for n in range(20)]

    world.wait_for(lambda: all(delivery.is_over for delivery in deliveries))
    assert [len(delivery.replies) for delivery in deliveries] == [1] * 20
    assert all(delivery.is_acked for delivery in deliveries)


@SOCKET_ONLY
def test_slack_sdk_itself_never_posts_again(world: World) -> None:
    room, dropped = world.room(), 3
    world.slack.fault("chat.postMessage", times=dropped, drop="before")

    world.type(room, f"{world.number()} dropped before")

    world.settle(room)
    (row,) = world.rows("SELECT id FROM deliveries WHERE text = 'dropped before'")
    said = world.bridge.output
    ours = [line for line in said.splitlines() if row.id in line and "not told" in line]
    assert len(ours) == dropped  # each dropped request was an attempt of our own
    assert len(world.calls("chat.postMessage", room)) == dropped + 2


@SOCKET_ONLY
def test_f49_neither_slack_sdk_nor_the_bridge_posts_again_what_slack_took(
    world: World,
) -> None:
    room = world.room()
    world.slack.fault("chat.postMessage", times=2, drop="after")

    world.type(room, f"{world.number()} dropped after")

    assert "idMessage" in world.answer_in(room)
    assert len(world.roots(room)) == 1
    assert len(world.calls("chat.postMessage", room)) == 2


# --- a store that is slow -------------------------------------------------------------


@SOCKET_ONLY
def test_f36_f37_a_locked_store_keeps_what_came_before_and_refuses_what_comes_in(
    world: World,
) -> None:
    before, during, after = world.room(), world.room(), world.room()
    with locked_store(world) as (lock, is_locked):
        world.green.on_executed = at_the_post(lock)
        world.type(before, f"{world.number()} came before the lock")
        world.wait_for(is_locked)
        commands = in_parallel(
            *[lambda: world.type(during, f"{world.number()} came too late")] * 2
        )
    world.heal()
    world.type(after, f"{world.number()} came after the lock")

    assert "idMessage" in world.answer_in(before)
    assert "idMessage" in world.answer_in(after)
    assert [command.outcome for command in commands] == ["acked", "acked"]
    for command in commands:
        assert str(command.ephemeral).startswith("Not accepted")
        assert "Nothing was sent" in str(command.ephemeral)
    assert world.status_of("came too late") is None
    assert world.posts("came too late") == []


@contextmanager
def locked_store(
    world: World,
) -> Iterator[tuple[Callable[[], None], Callable[[], bool]]]:
    """Yield how to lock the database and whether it is; it is unlocked at the end."""
    path = world.bridge.folder / "data" / "bridge.db"
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with closing(connection):
        yield (
            lambda: connection.execute("BEGIN EXCLUSIVE").close(),
            lambda: connection.in_transaction,
        )
        connection.rollback()


# --- Socket Mode: connections end -----------------------------------------------------


def close_politely(websocket: WebSocket) -> None:
    websocket.send_close()
    websocket.hang_up()


CUTS = {
    "FIN": WebSocket.hang_up,
    "RST": WebSocket.reset,
    "close frame": close_politely,
}


@pytest.mark.parametrize("cut", CUTS)
def test_f53_when_one_connection_ends_the_other_one_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    with open_world(tmp_path) as world:
        world.wait_for(lambda: world.slack.socket_mode.connections == 2)
        room, is_cut = world.room(), cut_at(monkeypatch, "cut off", CUTS[cut])

        # Its ack may be lost, and then Slack waits for it: not here.
        text = f"{world.number()} cut off"
        lost = threading.Thread(target=world.type, args=(room, text))
        lost.start()
        assert is_cut.wait(PATIENCE)
        world.slack.wait(is_closed, PATIENCE)  # until then Slack may still use it
        others = [world.type(room, f"{world.number()} other {n}") for n in range(3)]

        world.settle(room)
        assert [command.outcome for command in others] == ["acked"] * 3
        assert len(world.ledger("other")) == 3
        is_stored = world.status_of("cut off") is not None
        assert len(world.ledger("cut off")) == int(is_stored)
    lost.join()


def test_f35_a_command_whose_ack_is_lost_on_the_socket_is_carried_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_world(tmp_path, slack=make_slack(speed=3)) as world:
        room = world.room()
        cut_at(monkeypatch, "ack is lost", WebSocket.hang_up)

        lost = world.type(room, f"{world.number()} ack is lost")
        again = world.slack.redeliver(lost.id)

        assert "idMessage" in world.answer_in(room)
        assert lost.outcome == "operation_timeout"
        assert str(again.ephemeral).startswith("Already queued")
        assert len(world.posts("ack is lost")) == 1


def test_f35_who_types_a_command_again_because_its_ack_was_lost_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_world(tmp_path, slack=make_slack(speed=3), scale=0.5) as world:
        room, text = world.room(), f"{world.number()} ack is lost"
        cut_at(monkeypatch, "ack is lost", WebSocket.hang_up)

        lost = world.type(room, text)
        again = world.type(room, text)

        assert lost.outcome == "operation_timeout"
        assert str(again.ephemeral).startswith("Not queued again")
        assert "idMessage" in world.answer_in(room)
        assert len(world.posts("ack is lost")) == 1


def is_closed(entry: Entry) -> bool:
    return entry.kind == "connection" and entry.data["state"] == "closed"


def cut_at(
    monkeypatch: pytest.MonkeyPatch, words: str, cut: Callable[[WebSocket], None]
) -> threading.Event:
    """Have a connection end right after these words went out on it."""
    is_cut = threading.Event()
    send_text = WebSocket.send_text

    def send_and_cut(self: WebSocket, text: str) -> None:
        send_text(self, text)
        if words in text and not is_cut.is_set():
            cut(self)
            is_cut.set()

    monkeypatch.setattr(WebSocket, "send_text", send_and_cut)
    return is_cut


def test_commands_are_served_while_slack_replaces_one_connection_after_the_other(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path) as world:
        room, outcomes = world.room(), []
        for opened, reason in enumerate(("refresh_requested", "warning"), start=2):
            world.wait_for(lambda opened=opened: has_moved(world, opened))
            world.slack.disconnect(reason, only_one=True)
            outcomes += [
                world.type(room, f"{world.number()} replaced {n}").outcome
                for n in range(5)
            ]

        world.settle(room)
        assert outcomes == ["acked"] * 10
        assert len(world.ledger("replaced")) == 10


def has_moved(world: World, opened: int) -> bool:
    """Whether so many connections were opened in all, and two of them are left."""
    entries = world.slack.log.since(kind="connection")
    ever = sum(entry.data["state"] == "open" for entry in entries)
    return ever >= opened and world.slack.socket_mode.connections == 2


def test_commands_are_served_while_slack_replaces_all_connections_at_once(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path) as world:
        room, outcomes = world.room(), []
        world.wait_for(lambda: world.slack.socket_mode.connections == 2)

        for reason in ("refresh_requested", "warning"):
            world.slack.disconnect(reason)
            outcomes += [
                world.type(room, f"{world.number()} replaced {n}").outcome
                for n in range(5)
            ]

        world.settle(room)
        acked = outcomes.count("acked")
        # What is on its way on a connection that ends may be lost with it.
        assert acked >= 9
        assert acked <= len(world.ledger("replaced")) <= 10


# --- HTTP: who may come in ------------------------------------------------------------


def altered(body: bytes, **headers: str | bytes | None) -> dict[str, Any]:
    """Return good headers for a body with some of them changed or taken away."""
    names = {"timestamp": "X-Slack-Request-Timestamp", "signature": "X-Slack-Signature"}
    good = signed(body)
    changed = {names[key]: value for key, value in headers.items()}
    return {k: v for k, v in (good | changed).items() if v is not None}


def odd_requests(body: bytes) -> dict[str, tuple[bytes, dict[str, Any]]]:
    good = signed(body)["X-Slack-Signature"]
    now = int(time.time())
    return {
        "no headers": (body, {"Content-Type": FORM}),
        "no signature": (body, altered(body, signature=None)),
        "no timestamp": (body, altered(body, timestamp=None)),
        "empty signature": (body, altered(body, signature="")),
        "empty timestamp": (body, altered(body, timestamp="")),
        "words for a timestamp": (body, altered(body, timestamp="abc")),
        "a negative timestamp": (body, altered(body, timestamp="-1")),
        "a fraction": (body, altered(body, timestamp=f"{now}.5")),
        "NaN": (body, altered(body, timestamp="nan")),
        "infinity": (body, altered(body, timestamp="inf")),
        "a thousand digits": (body, altered(body, timestamp="9" * 1000)),
        "a blank inside": (body, altered(body, timestamp=f"{now} 1")),
        "digits of another script": (
            body,
            altered(body, timestamp="\u0661\u0662\u0663".encode()),
        ),
        "superscript digits": (body, altered(body, timestamp=b"\xb2\xb3")),
        "not ASCII": (body, altered(body, signature=b"v0=\xe9\xff")),
        "another version": (body, altered(body, signature="v1" + good[2:])),
        "no version": (body, altered(body, signature=good[3:])),
        "capital letters": (body, altered(body, signature=good.upper())),
        "too short": (body, altered(body, signature=good[:-1])),
        "too long": (body, altered(body, signature=good + "0")),
        "another secret": (body, signed(body, secret="another")),
        "ten minutes old": (body, signed(body, at=now - 600)),
        "ten minutes ahead": (body, signed(body, at=now + 600)),
        "one byte changed": (body.replace(b"T0SANDBOX", b"T0SANDBOY"), signed(body)),
        "not UTF-8": (body + b"\xff", signed(body + b"\xff")),
        "over a megabyte": (body + b"x" * 1_100_000, signed(body)),
    }


@HTTP_ONLY
def test_t1_t3_t4_a_request_that_slack_did_not_sign_is_refused_and_not_quoted(
    world: World,
) -> None:
    text = f"{world.number()} forged\nFAKE LINE in the log"
    requests = odd_requests(
        urlencode(command_payload(world.room(), text)).encode() + b"\nFAKE LINE"
    )

    statuses = {
        name: world.bridge.request("POST", PATH, body, headers)[0]
        for name, (body, headers) in requests.items()
    }

    wrong = {name: code for name, code in statuses.items() if code not in {401, 413}}
    assert wrong == {}
    assert statuses["over a megabyte"] == 413
    assert "FAKE" not in world.bridge.output
    assert "forged" not in world.bridge.output
    assert world.status_of("forged") is None


@HTTP_ONLY
@pytest.mark.parametrize(
    "body", [b"", b"{", b"{}", b"[]", b"payload=", b"payload=%5B1%5D", b"\0", b"=&="]
)
def test_a_signed_body_that_makes_no_sense_is_no_error_of_ours(
    world: World, body: bytes
) -> None:
    status, _ = world.bridge.request("POST", PATH, body, signed(body))

    assert status < 500


@HTTP_ONLY
def test_slacks_own_checks_of_the_address_are_answered(world: World) -> None:
    body = b"ssl_check=1&token=sandbox-verification"

    checked, _ = world.bridge.request("POST", PATH, body, signed(body))

    assert checked == 200
    assert world.slack.verify_request_url()


@HTTP_ONLY
def test_f62_bad_signatures_and_slow_clients_keep_nobody_out(world: World) -> None:
    address = ("127.0.0.1", world.bridge.port)
    half = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n"
    idle = [socket.create_connection(address, PATIENCE) for _ in range(200)]
    try:
        for connection in idle:
            connection.sendall(half.encode())

        command = world.type(world.room(), f"{world.number()} among the slow")

        assert command.outcome == "acked"
    finally:
        for connection in idle:
            connection.close()
