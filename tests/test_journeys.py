"""The whole way of a command, through the real app, over both transports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.sandbox.slack import Kind
from bridge.sandbox.slack.command import Command
from bridge.sandbox.slack.workspace import Json
from tests.harness import (
    APP_TOKEN,
    BOT_TOKEN,
    World,
    at_the_post,
    free_port,
    in_parallel,
    leaks,
    make_slack,
    open_world,
)

DANA = "U0DANA"
# Behind the store nobody knows by which way a command came in.
SOCKET_ONLY = pytest.mark.parametrize("shared", ["socket"], indirect=True)
HTTP_ONLY = pytest.mark.parametrize("shared", ["http"], indirect=True)


@pytest.fixture(scope="module", params=["socket", "http"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("world"), request.param) as world:
        yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.heal()


# --- a good command -------------------------------------------------------------------


GOOD = "Ping <!channel> :tada: @here & <b> before the order ships"


@dataclass(frozen=True)
class Told:
    """A good command that has come to its end."""

    number: str
    command: Command
    room: str
    root: Json
    reply: str


@pytest.fixture(scope="module")
def told(shared: World) -> Told:
    room, number = shared.room(), shared.number()
    command = shared.type(room, f"{number} {GOOD}")
    reply = shared.answer_in(room)
    (root,) = shared.roots(room)
    return Told(number, command, room, root, reply)


def test_a_good_command_is_queued_at_once_and_accepted_in_its_thread(
    world: World, told: Told
) -> None:
    (accepted,) = world.ledger("before the order ships")

    assert str(told.command.ephemeral).startswith("Queued for +49 ")
    assert accepted.chat_id == f"{told.number[1:]}@c.us"
    assert told.reply == f"Accepted by GREEN-API · idMessage `{accepted.id}`"


def test_a_good_command_makes_one_card_one_reply_and_no_other_line(
    world: World, told: Told
) -> None:
    posted = world.calls("chat.postMessage", told.room)

    assert len(world.slack.messages(told.room)) == 1
    assert len(world.replies(told.room)) == 1
    assert [call["ok"] for call in posted] == [True, True]


def test_emoji_names_arrive_as_emoji_and_a_broadcast_pings_nobody(
    world: World, told: Told
) -> None:
    (accepted,) = world.ledger("before the order ships")

    texts = [block["text"] for block in told.root["blocks"] if "text" in block]
    quoted = [text["text"] for text in texts if text["type"] == "plain_text"]
    assert accepted.text == GOOD.replace(":tada:", "🎉")
    assert quoted == [accepted.text]
    assert "<!" not in told.root["text"]
    assert "<!" not in texts[0]["text"]


def test_only_the_country_and_the_last_digits_of_a_number_are_shown(
    world: World, told: Told
) -> None:
    shown = f"+49 ••••• {told.number[-4:]}"

    assert shown in str(told.command.ephemeral)
    assert shown in told.root["blocks"][0]["text"]["text"]
    assert told.number[1:] not in str(world.slack.thread(told.room, told.root["ts"]))


def test_a_message_to_a_group_is_accepted(world: World) -> None:
    room = world.room()

    world.type(room, "120363043219876561@g.us Hello group")

    assert "idMessage" in world.answer_in(room)
    assert world.ledger("Hello group")[0].chat_id == "120363043219876561@g.us"


def test_the_mention_of_a_person_becomes_the_name(world: World) -> None:
    room, sam = world.room(), world.slack.workspace.users["U0SAM"]

    world.type(room, f"{world.number()} ask @sam about it")

    world.settle(room)
    (accepted,) = world.ledger("about it")
    assert accepted.text == f"ask @{sam.name} about it"


# --- commands that are refused --------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("12ab hello", "phone number"),
        ("0151 2345678 hello", "country"),
        ("123@g.us hello", "WhatsApp chat"),
        ("@sam hello", "Slack name"),
        ("+4915112345678", "no message"),
        ("+1 555 CALL-NOW hello", "no such number"),
    ],
)
def test_a_bad_recipient_is_explained_and_nothing_is_stored(
    world: World, typed: str, words: str
) -> None:
    user, room = world.person(), world.room()

    command = world.type(room, typed, user)

    found = world.rows("SELECT id FROM deliveries WHERE user_id = :user", user=user)
    assert words in str(command.ephemeral)
    assert found == []
    assert world.slack.messages(room) == []


@pytest.mark.parametrize("typed", ["", "help", " HELP "])
def test_help_and_a_bare_command_explain_themselves(world: World, typed: str) -> None:
    command = world.type(world.room(), typed)

    assert "/whatsapp <number> <text>" in str(command.ephemeral)


OUTSIDERS = ["is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted"]


def test_only_full_members_may_send(world: World) -> None:
    rooms = {flag: world.room() for flag in OUTSIDERS}

    for flag, room in rooms.items():
        user = world.person(**{flag: True})
        world.type(room, f"{world.number()} from an outsider", user)

    answers = {flag: world.answer_in(room) for flag, room in rooms.items()}
    assert {f for f, answer in answers.items() if "Not sent. Guests" in answer} == {
        *OUTSIDERS
    }
    assert world.posts("from an outsider") == []


def test_a_known_guest_is_refused_at_once(world: World) -> None:
    user, room = world.person(is_restricted=True), world.room()
    world.type(room, f"{world.number()} the first", user)
    world.settle(room)

    command = world.type(room, f"{world.number()} the second", user)

    assert str(command.ephemeral).startswith("Nothing was sent. Guests")
    assert world.status_of("the second") is None


# --- status ---------------------------------------------------------------------------


def test_status_lists_ones_own_latest_messages(world: World) -> None:
    user, room, number = world.person(), world.room(), world.number()
    world.type(room, f"{number} listed later", user)
    world.settle(room)

    mine = world.type(room, "status", user)
    others = world.type(room, "status", world.person())

    assert f"+49 ••••• {number[-4:]} · accepted by GREEN-API" in str(mine.ephemeral)
    assert "You have not sent any message yet" in str(others.ephemeral)


def test_status_of_an_id_is_for_its_owner_only(world: World) -> None:
    user, room = world.person(), world.room()
    world.type(room, f"{world.number()} whose is this", user)
    world.settle(room)
    (row,) = world.rows(
        "SELECT id, id_message FROM deliveries WHERE user_id = :user", user=user
    )

    mine = world.type(room, f"status {row.id[:8]}", user)
    mine_by_message = world.type(room, f"status {row.id_message}", user)
    others = world.type(room, f"status {row.id}", world.person())

    assert row.id_message in str(mine.ephemeral)
    assert row.id[:8] in str(mine_by_message.ephemeral)
    assert "I don't know a message of yours" in str(others.ephemeral)
    assert row.id_message not in str(others.ephemeral)


# --- GREEN-API in trouble -------------------------------------------------------------


def test_a_429_is_tried_again_until_it_is_accepted(world: World) -> None:
    room, number = world.room(), world.number()
    world.green.fault(status=429, times=2, chat_id=f"{number[1:]}@c.us")

    world.type(room, f"{number} too many requests")

    assert "idMessage" in world.answer_in(room)
    assert len(world.posts("too many requests")) == 3
    assert len(world.ledger("too many requests")) == 1


@SOCKET_ONLY
def test_messages_wait_for_a_logged_out_account_and_leave_in_order(
    world: World,
) -> None:
    room, number = world.room(), world.number()
    world.green.switches.when_unauthorized = "refuse"
    world.green.set_state("notAuthorized")

    for word in ("first", "second", "third"):
        world.type(room, f"{number} in order: {word}")
    held = world.wait_for_card(room, "On hold. The WhatsApp account is logged out.")
    world.green.set_state("authorized")

    world.settle(room)
    left = [accepted.text for accepted in world.ledger("in order")]
    assert held["text"] == "WhatsApp message: on hold"
    assert left == ["in order: first", "in order: second", "in order: third"]
    assert len(world.replies(room)) == 3


@SOCKET_ONLY
def test_a_plan_limit_fails_and_shows_nobody_elses_number(world: World) -> None:
    room, number = world.room(), world.number()
    world.green.fault(status=466, chat_id=f"{number[1:]}@c.us")

    world.type(room, f"{number} over the limit")

    answer = world.answer_in(room)
    assert "Not sent. The GREEN-API plan allows only a few chats" in answer
    assert "12345678901" not in str(world.requests)
    assert len(world.posts("over the limit")) == 1


@SOCKET_ONLY
def test_a_chat_in_trouble_delays_no_other_chat(world: World) -> None:
    room, stuck, free = world.room(), world.number(), world.number()
    other_room = world.room()
    world.green.fault(status=429, times=None, chat_id=f"{stuck[1:]}@c.us")

    world.type(room, f"{stuck} stuck for now")
    world.wait_for(lambda: len(world.posts("stuck for now")) >= 2)
    world.type(other_room, f"{free} not stuck")

    assert "idMessage" in world.answer_in(other_room)
    assert world.ledger("stuck for now") == []


# --- where the thread lives -----------------------------------------------------------


def test_a_public_channel_is_joined(world: World) -> None:
    room = world.room(DANA, has_bot=False)

    world.type(room, f"{world.number()} joined first")

    assert "idMessage" in world.answer_in(room)
    assert world.slack.workspace.channels[room].has_bot


CLOSED_ROOMS = {
    "private": (Kind.PRIVATE, False),
    "between humans": (Kind.IM, False),
    "group of humans": (Kind.MPIM, False),
    "archived": (Kind.PUBLIC, True),
}


def test_where_the_bot_cannot_post_the_thread_is_in_the_direct_messages(
    world: World,
) -> None:
    users = {name: world.person() for name in CLOSED_ROOMS}
    rooms = {}
    for name, (kind, archived) in CLOSED_ROOMS.items():
        rooms[name] = world.room(users[name], kind=kind, has_bot=False)
        world.slack.archive(rooms[name], archived)

    for name, user in users.items():
        world.type(rooms[name], f"{world.number()} told directly ({name})", user)

    for name, user in users.items():
        world.settle(rooms[name])
        direct = world.slack.dm(user)
        assert [reply[:8] for reply in world.replies(direct)] == ["Accepted"]
        assert "in our direct messages" in world.notes(user)[-1]
        assert world.slack.messages(rooms[name]) == []
        assert _places_of(world, f"({name})") == {direct}


def test_with_no_direct_messages_either_the_answer_goes_to_the_response_url(
    world: World,
) -> None:
    user = world.person()
    room = world.room(user, kind=Kind.PRIVATE, has_bot=False)
    world.slack.set_scopes({"commands", "chat:write", "channels:join", "users:read"})

    world.type(room, f"{world.number()} only to the caller", user)

    world.settle(room)
    (accepted,) = world.ledger("only to the caller")
    assert f"idMessage `{accepted.id}`" in world.notes(user)[-1]
    assert _places_of(world, "only to the caller") == set()


def _places_of(world: World, words: str) -> set[str]:
    """Return every channel whose members can read these words."""
    channels = world.slack.workspace.channels
    return {c for c in channels if any(words in str(m) for m in world.roots(c))}


# --- Slack repeats itself, or is in trouble -------------------------------------------


def test_f32_the_same_command_delivered_five_times_at_once_is_one_message(
    world: World,
) -> None:
    room = world.room()

    command = world.slack.command(
        channel=room,
        text=f"{world.number()} five times at once",
        attempts=(0, 0, 1, 1, 2),
    )

    assert "idMessage" in world.answer_in(room)
    assert command.ephemeral is not None
    assert len(world.posts("five times at once")) == 1
    world.slack.wait_for(lambda: len(_deliveries(world, command.id)) == 5)
    assert {*_deliveries(world, command.id)} == {"acked"}


def test_f33_a_command_delivered_again_later_is_recognised(world: World) -> None:
    room = world.room()
    command = world.type(room, f"{world.number()} delivered again")
    world.settle(room)

    again = world.slack.redeliver(command.id)

    assert str(again.ephemeral).startswith("Already queued for")
    assert len(world.posts("delivered again")) == 1


def test_f34_a_command_whose_first_delivery_was_lost_is_sent(world: World) -> None:
    room = world.room()

    world.slack.command(
        channel=room, text=f"{world.number()} only the retry", attempts=(1,)
    )

    assert "idMessage" in world.answer_in(room)


def _deliveries(world: World, command_id: str) -> list[str]:
    return [
        str(entry.data["outcome"])
        for entry in world.slack.log.since(kind="delivery")
        if entry.data.get("command_id") == command_id
    ]


def test_the_same_text_typed_by_two_people_is_sent_twice(world: World) -> None:
    room, number = world.room(), world.number()

    world.type(room, f"{number} twice on purpose", "U0DANA")
    world.type(room, f"{number} twice on purpose", "U0SAM")

    world.settle(room)
    assert len(world.ledger("twice on purpose")) == 2
    assert len(world.replies(room)) == 2


@HTTP_ONLY
def test_the_reply_comes_when_slack_is_back(world: World) -> None:
    room = world.room()

    world.green.on_executed = at_the_post(world.slack.outage)
    world.type(room, f"{world.number()} told after the outage")
    world.wait_for(lambda: world.status_of("told after the outage") == "accepted")
    world.wait_for(lambda: _refused(world, 503))
    assert world.replies(room) == []
    world.slack.outage(False)

    assert "idMessage" in world.answer_in(room)
    assert len(world.posts("told after the outage")) == 1


def _refused(world: World, status: int) -> bool:
    calls = world.slack.log.since(kind="api_call")
    return any(call.data["status"] == status for call in calls)


@HTTP_ONLY
def test_a_pause_that_slack_asks_for_is_kept(world: World) -> None:
    room, seconds = world.room(), 10  # half a real second, by the scale
    world.slack.fault("chat.postMessage", retry_after=seconds)

    world.type(room, f"{world.number()} not so fast")

    world.settle(room)
    times = [
        entry.at
        for entry in world.slack.log.since(kind="api_call")
        if entry.data["method"] == "chat.postMessage"
        and entry.data["request"].get("channel") == room
    ]
    assert len(times) == 3
    assert times[1] - times[0] >= seconds * 0.05


@HTTP_ONLY
def test_f49_a_card_slack_took_without_an_answer_is_found_and_not_shown_twice(
    world: World,
) -> None:
    room = world.room()
    world.slack.fault("chat.postMessage", drop="after")

    world.type(room, f"{world.number()} took it and hung up")

    assert "idMessage" in world.answer_in(room)
    assert len(world.roots(room)) == 1
    assert len(world.posts("took it and hung up")) == 1


# --- a burst --------------------------------------------------------------------------


def test_many_commands_at_once_are_all_acked_and_keep_each_chats_order(
    world: World,
) -> None:
    rooms = [world.room() for _ in range(4)]
    numbers = [world.number() for _ in range(4)]

    def talk(place: int) -> list[str]:
        return [
            world.type(rooms[place], f"{numbers[place]} burst {place}:{n}").outcome
            for n in range(5)
        ]

    outcomes = in_parallel(*[lambda p=p: talk(p) for p in range(4)])

    for room in rooms:
        world.settle(room)
    assert outcomes == [["acked"] * 5] * 4
    for place in range(4):
        texts = [accepted.text for accepted in world.ledger(f"burst {place}:")]
        assert texts == [f"burst {place}:{n}" for n in range(5)]


# --- secrets --------------------------------------------------------------------------


def test_no_secret_number_or_text_is_in_a_log_and_no_secret_in_slack_or_the_store(
    world: World,
) -> None:
    room, number = world.room(), world.number()

    world.type(room, f"{number} canary: the body of a good command")

    world.settle(room)
    assert world.ledger("canary: the body")
    assert "delivery" in world.bridge.output
    assert leaks(world) == []


# --- journeys that need a world of their own ------------------------------------------


def test_slack_gets_one_message_a_second_in_channels_and_direct_messages(
    tmp_path: Path,
) -> None:
    slack = make_slack(speed=5, burst=1)
    with open_world(tmp_path, slack=slack, BRIDGE_TIME_SCALE="0.2") as world:
        user, open_room = world.person(), world.room()
        closed = [world.room(user, kind=Kind.PRIVATE, has_bot=False) for _ in range(2)]

        for room in [open_room, open_room, *closed]:
            world.type(room, f"{world.number()} one a second", user)

        for room in [open_room, *closed]:
            world.settle(room)
        direct = world.slack.dm(user)
        for channel in (open_room, direct):
            posts = world.calls("chat.postMessage", channel)
            assert len(world.replies(channel)) == 2
            assert [post["error"] for post in posts if not post["ok"]] == []


def test_what_waits_too_long_is_dropped_and_its_author_told(tmp_path: Path) -> None:
    with open_world(tmp_path, "http", BRIDGE_TTL="10s") as world:
        room = world.room()
        world.green.switches.when_unauthorized = "refuse"
        world.green.set_state("notAuthorized")

        world.type(room, f"{world.number()} too old to be sent")

        answer = world.answer_in(room)
        world.green.set_state("authorized")
        assert "Not sent: it waited too long and was dropped." in answer
        assert "The WhatsApp account is logged out." in answer
        assert world.status_of("too old") == "expired"
        assert world.ledger("too old") == []


def test_a_stop_waits_for_the_answer_that_is_under_way(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        room = world.room()

        def stop_meanwhile() -> None:
            world.bridge.ask_to_stop()
            world.wait_for(lambda: "stopping" in world.bridge.output)

        world.green.on_executed = at_the_post(stop_meanwhile)
        world.type(room, f"{world.number()} stopped meanwhile")

        assert world.bridge.wait() == 0
        assert world.status_of("stopped meanwhile") == "accepted"
        world.heal()
        world.bridge.start()
        assert "idMessage" in world.answer_in(room)
        assert len(world.posts("stopped meanwhile")) == 1


def test_the_whole_way_works_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    with open_world(tmp_path, "http", database_url=postgres_url) as world:
        room, held, number = world.room(), world.room(), world.number()
        world.green.fault(status=429, times=1, chat_id=f"{number[1:]}@c.us")

        good = world.slack.command(
            channel=room, text=f"{world.number()} now on PostgreSQL", attempts=(0, 0, 1)
        )
        world.type(held, f"{number} later on PostgreSQL")
        status = world.type(room, "status")

        answers = [world.answer_in(room), world.answer_in(held)]
        world.wait_for_rest()
        code = world.bridge.terminate()
        assert good.outcome == "acked"
        assert answers == [
            f"Accepted by GREEN-API · idMessage `{world.ledger(words)[0].id}`"
            for words in ("now on PostgreSQL", "later on PostgreSQL")
        ]
        assert "Your latest messages" in str(status.ephemeral)
        assert code == 0


# --- the service and its settings -----------------------------------------------------


@SOCKET_ONLY
def test_f57_a_second_copy_on_the_same_database_names_the_first(world: World) -> None:
    ended = world.bridge.run("run", PORT=str(free_port()))

    assert ended.returncode == 1  # no matter of settings: it may be tried again
    assert f"process {world.bridge.pid}" in ended.stderr
    assert "End it first" in ended.stderr


@SOCKET_ONLY
def test_a_port_that_is_taken_is_named(world: World, tmp_path: Path) -> None:
    ended = world.bridge.run("run", BRIDGE_DATA_DIR=str(tmp_path / "other"))

    assert ended.returncode == 78
    assert f"PORT {world.bridge.port} can't be used" in ended.stderr


WRONG_SETTINGS: dict[str, tuple[dict[str, str], list[str]]] = {
    "nothing but a folder": (
        {
            "SLACK_BOT_TOKEN": "",
            "SLACK_APP_TOKEN": "",
            "SLACK_SIGNING_SECRET": "",
            "GREEN_API_ID_INSTANCE": "",
            "GREEN_API_TOKEN_INSTANCE": "",
        },
        [
            "SLACK_BOT_TOKEN is missing",
            "Neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set",
            "GREEN_API_ID_INSTANCE is missing",
            "GREEN_API_TOKEN_INSTANCE is missing",
        ],
    ),
    "tokens swapped": (
        {"SLACK_BOT_TOKEN": APP_TOKEN, "SLACK_APP_TOKEN": BOT_TOKEN},
        ["put it in SLACK_APP_TOKEN", "put it in SLACK_BOT_TOKEN"],
    ),
    "values that can't be": (
        {
            "GREEN_API_URL": "http://example.com",
            "PORT": "a lot",
            "BRIDGE_TTL": "soon",
            "DATABASE_URL": "mysql://host/name",
        },
        ["GREEN_API_URL must", "PORT must", "BRIDGE_TTL must", "DATABASE_URL must"],
    ),
    "another spelling": (
        {"GREEN_API_TOKEN_INSTANCE": "", "API_TOKEN_INSTANCE": "abc"},
        ["API_TOKEN_INSTANCE is set; this program reads GREEN_API_TOKEN_INSTANCE"],
    ),
    "a token Slack does not know": (
        {"SLACK_BOT_TOKEN": "xoxb-nobody-knows-me"},
        ["SLACK_BOT_TOKEN was refused by Slack (invalid_auth)"],
    ),
}


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_wrong_settings_stop_the_start_and_every_problem_is_named(
    tmp_path: Path, case: str
) -> None:
    settings, problems = WRONG_SETTINGS[case]
    world = World(tmp_path, "socket")

    ended = world.bridge.run("run", **settings)

    world.close()
    assert ended.returncode == 78
    assert [problem for problem in problems if problem not in ended.stderr] == []
    assert ended.stderr.count("can't start") == 1
    assert ended.stdout == ""


# --- the command line -----------------------------------------------------------------

ROW = {
    "id",
    "status",
    "chat",
    "idMessage",
    "attempts",
    "error",
    "retry_of",
    "created_at",
    "updated_at",
}


@pytest.fixture(scope="module")
def without_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The emulators and the settings; no ``bridge run``."""
    world = World(
        tmp_path_factory.mktemp("cli"), "socket", scale=0.01, notifications=True
    )
    yield world
    world.close()


def _sent(world: World, *arguments: str) -> tuple[int, dict[str, Any]]:
    ended = world.bridge.run("send", "--json", *arguments)
    printed = json.loads(ended.stdout)
    assert printed["schema"] == 1
    return ended.returncode, printed["deliveries"][0]


def test_send_needs_no_slack_and_exits_0_when_accepted(without_service: World) -> None:
    number = without_service.number()

    code, row = _sent(without_service, number, "from the shell")

    (accepted,) = without_service.ledger("from the shell")
    assert code == 0
    assert set(row) == ROW
    assert row["status"] == "accepted"
    assert row["idMessage"] == accepted.id
    assert row["chat"] == accepted.chat_id
    assert without_service.requests == []


def test_send_exits_1_when_refused_and_retry_sends_it_again(
    without_service: World,
) -> None:
    without_service.green.fault(status=466)

    code, row = _sent(without_service, without_service.number(), "refused at first")
    retried = without_service.bridge.run("retry", "--json", row["id"][:8])
    (again,) = json.loads(retried.stdout)["deliveries"]

    assert (code, row["status"], row["error"]) == (1, "failed", "quota")
    assert (retried.returncode, again["retry_of"]) == (0, row["id"])
    assert again["status"] == "queued"


def test_f5_send_finds_what_was_accepted_though_the_answer_was_lost(
    without_service: World,
) -> None:
    without_service.green.fault(drop="after")

    code, row = _sent(without_service, without_service.number(), "found by send")

    (accepted,) = without_service.ledger("found by send")
    assert (code, row["status"], row["idMessage"]) == (0, "accepted", accepted.id)
    assert len(without_service.posts("found by send")) == 1


def test_f6_send_exits_3_when_unconfirmed_and_retry_wants_to_be_told_twice(
    without_service: World,
) -> None:
    without_service.green.fault(drop="before")

    code, row = _sent(without_service, without_service.number(), "request was lost")
    refused, allowed = in_parallel(
        lambda: without_service.bridge.run("retry", row["id"]),
        lambda: without_service.bridge.run("retry", row["id"], "--even-if-doubled"),
    )

    assert (code, row["status"], row["error"]) == (3, "unconfirmed", "not_found")
    assert refused.returncode == 1
    assert "It may have been sent already" in refused.stderr
    assert allowed.returncode == 0


def test_send_exits_2_for_a_bad_number_and_78_for_bad_settings(
    without_service: World,
) -> None:
    bad_number = without_service.bridge.run("send", "12ab", "hello")
    bad_settings = without_service.bridge.run(
        "send", without_service.number(), "hello", GREEN_API_TOKEN_INSTANCE=""
    )

    assert bad_number.returncode == 2
    assert "phone number" in bad_number.stderr
    assert bad_settings.returncode == 78
    assert "GREEN_API_TOKEN_INSTANCE is missing" in bad_settings.stderr


@SOCKET_ONLY
def test_the_service_sends_what_the_command_line_asks_for(world: World) -> None:
    code, row = _sent(world, world.number(), "through the service")
    outbox, again, unheard_of = in_parallel(
        lambda: world.bridge.run("outbox", "--json"),
        lambda: world.bridge.run("retry", row["id"]),
        lambda: world.bridge.run("retry", "0123456789abcdef"),
    )

    listed = json.loads(outbox.stdout)
    assert (code, row["status"]) == (0, "accepted")
    assert listed["schema"] == 1
    assert row in listed["deliveries"]
    assert all(set(each) == ROW for each in listed["deliveries"])
    assert (again.returncode, unheard_of.returncode) == (1, 1)
    assert "would double it" in again.stderr
    assert "No deliveries match" in unheard_of.stderr
    assert len(world.posts("through the service")) == 1


def test_no_wait_returns_when_it_is_stored(without_service: World) -> None:
    code, row = _sent(
        without_service, without_service.number(), "not waited for", "--no-wait"
    )

    assert (code, row["status"]) == (0, "queued")
    assert without_service.posts("not waited for") == []


def test_explain_says_what_would_be_done_and_does_nothing(
    without_service: World,
) -> None:
    run = without_service.bridge.run
    texts = ["+49 1511 2345678 Hello :tada:", "12ab x", "status"]

    good = run("explain", "--json", texts[0])
    bad = run("explain", texts[1])
    many = run("explain", "--json", stdin="".join(f"{json.dumps(t)}\n" for t in texts))
    wrong = run("explain")

    answers = [json.loads(line) for line in many.stdout.splitlines()]
    assert json.loads(good.stdout) == answers[0]
    assert answers[0]["chat_id"] == "4915112345678@c.us"
    assert answers[0]["message"] == "Hello 🎉"
    assert [a.get("error") for a in answers] == [None, "number_format", "usage"]
    assert (good.returncode, bad.returncode, wrong.returncode) == (0, 1, 2)


def test_config_shows_every_setting_but_no_secret(without_service: World) -> None:
    good = without_service.bridge.run("config", "--json")
    bad = without_service.bridge.run(
        "config", SLACK_BOT_TOKEN=APP_TOKEN, SLACK_TOKN="x"
    )

    shown = json.loads(good.stdout)
    assert good.returncode == 0
    assert shown["schema"] == 1
    assert shown["problems"] == []
    assert shown["settings"]["SLACK_BOT_TOKEN"] == {
        "value": "(hidden)",
        "origin": "set",
    }
    assert bad.returncode == 78
    assert "put it in SLACK_APP_TOKEN" in bad.stderr


def test_version_names_the_product_and_its_python(without_service: World) -> None:
    printed = json.loads(without_service.bridge.run("version", "--json").stdout)

    assert set(printed) == {"schema", "version", "python"}
