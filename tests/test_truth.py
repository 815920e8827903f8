"""What becomes of a text whose answer was lost: found, or a person decides.

One bridge serves all tests. It takes no notifications, so that the search alone finds
what there is to find; three minutes of search are two real seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bridge.sandbox.slack.workspace import Json
from tests.harness import World, in_parallel, open_world

SCALE = 0.01
DANA, ADMIN = "U0DANA", "U0SAM"
CHOICES = ["check_again", "send_again", "mark_not_sent"]
DOUBT = "It may or may not have been sent."

# What GREEN-API does with the one POST, and how often it has the text then.
LOST: dict[str, tuple[dict[str, Any], int]] = {
    "f5 reset after executing": ({"drop": "after"}, 1),
    "f6 reset before executing": ({"drop": "before"}, 0),
    "f7 silence": ({"hold": True}, 0),
    "f7 silence, executed": ({"hold": True, "executes": True}, 1),
    "f8 executed long after the client has gone": ({"delay_execution": 45.0}, 1),
    "f9 one byte at a time": ({"shape": "drip"}, 1),
    "f10 half a body": ({"shape": "truncated"}, 1),
    "f11 a login page": ({"shape": "html"}, 0),
    "f11 a login page, executed": ({"shape": "html", "executes": True}, 1),
    "f12 an empty body": ({"shape": "empty"}, 0),
    "f12 no idMessage": ({"shape": "no_id", "executes": True}, 1),
    "f12 idMessage null": ({"body": {"idMessage": None}, "executes": True}, 1),
    "f12 idMessage empty": ({"body": {"idMessage": ""}}, 0),
    "f12 idMessage a number": ({"body": {"idMessage": 7}, "executes": True}, 1),
    "f12 a list": ({"body": [{"idMessage": "BAE5"}]}, 0),
    "f13 500": ({"status": 500}, 0),
    "f13 502, executed": ({"status": 502, "executes": True}, 1),
    "f13 503": ({"status": 503}, 0),
    "f13 504, executed": ({"status": 504, "executes": True}, 1),
    "f14 499": ({"status": 499}, 0),
    "f14 499, executed": ({"status": 499, "executes": True}, 1),
    "f21 not HTTP": ({"raw": b"\0\1 nonsense\r\n\r\n"}, 0),
}


@dataclass
class Journal:
    """Spoils what GREEN-API shows of texts, by words in them."""

    hidden: set[str] = field(default_factory=set)

    def rewrite(self, item: Json) -> Json:
        text = str(item["textMessage"])
        if any(words in text for words in self.hidden):
            text = "(something else)"
        if "as a lid" in text:
            item = item | {"chatId": "98765432109876@lid"}
        if "carriage return" in text:
            text = f" {text} ".replace("\n", "\r\n")
        return item | {"textMessage": text, "extendedTextMessage": {"text": text}}


@dataclass(frozen=True)
class Stage:
    """The world of this module, and its spoiled journal."""

    world: World
    journal: Journal

    def lose(self, words: str, room: str | None = None, **fault: Any) -> str:
        """Type a text whose one POST goes wrong; return the channel."""
        room, number = room or self.world.room(), self.world.number()
        how = fault or {"drop": "before"}
        self.world.green.fault(**how, chat_id=f"{number[1:]}@c.us")
        self.world.type(room, f"{number} {words}")
        return room


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    journal = Journal()
    with open_world(
        tmp_path_factory.mktemp("truth"),
        scale=SCALE,
        notifications=True,
        GREEN_API_RECEIVE="off",
        BRIDGE_ADMINS=ADMIN,
    ) as world:
        world.green.journal.rewrite = journal.rewrite
        yield Stage(world, journal)


@pytest.fixture
def world(stage: Stage) -> World:
    return stage.world


# --- the answer is lost: found, or not ------------------------------------------------


@pytest.fixture(scope="module")
def lost(stage: Stage) -> dict[str, str]:
    """The channels in which each kind of loss was told to its end."""
    rooms = {}
    for name, (fault, _) in LOST.items():
        rooms[name] = stage.lose(f"<{name}>", **fault)
    rooms["lid"] = stage.lose("as a lid", drop="after")
    rooms["twins"], number = stage.world.room(), stage.world.number()
    stage.world.green.fault(drop="before", chat_id=f"{number[1:]}@c.us")
    for person in (DANA, ADMIN):
        stage.world.type(rooms["twins"], f"{number} twins", person)
    for room in rooms.values():
        stage.world.settle(room)
    return rooms


@pytest.mark.parametrize("name", LOST)
def test_f5_f6_f7_f8_f9_f10_f11_f12_f13_f14_f21_a_lost_answer_is_never_sent_again(
    world: World, lost: dict[str, str], name: str
) -> None:
    room, (_, executed) = lost[name], LOST[name]

    accepted = world.ledger(f"<{name}>")

    (reply,) = world.replies(room)
    assert len(accepted) == executed
    assert len(world.posts(f"<{name}>")) == 1
    if accepted:
        assert reply == f"Accepted by GREEN-API · idMessage `{accepted[0].id}`"
        assert world.buttons(room) == []
    else:
        assert f"⚠️  <@{DANA}> {DOUBT}" in reply
        assert "I will not send it again by myself" in reply
        assert world.buttons(room) == CHOICES


def test_f28_the_card_says_checking_until_a_slow_journal_shows_the_text(
    stage: Stage, world: World
) -> None:
    stage.journal.hidden.add("seen late")

    room = stage.lose("seen late", drop="after")
    world.wait_for_card(room, "Checking. GREEN-API did not answer.")
    said_meanwhile = world.replies(room)
    stage.journal.hidden.discard("seen late")

    answer = world.answer_in(room)
    (accepted,) = world.ledger("seen late")
    assert said_meanwhile == []
    assert answer == f"Accepted by GREEN-API · idMessage `{accepted.id}`"
    assert world.roots(room)[0]["text"] == "WhatsApp message: accepted by GREEN-API"


def test_f28_evidence_that_comes_after_the_search_turns_the_answer_good(
    stage: Stage, world: World
) -> None:
    stage.journal.hidden.add("hidden for long")
    room = stage.lose("hidden for long", drop="after")
    doubt = world.answer_in(room)
    (line,) = world.lines(room)
    asked = world.buttons(room)

    stage.journal.hidden.discard("hidden for long")
    good = world.wait_for_answer(room, "Accepted by GREEN-API")

    world.settle(room)
    (accepted,) = world.ledger("hidden for long")
    pressed = world.slack.press(
        DANA, room, line["ts"], "send_again", blocks=line["blocks"]
    )
    assert (DOUBT in doubt, asked) == (True, CHOICES)
    assert accepted.id in good
    assert world.buttons(room) == []
    assert pressed.outcome == "acked"
    world.wait_for(lambda: "or the message was found" in str(world.notes(DANA)))
    assert len(world.posts("hidden for long")) == 1


def test_f30_other_line_ends_and_blanks_are_still_the_same_text(stage: Stage) -> None:
    room = stage.lose("carriage return\nsecond line", drop="after")

    assert "idMessage" in stage.world.answer_in(room)


def test_f30_a_text_under_an_id_nobody_knows_is_never_bound(
    world: World, lost: dict[str, str]
) -> None:
    (answer,) = world.replies(lost["lid"])

    assert DOUBT in answer
    assert len(world.ledger("as a lid")) == 1


# --- order, twins ---------------------------------------------------------------------


def test_i4_what_is_behind_an_unknown_text_waits_and_other_chats_do_not(
    world: World,
) -> None:
    room, other, number = world.room(), world.room(), world.number()
    world.green.fault(drop="before", chat_id=f"{number[1:]}@c.us")
    for word in ("first", "second", "third"):
        world.type(room, f"{number} in line: {word}")
    world.wait_for_card(room, "Checking.")

    world.type(other, f"{world.number()} not in that line")
    meanwhile = world.answer_in(other)
    behind = len(world.posts("in line: second"))
    is_still_checking = world.status_of("in line: first") == "unknown"

    world.settle(room)
    assert "idMessage" in meanwhile
    assert behind == 0 or not is_still_checking
    assert world.status_of("in line: first") == "unconfirmed"
    left = [each.text for each in world.ledger("in line")]
    assert left == ["in line: second", "in line: third"]
    times = [_ended(world, "in line: first"), _began(world, "in line: second")]
    assert times == sorted(times)


def _ended(world: World, words: str) -> int:
    query = "SELECT updated_at FROM deliveries WHERE text = :words"
    return int(world.rows(query, words=words)[0][0])


def _began(world: World, words: str) -> int:
    query = (
        "SELECT started_at FROM attempts JOIN deliveries ON deliveries.id = delivery_id"
        " WHERE text = :words"
    )
    return int(world.rows(query, words=words)[0][0])


def test_f31_of_twins_of_which_one_was_lost_one_is_accepted_and_one_unconfirmed(
    world: World, lost: dict[str, str]
) -> None:
    first, second = world.replies(lost["twins"])

    (accepted,) = world.ledger("twins")
    assert DOUBT in first
    assert second == f"Accepted by GREEN-API · idMessage `{accepted.id}`"


# --- a person decides -----------------------------------------------------------------


@pytest.fixture(scope="module")
def doubtful(stage: Stage) -> Callable[[str], str]:
    """Return the channel of an unconfirmed text with certain words."""
    words = ["check", "again", "mark", "stranger", "admin", "crowd", "both", "doubles"]
    stage.journal.hidden.add("decide on both")
    fault = {"both": {"drop": "after"}}
    rooms = {
        word: stage.lose(f"decide on {word}", **fault.get(word, {})) for word in words
    }
    for room in rooms.values():
        stage.world.settle(room)
    return rooms.__getitem__


def _statuses(world: World, words: str) -> list[str]:
    query = "SELECT status FROM deliveries WHERE text = :words ORDER BY seq"
    return [row[0] for row in world.rows(query, words=words)]


def test_check_again_looks_again_and_says_when(
    world: World, doubtful: Callable[[str], str]
) -> None:
    room = doubtful("check")

    pressed = world.press(room, "check_again")

    answer = world.wait_for_answer(room, "Looked again at ")
    assert pressed.outcome == "acked"
    assert "still not found" in answer
    assert world.buttons(room) == CHOICES
    assert len(world.posts("decide on check")) == 1


def test_send_again_makes_a_new_delivery_and_retires_the_buttons(
    world: World, doubtful: Callable[[str], str]
) -> None:
    room = doubtful("again")

    world.press(room, "send_again")

    world.wait_for(lambda: len(world.replies(room)) == 2)
    world.settle(room)
    (accepted,) = world.ledger("decide on again")
    old, new = world.replies(room)
    assert f"{DOUBT} It was sent again on request." in old
    assert new == f"Accepted by GREEN-API · idMessage `{accepted.id}`"
    assert world.buttons(room) == []
    assert _statuses(world, "decide on again") == ["closed", "accepted"]


def test_mark_as_not_sent_retires_the_buttons_and_sends_nothing(
    world: World, doubtful: Callable[[str], str]
) -> None:
    room = doubtful("mark")

    world.press(room, "mark_not_sent")

    world.wait_for_answer(room, f"{DOUBT} It was marked as not sent.")
    world.settle(room)
    assert world.buttons(room) == []
    assert world.ledger("decide on mark") == []


@pytest.mark.parametrize("button", CHOICES)
def test_a_stranger_decides_nothing_and_is_told_so(
    world: World, doubtful: Callable[[str], str], button: str
) -> None:
    room, stranger = doubtful("stranger"), world.person()

    world.press(room, button, stranger)

    world.wait_for(lambda: "only the one who sent" in str(world.notes(stranger)))
    assert _statuses(world, "decide on stranger") == ["unconfirmed"]
    assert world.buttons(room) == CHOICES


def test_an_admin_may_decide_for_the_sender(
    world: World, doubtful: Callable[[str], str]
) -> None:
    room = doubtful("admin")

    world.press(room, "send_again", ADMIN)

    world.wait_for(lambda: len(world.replies(room)) == 2)
    world.settle(room)
    query = "SELECT user_id FROM deliveries WHERE text = :words ORDER BY seq"
    found = world.rows(query, words="decide on admin")
    assert [row[0] for row in found] == [DANA, ADMIN]
    assert len(world.ledger("decide on admin")) == 1


def test_f59_fifty_presses_at_once_send_it_again_once(
    world: World, doubtful: Callable[[str], str]
) -> None:
    room = doubtful("crowd")

    (line,) = world.lines(room)

    # All of them still see the buttons, however slowly they press.
    def press() -> Any:
        ts, blocks = line["ts"], line["blocks"]
        return world.slack.press(DANA, room, ts, "send_again", blocks=blocks)

    pressed = in_parallel(*[press] * 50)

    world.settle(room)
    assert {press.outcome for press in pressed} == {"acked"}
    assert len(world.ledger("decide on crowd")) == 1
    # If this answer was late, and so lost as well, either twin may be the one found.
    assert len(_statuses(world, "decide on crowd")) == 2
    assert _statuses(world, "decide on crowd").count("accepted") == 1


def test_f59_the_same_press_delivered_five_times_counts_once(
    world: World, doubtful: Callable[[str], str]
) -> None:
    room = doubtful("doubles")

    world.press(room, "send_again", attempts=(0, 0, 1, 1, 2))

    world.settle(room)
    assert len(world.ledger("decide on doubles")) == 1


def test_when_the_first_copy_turns_up_after_the_second_both_are_admitted(
    stage: Stage, world: World, doubtful: Callable[[str], str]
) -> None:
    room = doubtful("both")
    world.press(room, "send_again")
    world.wait_for(lambda: len(world.ledger("decide on both")) == 2)
    world.settle(room)

    stage.journal.hidden.discard("decide on both")

    world.wait_for(lambda: "both copies went out" in str(world.replies(room)))
    world.settle(room)
    first, second = world.ledger("decide on both")
    old, new = world.replies(room)
    assert first.id in old
    assert second.id in new
    assert "both copies went out" not in new
