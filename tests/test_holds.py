"""Nothing leaves: the account is on hold, GREEN-API is gone, Slack is in trouble.

What waits keeps its order, is told why, and leaves or is dropped with an answer.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bridge.sandbox.slack import Kind
from bridge.sandbox.slack.workspace import BOT_USER
from tests.harness import GREEN_TOKEN, World, in_parallel, make_world, open_world

DANA = "U0DANA"
ADMINS = "C0ADMINS"
LOGGED_OUT = "On hold. The WhatsApp account is logged out."


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("holds")
    with open_world(
        folder, scale=0.02, notifications=True, BRIDGE_ADMIN_CHANNEL=ADMINS
    ) as world:
        world.slack.add_channel(ADMINS, "admins", Kind.PUBLIC, {BOT_USER})
        yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.heal()
    # The next test counts what admins are told: this one's last line must be there.
    shared.wait_for(lambda: _hold(shared) is None and _account(shared, "told") is None)


def _hold(world: World) -> str | None:
    return str(found) if (found := _account(world, "hold")) else None


def _account(world: World, column: str) -> str | None:
    ((value,),) = world.rows(f"SELECT {column} FROM accounts")  # noqa: S608
    return value if value is None else str(value)


def _told(world: World) -> list[str]:
    """Return every line that admins read, in their channel and its threads."""
    return [
        line["text"]
        for root in world.slack.messages(ADMINS)
        for line in world.slack.thread(ADMINS, root["ts"])
    ]


# --- the account ----------------------------------------------------------------------


def test_f19_what_waits_for_a_logged_out_account_says_so_and_leaves_in_order(
    world: World,
) -> None:
    room, number = world.room(), world.number()
    world.green.switches.when_unauthorized = "refuse"
    world.green.set_state("notAuthorized")
    world.wait_for(lambda: _account(world, "told") == "not_authorized")

    for n in range(5):
        world.type(room, f"{number} after the log-out {n}")
    world.wait_for(lambda: str(world.roots(room)).count(LOGGED_OUT) == 5)
    tried = world.posts("after the log-out")
    world.green.set_state("authorized")

    world.settle(room)
    assert tried == []
    left = [each.text for each in world.ledger("after the log-out")]
    assert left == [f"after the log-out {n}" for n in range(5)]
    assert len(world.posts("after the log-out")) == 5


HELD = {
    "starting": "starting",
    "yellowCard": "restricted",
    "suspended": "restricted",
    "blocked": "blocked",
}


@pytest.mark.parametrize("state", HELD)
def test_f58_each_state_that_stops_messages_is_named_and_passes(
    world: World, state: str
) -> None:
    room, words = world.room(), f"while it is {state}"
    world.green.set_state(state)
    world.wait_for(lambda: _hold(world) == HELD[state])

    world.type(room, f"{world.number()} {words}")
    world.wait_for_card(room, "On hold.")
    if state != "starting":  # that one is told only when it lasts
        world.wait_for(lambda: _account(world, "told") == HELD[state])
    world.green.set_state("authorized")

    world.settle(room)
    assert len(world.ledger(words)) == 1


def test_f18_a_refused_token_holds_a_hundred_commands_and_tells_admins_once(
    world: World,
) -> None:
    rooms = [world.room() for _ in range(10)]
    before = len(_told(world))
    methods = ("sendMessage", "getStateInstance")
    for method in methods:
        world.green.fault(method, status=401, times=None)

    texts = [(rooms[n % 10], f"{world.number()} refused {n:03}") for n in range(100)]
    in_parallel(
        *[
            lambda part=part: [world.type(*each) for each in texts[part::10]]
            for part in range(10)
        ]
    )
    world.wait_for(lambda: len(_told(world)) == before + 1)
    world.wait_for_card(rooms[0], "On hold. GREEN-API refused the bridge's token.")
    held = _told(world)[-1]
    world.green.clear_faults()

    world.wait_for(lambda: len(_told(world)) == before + 2)
    for room in rooms:
        world.settle(room)
    assert held == "WhatsApp messages are on hold"
    assert _told(world)[-1] == "✓  That is over: messages leave again."
    assert len(world.ledger("refused ")) == 100
    assert all(len(world.ledger(f"refused {n:03}")) == 1 for n in range(100))


def test_t13_a_plan_limit_fails_and_names_nobodys_number(world: World) -> None:
    room, number = world.room(), world.number()
    world.green.fault(status=466, chat_id=f"{number[1:]}@c.us")

    world.type(room, f"{number} over the limit")

    answer = world.answer_in(room)
    assert "Not sent. The GREEN-API plan allows only a few chats" in answer
    assert "12345678901" not in str(world.requests)
    assert "12345678901" not in world.bridge.output
    assert len(world.posts("over the limit")) == 1


def test_f15_too_many_requests_slow_all_down_and_everything_arrives_once(
    world: World,
) -> None:
    room = world.room()
    world.green.fault(status=429, times=10, headers={"Retry-After": "-1"})

    for n in range(20):
        world.type(room, f"{world.number()} not so fast {n:02}")

    world.settle(room)
    assert len(world.ledger("not so fast")) == 20
    assert len(world.posts("not so fast")) == 30


# --- GREEN-API is gone ----------------------------------------------------------------


class Door:
    """A way to GREEN-API that can be shut: refused, or never answered."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]

    def open(self) -> None:
        """Let everybody through."""
        self.shut()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self._listener,)).start()

    def swallow(self) -> None:
        """Let nobody's connection come about."""
        self.shut()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=0)
        for _ in range(4):  # the queue takes one or two; whoever knocks then waits
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", self.port))
            self._ends.append(caller)

    def shut(self) -> None:
        """Refuse every connection, and end those there are."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                inside, _ = listener.accept()
                outside = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [inside, outside]
                for one, other in ((inside, outside), (outside, inside)):
                    threading.Thread(target=_pipe, args=(one, other)).start()


def _pipe(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while some := one.recv(65536):
            other.sendall(some)
        other.shutdown(socket.SHUT_WR)


@contextmanager
def open_door(world: World) -> Iterator[Door]:
    door = Door(int(world.server.url.rpartition(":")[2]))
    door.open()
    try:
        yield door
    finally:
        door.shut()


def test_f1_f2_a_green_api_that_is_gone_is_waited_for_and_everything_leaves_once(
    tmp_path: Path,
) -> None:
    with (
        make_world(tmp_path, scale=0.02, notifications=True) as world,
        open_door(world) as door,
    ):
        world.bridge.settings["GREEN_API_URL"] = f"http://127.0.0.1:{door.port}"
        world.bridge.start()
        for words, go_away in {"refused": door.shut, "swallowed": door.swallow}.items():
            room, number = world.room(), world.number()
            go_away()
            for n in range(3):
                world.type(room, f"{number} {words} {n}")
            world.wait_for_card(room, "GREEN-API can't be reached.")
            posted = world.posts(words)
            door.open()

            world.settle(room)
            assert posted == []
            left = [each.text for each in world.ledger(words)]
            assert left == [f"{words} {n}" for n in range(3)]
            assert len(world.replies(room)) == 3
        world.bridge.kill()


# --- what waits too long --------------------------------------------------------------


def test_f16_what_is_refused_until_it_is_too_old_is_dropped_and_its_author_told(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path, "http", scale=0.02, BRIDGE_TTL="20s") as world:
        room, behind, number = world.room(), world.room(), world.number()
        chat_id = f"{number[1:]}@c.us"
        world.green.fault(status=429, times=None, chat_id=chat_id)

        world.type(room, f"{number} refused for long")
        world.type(behind, f"{number} waits behind it")

        answers = [world.answer_in(room), world.answer_in(behind)]
        world.wait_for_rest()
        for answer in answers:
            assert "Not sent: it waited too long and was dropped." in answer
            assert f"<@{DANA}>" in answer
        assert "GREEN-API got too many requests at once." in answers[0]
        assert world.ledger("refused for long") == []
        assert world.ledger("waits behind it") == []


# --- Slack is in trouble --------------------------------------------------------------


def test_f48_slack_that_asks_for_patience_loses_no_answer(world: World) -> None:
    room = world.room()
    world.slack.fault("chat.postMessage", times=4, retry_after=3)
    world.slack.fault("chat.update", times=4, retry_after=3)

    for n in range(3):
        world.type(room, f"{world.number()} patience {n}")

    world.settle(room)
    assert len(world.roots(room)) == 3
    assert len(world.replies(room)) == 3
    assert len(world.ledger("patience")) == 3


def test_f49_an_answer_slack_took_without_a_word_is_found_and_not_posted_again(
    world: World,
) -> None:
    room, number = world.room(), world.number()
    world.green.script(f"{number[1:]}@c.us")
    world.slack.fault("chat.postMessage", drop="after", times=2)

    world.type(room, f"{number} took it and hung up")

    assert "idMessage" in world.answer_in(room)
    assert len(world.roots(room)) == 1
    assert len(world.lines(room)) == 1


def test_f50_slack_is_gone_for_long_and_every_answer_comes_when_it_is_back(
    world: World,
) -> None:
    room, user = world.room(), world.person()
    world.type(room, f"{world.number()} so that Slack need not be asked", user)
    world.settle(room)

    world.slack.outage()
    for n in range(5):
        world.type(room, f"{world.number()} during the outage {n}", user)
    world.wait_for(lambda: len(world.ledger("during the outage")) == 5)
    meanwhile = len(world.roots(room))
    world.slack.outage(False)

    world.settle(room)
    assert meanwhile == 1
    assert len(world.replies(room)) == 6
    assert len(world.posts("during the outage")) == 5


LEAVES = {
    "archived": lambda world, room: world.slack.archive(room),
    "made the bot leave": lambda world, room: world.slack.kick(room),
}


@pytest.mark.parametrize("how", LEAVES)
def test_f51_a_channel_that_is_lost_meanwhile_moves_the_answer_to_direct_messages(
    world: World, how: str
) -> None:
    user = world.person()
    room = world.room(user, kind=Kind.PRIVATE)
    number, words = world.number(), f"{how} meanwhile"
    world.green.fault(status=429, times=None, chat_id=f"{number[1:]}@c.us")
    world.type(room, f"{number} {words}", user)
    world.wait_for(lambda: world.roots(room))

    LEAVES[how](world, room)
    world.green.clear_faults()

    world.settle(room)
    (accepted,) = world.ledger(words)
    direct = world.slack.dm(user)
    (answer,) = world.replies(direct)
    others = set(world.slack.workspace.channels) - {room, direct}
    assert accepted.id in answer
    assert world.replies(room) == []
    assert [c for c in others if words in str(world.roots(c))] == []


def test_f52_with_a_revoked_token_nothing_is_sent_into_the_void(world: World) -> None:
    room, user, number = world.room(), world.person(), world.number()
    world.slack.fault("users.info", error="token_revoked", times=None)
    world.slack.fault("chat.postMessage", error="token_revoked", times=None)
    world.type(room, f"{number} into the void", user)
    query = "SELECT id FROM deliveries WHERE text = :words AND reason = :reason"
    world.wait_for(
        lambda: world.rows(query, words="into the void", reason="slack_unreachable")
    )
    posted = world.posts("into the void")

    world.slack.clear_faults()

    assert posted == []
    assert "idMessage" in world.answer_in(room)
    assert len(world.posts("into the void")) == 1
    assert GREEN_TOKEN not in world.bridge.output


# --- last, for the account keeps its new number --------------------------------------


def test_f58_another_number_is_not_written_from_until_an_admin_agrees(
    world: World,
) -> None:
    room, words = world.room(), "from which number"
    world.wait_for(lambda: _account(world, "wid"))
    world.green.fault("getSettings", body={"wid": "14155550177@c.us"}, times=None)
    world.green.fault("getWaSettings", body={"phone": "14155550177"}, times=None)
    world.green.set_state("notAuthorized")
    world.wait_for(lambda: _hold(world) == "not_authorized")
    world.green.set_state("authorized")
    world.wait_for(lambda: _hold(world) == "other_number")

    world.type(room, f"{world.number()} {words}")
    world.wait_for_card(room, "Another WhatsApp number was linked")
    posted = world.posts(words)
    resumed = world.bridge.run("resume")

    world.settle(room)
    assert posted == []
    assert resumed.returncode == 0
    assert len(world.ledger(words)) == 1
