"""``kill -9`` between any two steps leaves no lost and no doubled message.

The emulators hold the bridge's life in their hands: a hook kills it at the very moment
a request has come in, or was executed and its answer has not yet left. Then the bridge
starts again on the same database and has to come to rest with the truth in the thread.

Slack gets each line once as well, wherever the bot may read what it wrote: a line that
Slack took just before the kill is looked for, and found by the name we gave it.
"""

from __future__ import annotations

import random
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.sandbox.slack import Kind
from bridge.sandbox.slack.workspace import Json
from tests.harness import (
    PATIENCE,
    World,
    at_the_post,
    is_note,
    make_slack,
    open_world,
)

SCALE = 0.02  # so that a search that finds nothing is over soon
BY_SEARCH = {"GREEN_API_RECEIVE": "off"}  # no echo tells what became of a text
CHOICES = ["check_again", "send_again", "mark_not_sent"]


@dataclass(frozen=True)
class Moment:
    """A request of the bridge, and how far it has come when the power fails."""

    method: str  # Slack's name for it, or sendMessage
    is_executed: bool  # or else it came in and will not be executed
    in_thread: bool | None = None  # a reply, a root card, or both

    def __str__(self) -> str:
        which = {None: "", True: " of the reply", False: " of the card"}
        end = "executed" if self.is_executed else "received"
        return f"{self.method}{which[self.in_thread]} {end}"

    def meets(self, method: str, arguments: Json | None) -> bool:
        """Whether a request is the one that is waited for."""
        is_reply = bool((arguments or {}).get("thread_ts"))
        return method == self.method and self.in_thread in (None, is_reply)


POST_RECEIVED = Moment("sendMessage", is_executed=False)
POST_EXECUTED = Moment("sendMessage", is_executed=True)
CARD_RECEIVED = Moment("chat.postMessage", is_executed=False, in_thread=False)
CARD_EXECUTED = Moment("chat.postMessage", is_executed=True, in_thread=False)
REPLY_RECEIVED = Moment("chat.postMessage", is_executed=False, in_thread=True)
REPLY_EXECUTED = Moment("chat.postMessage", is_executed=True, in_thread=True)

BEFORE_THE_POST = [
    Moment("users.info", is_executed=False),
    Moment("users.info", is_executed=True),
    CARD_RECEIVED,
    CARD_EXECUTED,
]
AFTER_THE_POST = [
    REPLY_RECEIVED,
    REPLY_EXECUTED,
    Moment("chat.update", is_executed=False),
    Moment("chat.update", is_executed=True),
]
WHERE_THE_BOT_IS_NO_MEMBER = [
    Moment("conversations.join", is_executed=False),
    Moment("conversations.join", is_executed=True),
]
WHERE_THE_BOT_CANNOT_POST = [
    Moment("response_url", is_executed=True),
    Moment("conversations.open", is_executed=False),
    Moment("conversations.open", is_executed=True),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("kill")
    with open_world(folder, scale=SCALE, notifications=True, **BY_SEARCH) as world:
        yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.heal()


class PowerFailure:
    """Kills the bridge once, at the first request that meets a moment."""

    def __init__(self, world: World, moment: Moment) -> None:
        self._world = world
        self._moment = moment
        self._is_over = threading.Event()
        self._guard = threading.Lock()
        self._has_begun = False
        if moment.is_executed:
            world.slack.on_reply = self._watch
            world.green.on_executed = self._watch
        else:
            world.on_slack = self._watch
            world.green.on_request = self._watch

    def _watch(self, method: str, arguments: Json | None) -> None:
        with self._guard:
            if self._has_begun or not self._moment.meets(method, arguments):
                return
            self._has_begun = True
        if not self._moment.is_executed:
            self._order_no_execution(method)
        self._world.bridge.kill()
        self._is_over.set()

    def _order_no_execution(self, method: str) -> None:
        if method == "sendMessage":
            self._world.green.fault(drop="before")
        else:
            self._world.slack.fault(method, drop="before")

    def survive(self, *, heals: bool = True) -> None:
        """Wait for the failure; start the bridge again, with healthy networks."""
        assert self._is_over.wait(PATIENCE), self._world.bridge.output[-3000:]
        if heals:
            self._world.heal()
        self._world.bridge.start()


def check_the_truth(
    world: World, words: str, channel: str, thread_in: str | None = None
) -> str:
    """Check what must hold of one command whatever happened; return its status."""
    world.settle(channel)
    (row,) = world.rows(
        "SELECT status, id_message FROM deliveries WHERE text LIKE :words",
        words=f"%{words}%",
    )
    place = thread_in or channel
    accepted, replies = world.ledger(words), world.replies(place)
    assert len(world.posts(words)) <= 1
    assert (len(world.roots(place)), len(replies)) == (1, 1)
    if row.status == "accepted":
        assert [row.id_message] == [entry.id for entry in accepted]
        assert f"idMessage `{row.id_message}`" in replies[0]
        assert world.buttons(place) == []
    else:
        assert row.status == "unconfirmed"
        assert "It may or may not have been sent." in replies[0]
        assert world.buttons(place) == CHOICES
    world.wait_for_rest()
    return str(row.status)


def keep_the_post_back(world: World) -> None:
    """Let Slack think about who is asking; nothing is sent to WhatsApp meanwhile."""
    world.slack.fault("users.info", delay=5)


def show_the_card_first(world: World, room: str, moment: Moment) -> None:
    """Let GREEN-API wait for the card, which then has to be redrawn."""

    def wait() -> None:
        world.wait_for(lambda: world.roots(room))

    if moment.is_executed:
        world.green.on_request = at_the_post(wait)  # the failure watches on_executed
    else:
        world.green.on_executed = at_the_post(wait)


@pytest.mark.parametrize("moment", BEFORE_THE_POST, ids=str)
def test_f24_a_kill_before_the_post_is_made_up_for(
    world: World, moment: Moment
) -> None:
    room, words = world.room(), f"killed at {moment}"
    failure = PowerFailure(world, moment)
    if moment.method != "users.info":
        keep_the_post_back(world)

    world.type(room, f"{world.number()} {words}", world.person())
    failure.survive()

    assert check_the_truth(world, words, room) == "accepted"


def test_f22_a_kill_at_the_post_is_found_out_about_and_never_made_up_for(
    world: World,
) -> None:
    room, words = world.room(), f"killed at {POST_EXECUTED}"
    failure = PowerFailure(world, POST_EXECUTED)

    world.type(room, f"{world.number()} {words}")
    failure.survive()

    assert check_the_truth(world, words, room) == "accepted"
    assert len(world.ledger(words)) == 1
    assert len(world.posts(words)) == 1


def test_f22_a_kill_at_a_post_that_was_not_executed_asks_a_person(world: World) -> None:
    room, words = world.room(), f"killed at {POST_RECEIVED}"
    failure = PowerFailure(world, POST_RECEIVED)

    world.type(room, f"{world.number()} {words}")
    failure.survive()

    checking = world.wait_for_card(room, "Checking. The bridge was stopped")
    assert checking["text"] == "WhatsApp message: checking"
    assert check_the_truth(world, words, room) == "unconfirmed"
    assert world.ledger(words) == []
    assert len(world.posts(words)) == 1


@pytest.mark.parametrize("moment", AFTER_THE_POST, ids=str)
def test_f26_a_kill_after_the_answer_was_stored_delays_only_slack(
    world: World, moment: Moment
) -> None:
    room, words = world.room(), f"killed at {moment}"
    failure = PowerFailure(world, moment)
    show_the_card_first(world, room, moment)

    world.type(room, f"{world.number()} {words}")
    failure.survive()

    assert check_the_truth(world, words, room) == "accepted"
    assert "accepted by GREEN-API" in world.roots(room)[0]["text"]


@pytest.mark.parametrize("moment", [CARD_EXECUTED, REPLY_EXECUTED], ids=str)
def test_f26_where_the_bot_may_not_read_a_line_may_be_there_twice_but_not_be_missing(
    world: World, moment: Moment
) -> None:
    room, words = world.room(), f"unreadable: {moment}"
    world.slack.set_scopes({"commands", "chat:write", "users:read"})
    failure = PowerFailure(world, moment)
    if moment is REPLY_EXECUTED:
        show_the_card_first(world, room, moment)
    else:
        keep_the_post_back(world)

    world.type(room, f"{world.number()} {words}")
    failure.survive(heals=False)

    world.settle(room)
    (accepted,) = world.ledger(words)
    assert {*world.replies(room)} == {
        f"Accepted by GREEN-API · idMessage `{accepted.id}`"
    }
    assert len(world.posts(words)) == 1


@pytest.mark.parametrize("moment", WHERE_THE_BOT_IS_NO_MEMBER, ids=str)
def test_a_kill_while_joining_a_channel_loses_nothing(
    world: World, moment: Moment
) -> None:
    room, words = world.room(has_bot=False), f"killed at {moment}"
    failure = PowerFailure(world, moment)
    keep_the_post_back(world)

    world.type(room, f"{world.number()} {words}", world.person())
    failure.survive()

    assert check_the_truth(world, words, room) == "accepted"


@pytest.mark.parametrize("moment", WHERE_THE_BOT_CANNOT_POST, ids=str)
def test_a_kill_while_falling_back_to_direct_messages_loses_nothing(
    world: World, moment: Moment
) -> None:
    user, words = world.person(), f"killed at {moment}"
    room = world.room(user, kind=Kind.PRIVATE, has_bot=False)
    failure = PowerFailure(world, moment)
    keep_the_post_back(world)

    world.type(room, f"{world.number()} {words}", user)
    failure.survive()

    assert check_the_truth(world, words, room, world.slack.dm(user)) == "accepted"
    assert world.slack.messages(room) == []


def test_f24_a_kill_right_after_the_ack_loses_nothing(world: World) -> None:
    room, words = world.room(), "killed after the ack"

    command = world.type(room, f"{world.number()} {words}", world.person())
    world.bridge.kill()
    # Stored before the POST leaves: it may be under way though nobody has seen it.
    was_under_way = world.rows(
        "SELECT n FROM attempts JOIN deliveries ON deliveries.id = delivery_id"
        " WHERE text LIKE :words",
        words=f"%{words}%",
    )
    world.bridge.start()

    assert str(command.ephemeral).startswith("Queued")
    status = check_the_truth(world, words, room)
    assert was_under_way or status == "accepted"


def test_f23_an_answer_that_came_but_was_not_stored_is_found_again(
    world: World,
) -> None:
    room, words = world.room(), "killed before the answer was stored"
    with locked(world) as lock:
        world.green.on_executed = at_the_post(lock)
        world.type(room, f"{world.number()} {words}")
        world.wait_for(lambda: "an answer can't be stored yet" in world.bridge.output)
        world.bridge.kill()
    world.heal()

    world.bridge.start()

    assert check_the_truth(world, words, room) == "accepted"
    assert len(world.ledger(words)) == 1
    assert len(world.posts(words)) == 1


@contextmanager
def locked(world: World) -> Iterator[Callable[..., None]]:
    """Yield a hook that locks the database; it is unlocked at the end."""
    path = world.bridge.folder / "data" / "bridge.db"
    address = f"file:{path}?mode=rw"
    with closing(
        sqlite3.connect(
            address, uri=True, isolation_level=None, check_same_thread=False
        )
    ) as connection:

        def lock(*_: object) -> None:
            connection.execute("BEGIN IMMEDIATE")

        yield lock
        connection.rollback()


def test_f25_an_attempt_whose_post_never_left_is_unconfirmed_and_not_repeated(
    world: World,
) -> None:
    room, words = world.room(), "killed before the POST"
    with open_black_hole() as address:
        world.bridge.kill()
        world.bridge.start(GREEN_API_URL=address, BRIDGE_TIME_SCALE="10")
        world.type(room, f"{world.number()} {words}")
        world.wait_for(lambda: world.status_of(words) == "sending")
        world.bridge.kill()

    world.bridge.start()

    assert check_the_truth(world, words, room) == "unconfirmed"
    assert world.posts(words) == []


WAITING: dict[str, dict[str, Any]] = {
    "rate_limited": {"status": 429, "headers": {"Retry-After": "20"}},
    "not_authorized": {"message": "instance account not authorized"},
}


@pytest.mark.parametrize("reason", WAITING)
def test_what_waits_for_its_next_attempt_is_sent_after_a_kill(
    world: World, reason: str
) -> None:
    room, number, words = world.room(), world.number(), f"waits, {reason}"
    world.green.fault(**WAITING[reason], chat_id=f"{number[1:]}@c.us")
    for n in range(3):
        world.type(room, f"{number} {words} {n}")
    query = "SELECT id FROM deliveries WHERE text = :text AND reason = :reason"
    world.wait_for(lambda: world.rows(query, text=f"{words} 0", reason=reason))

    world.bridge.kill()
    world.bridge.start()

    world.settle(room)
    left = [accepted.text for accepted in world.ledger(words)]
    assert left == [f"{words} {n}" for n in range(3)]
    world.wait_for_rest()


def test_a_command_delivered_again_after_a_kill_is_recognised(world: World) -> None:
    room, words = world.room(), "delivered again after a kill"
    failure = PowerFailure(world, REPLY_RECEIVED)
    command = world.type(room, f"{world.number()} {words}")
    failure.survive()

    again = world.slack.redeliver(command.id)

    assert str(again.ephemeral).startswith("Already queued")
    assert check_the_truth(world, words, room) == "accepted"


def test_a_kill_loses_and_doubles_nothing_on_postgresql(
    tmp_path: Path, postgres_url: str
) -> None:
    ends = {
        POST_EXECUTED: "accepted",
        POST_RECEIVED: "unconfirmed",
        REPLY_EXECUTED: "accepted",
    }
    options: dict[str, Any] = {"scale": SCALE, "notifications": True, **BY_SEARCH}
    with open_world(tmp_path, "http", database_url=postgres_url, **options) as world:
        for moment, status in ends.items():
            room, words = world.room(), f"killed at {moment}"
            failure = PowerFailure(world, moment)

            world.type(room, f"{world.number()} {words}")
            failure.survive()

            assert check_the_truth(world, words, room) == status


# --- any step at all, many times over -------------------------------------------------

COMMANDS = 30
TROUBLE: list[dict[str, Any]] = [
    {"status": 429},
    {"status": 466},
    {"status": 500},
    {"status": 502, "executes": True},
    {"drop": "before"},
    {"drop": "after"},
    {"message": "instance account not authorized"},
]


# The bridge asks them all the time, and nothing depends on the moment.
QUESTIONS = {"receiveNotification", "getStateInstance", "getSettings"}


class Storm:
    """Kills the bridge now and then, at whatever request is just under way.

    Each of its waits is a number of requests, drawn from one seed.
    """

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._guard = threading.Lock()
        self._is_calm = False
        self._left = chance.randint(1, 8)
        world.on_slack = self._count
        world.slack.on_reply = self._count
        world.green.on_request = self._count
        world.green.on_executed = self._count

    def _count(self, method: str, _arguments: object) -> None:
        if method in QUESTIONS:
            return
        with self._guard:
            self._left -= 1
            if self._is_calm or self._left:
                return
            self._is_calm = True  # until the bridge is up again
            self._world.bridge.kill()  # guarded: nobody takes the dying one for alive

    def go_on(self) -> None:
        """Start the bridge again if it was killed; go on counting."""
        if self._world.bridge.is_running:
            return
        self._world.bridge.start()
        with self._guard:
            self._is_calm = False
            self._left = self._chance.randint(1, 12)

    def end(self) -> None:
        """Let the bridge live from now on."""
        with self._guard:
            self._is_calm = True
        self._world.heal()
        if not self._world.bridge.is_running:
            self._world.bridge.start()


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("transport", ["socket", "http"])
def test_thirty_commands_survive_any_number_of_kills(
    tmp_path: Path, database_url: str, seed: int, transport: Any
) -> None:
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    url = None if database_url.startswith("sqlite") else database_url
    options: dict[str, Any] = {"scale": 0.01, "notifications": True}
    options["slack"] = make_slack(
        speed=6
    )  # a killed bridge acks nothing: half a second
    with open_world(tmp_path, transport, database_url=url, **options) as world:
        rooms = [world.room(), world.room(), world.room(has_bot=False)]
        numbers = [world.number() for _ in range(4)]
        storm = Storm(world, chance)
        answers = {}
        for n in range(COMMANDS):
            storm.go_on()
            if chance.random() < 0.25:
                world.green.fault(**chance.choice(TROUBLE))
            words = f"storm <{n:02}>"
            attempts = chance.choice([(0,), (0,), (0, 1), (0, 0, 2)])
            command = world.slack.command(
                channel=chance.choice(rooms),
                text=f"{chance.choice(numbers)} {words}",
                attempts=attempts,
            )
            answers[words] = command.ephemeral
        storm.end()
        world.wait_for_rest()

        for words, answer in answers.items():
            _check_one_of_many(world, words, answer)


def _check_one_of_many(world: World, words: str, answer: str | None) -> None:
    query = "SELECT * FROM deliveries WHERE text LIKE :words"
    found = world.rows(query, words=f"%{words}%")
    accepted = world.ledger(words)
    assert len(accepted) <= 1
    if answer is not None and "ueued for" in answer:
        assert len(found) == 1
    assert len(found) <= 1
    if not found:
        assert accepted == []
        return
    (row,) = found
    roots = [root for root in world.roots(row.thread_channel) if words in str(root)]
    (root,) = roots
    lines = world.slack.thread(row.thread_channel, root["ts"])[1:]
    (reply,) = [line["text"] for line in lines if not is_note(line)]
    _check_the_reply(row, reply, [entry.id for entry in accepted])


def _check_the_reply(row: Any, reply: str, accepted: list[str]) -> None:
    match row.status:
        case "accepted" | "sent" | "delivered" | "read":
            assert accepted == [row.id_message]
            assert f"idMessage `{row.id_message}`" in reply
        case "failed" | "expired":
            assert accepted == []
            assert "Not sent" in reply
        case _:
            assert row.status == "unconfirmed"
            assert "It may or may not have been sent." in reply


@contextmanager
def open_black_hole() -> Iterator[str]:
    """Yield the address of a server to which no connection ever comes about."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = []
        try:
            # The queue takes one or two; then Linux ignores whoever knocks.
            for _ in range(4):
                caller = socket.socket()
                waiting.append(caller)
                caller.setblocking(False)
                caller.connect_ex(("127.0.0.1", port))
            yield f"http://127.0.0.1:{port}"
        finally:
            for caller in waiting:
                caller.close()
