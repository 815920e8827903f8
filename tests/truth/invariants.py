"""What must be true of a world, whatever happened in it.

Each invariant returns its violations as sentences that begin with its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from sqlite3 import Row

from bridge.model import Delivery, Status
from bridge.wording import deliveries as wording
from tests.truth.green_api import Taken
from tests.truth.slack import Line
from tests.truth.world import World

NEVER = {"failed", "expired"}
DOUBTFUL = {"unconfirmed", "closed"}
ACCEPTED = {"accepted", "sent", "delivered", "read", "undelivered"}
BAD_NEWS = {"failed", "noAccount", "notInGroup", "yellowCard", "suspended"}
WORDS = {  # what the reply must say of a status, whatever else
    "failed": "Not sent",
    "expired": "Not sent",
    "unconfirmed": "may or may not have been sent",
    "closed": "may or may not have been sent",
}

Invariant = Callable[[World], Iterator[str]]


def violations(world: World) -> list[str]:
    """Return everything that is wrong with a world at rest."""
    return [found for check in (*ALWAYS, *AT_REST) for found in check(world)]


def violations_so_far(world: World) -> list[str]:
    """Return what is wrong already, although the world is not at rest."""
    return [found for check in ALWAYS for found in check(world)]


# --- true at every moment -----------------------------------------------------------


def nobody_gets_it_twice(world: World) -> Iterator[str]:
    """I2: at most one text in the ledger for each delivery."""
    taken = Counter((each.chat_id, each.text) for each in world.green.ledger)
    for (chat_id, text), count in taken.items():
        most = _wanted(world, chat_id, text)
        if count > most:
            yield f"I2: {text!r} was taken {count} times, wanted {most}"
    if world.is_restored:
        return  # the attempts since the backup are forgotten
    posts = Counter((chat_id, text) for chat_id, text, _ in world.green.posted)
    for (chat_id, text), count in posts.items():
        begun = sum(r["attempts"] for r in _deliveries_of(world, chat_id, text))
        if count > begun:
            yield f"I2: {text!r} was posted {count} times in {begun} attempts"


def _wanted(world: World, chat_id: str, text: str) -> int:
    asked = sum((a.chat_id, a.text) == (chat_id, text) for a in world.asks)
    if asked == 0:  # names were put in for mentions
        asked = len(_deliveries_of(world, chat_id, text))
    return asked + world.again.get(text, 0)


def no_post_without_an_attempt(world: World) -> Iterator[str]:
    """I11: the attempt is on the disk before the POST leaves."""
    for text in world.green.unannounced_posts:
        yield f"I11: {text!r} was posted without an attempt on the disk"


def nothing_is_deleted_unstored(world: World) -> Iterator[str]:
    """I5: no notification is deleted before its row is on the disk."""
    for body in world.green.premature_deletions:
        yield f"I5: deleted before it was stored: {body}"


def no_line_twice(world: World) -> Iterator[str]:
    """A line whose answer was lost is looked for before it is posted again."""
    if world.is_restored:
        return  # the lines since the backup are forgotten
    places = Counter(
        (line.channel, line.thread_ts, line.card.key)
        for line in world.slack.lines
        if line.card.key is not None and line.channel not in world.slack.blind
    )
    for (channel, _, key), count in places.items():
        if count > 1:
            yield f"LINES: {key} was posted {count} times in {channel}"


def one_chat_keeps_its_order(world: World) -> Iterator[str]:
    """I4: what a chat gets is in the order of acceptance, but for repetitions."""
    latest: dict[str, int] = {}
    for taken in world.green.ledger:
        row = _delivery_behind(world, taken)
        if row is None or row["retry_of"] is not None or taken.is_late:
            continue
        if row["seq"] < latest.get(taken.chat_id, 0):
            yield f"I4: {taken.text!r} was overtaken"
        latest[taken.chat_id] = max(row["seq"], latest.get(taken.chat_id, 0))


def _delivery_behind(world: World, taken: Taken) -> Row | None:
    bound = world.rows(
        "SELECT * FROM deliveries WHERE id_message = ?", taken.id_message
    )
    alike = _deliveries_of(world, taken.chat_id, taken.text)
    return bound[0] if bound else alike[0] if len(alike) == 1 else None


def nothing_waited_too_long(world: World) -> Iterator[str]:
    """I6: what is too old is given up."""
    yield from sorted(set(world.trouble))


# --- true at rest -------------------------------------------------------------------


def every_command_is_stored_once(world: World) -> Iterator[str]:
    """I1: who read "queued" has one delivery, and nobody has two."""
    for ask in world.asks:
        rows = world.rows("SELECT * FROM deliveries WHERE source = ?", ask.source)
        if ask.is_acked and not ask.is_forgotten and not rows:
            yield f"I1: {ask.text!r} was acked and is not stored"
    for row in world.rows("SELECT DISTINCT chat_id, text FROM deliveries"):
        stored = len(_deliveries_of(world, row["chat_id"], row["text"]))
        wanted = _wanted(world, row["chat_id"], row["text"])
        if stored > wanted:
            yield f"I1: {row['text']!r} is stored {stored} times, asked {wanted} times"


def every_delivery_has_one_reply(world: World) -> Iterator[str]:
    """I1: each stored command has exactly one terminal reply where it is told."""
    for row in world.rows("SELECT * FROM deliveries WHERE user_id IS NOT NULL"):
        count = len(_lines(world, f"{row['id']}:reply", row["thread_channel"]))
        count = min(count, 1) if world.is_restored else count
        if row["place"] in {"channel", "direct"} and count != 1:
            yield f"I1: {row['text']!r} has {count} replies"
        if row["place"] == "response":
            yield from _answered_directly(world, row)
        elsewhere = [
            line.channel
            for line in _lines(world, f"{row['id']}:reply")
            if line.channel != row["thread_channel"]
        ]
        for channel in set(elsewhere) - world.slack.refused:
            yield f"I1: {row['text']!r} has a second reply in {channel}"


def _answered_directly(world: World, row: Row) -> Iterator[str]:
    said = [text for url, text in world.slack.responses if url == row["response_url"]]
    answers = [text for text in said if text != wording.DIRECT_HINT]
    if not answers:
        yield f"I1: {row['text']!r} has no answer"
    if len(answers) > 1 + world.doom.deaths:
        yield f"I1: {row['text']!r} was answered {len(answers)} times"


def what_is_said_is_true(world: World) -> Iterator[str]:
    """I3: accepted means taken, not sent means not taken, doubt ends with evidence."""
    for row in world.rows("SELECT DISTINCT chat_id, text FROM deliveries"):
        alike = _deliveries_of(world, row["chat_id"], row["text"])
        taken = [
            each
            for each in world.green.ledger
            if (each.chat_id, each.text) == (row["chat_id"], row["text"])
        ]
        yield from _claims(row["text"], alike, taken)


def _claims(text: str, alike: list[Row], taken: list[Taken]) -> Iterator[str]:
    ids = {each.id_message for each in taken}
    bound = [row["id_message"] for row in alike if row["status"] in ACCEPTED]
    doubtful = [row for row in alike if row["status"] in DOUBTFUL]
    if stray := set(bound) - ids:
        yield f"I3: {text!r} is said to be {stray}, which is not its id"
    if len(bound) > len(taken):
        yield f"I3: {text!r} was taken {len(taken)} times, is said to be {len(bound)}"
    if len(taken) > len(bound) + len(doubtful):
        told = [row["status"] for row in alike]
        yield f"I3: {text!r} was taken {len(taken)} times, and told as {told}"
    if doubtful and (evident := [e for e in taken if _is_evident(e, bound)]):
        yield f"I3: {text!r} is still in doubt, in spite of {evident[0].id_message}"


def _is_evident(taken: Taken, bound: list[str]) -> bool:
    if taken.id_message in bound:
        return False
    shown = taken.in_journal_at
    in_time = shown is not None and (shown - taken.posted_at).total_seconds() < 43_200
    return taken.is_announced or in_time


def every_receipt_counts(world: World) -> Iterator[str]:
    """I3: a status is what all receipts together say, in whatever order they came."""
    if world.is_restored:
        return  # those that were stored since the backup are forgotten
    for row in world.rows("SELECT * FROM deliveries WHERE id_message IS NOT NULL"):
        words = world.green.told.get(row["id_message"], set())
        expected = _standing(words)
        if row["status"] != expected:
            yield f"I3: {row['text']!r} is {row['status']}, receipts say {expected}"


def _standing(words: set[str]) -> str:
    for word in ("read", "delivered"):
        if word in words:
            return word
    if words & BAD_NEWS:
        return "undelivered"
    return "sent" if "sent" in words else "accepted"


def nothing_is_owed(world: World) -> Iterator[str]:
    """I6: every delivery has ended, lanes are empty, nothing is left to do."""
    ends = NEVER | DOUBTFUL | ACCEPTED
    for row in world.rows("SELECT * FROM deliveries"):
        if row["status"] not in ends:
            yield f"I6: {row['text']!r} is still {row['status']}"
        left = [k for k in ("report_at", "look_at", "teller", "doubt") if row[k]]
        if left:
            yield f"I6: {row['text']!r} still has {left}"
    if found := world.rows("SELECT * FROM lanes"):
        yield f"I6: {len(found)} lanes are left open"
    if world.rows("SELECT 1 FROM attempts WHERE outcome IS NULL"):
        yield "I6: an attempt never ended"
    if world.green.notifications:
        yield "I6: notifications are left in the queue"


def slack_shows_the_store(world: World) -> Iterator[str]:
    """Card and reply say what the row says, and nobody is offered stale buttons."""
    if world.is_restored:
        return  # what it showed since the backup is forgotten
    query = "SELECT * FROM deliveries WHERE place IN ('channel', 'direct')"
    for row in world.rows(query):
        if row["thread_channel"] in world.slack.stale:
            continue
        delivery = _noun(world, row)
        expected = {
            f"{row['id']}:root": wording.card(delivery),
            f"{row['id']}:reply": wording.reply(delivery),
        }
        for key, card in expected.items():
            for line in _lines(world, key, row["thread_channel"]):
                if line.card != card:
                    shown = line.card.footnote or line.card.headline
                    yield f"SHOWN: {row['text']!r} is {row['status']}, shows {shown!r}"
        yield from _says_it(world, row)


def _says_it(world: World, row: Row) -> Iterator[str]:
    word = WORDS.get(row["status"]) or row["id_message"]
    for line in _lines(world, f"{row['id']}:reply", row["thread_channel"]):
        if word not in line.card.headline:
            yield f"SHOWN: the reply to {row['text']!r} does not say {word!r}"
        if bool(line.card.choices) != (row["status"] == "unconfirmed"):
            yield f"SHOWN: the reply to {row['text']!r} has the wrong buttons"


def the_database_is_sound(world: World) -> Iterator[str]:
    """I8: integrity_check finds nothing."""
    verdict = world.rows("PRAGMA integrity_check")[0][0]
    if verdict != "ok":
        yield f"I8: {verdict}"


ALWAYS: tuple[Invariant, ...] = (
    nobody_gets_it_twice,
    no_post_without_an_attempt,
    nothing_is_deleted_unstored,
    no_line_twice,
    one_chat_keeps_its_order,
    nothing_waited_too_long,
)
AT_REST: tuple[Invariant, ...] = (
    every_command_is_stored_once,
    every_delivery_has_one_reply,
    what_is_said_is_true,
    every_receipt_counts,
    nothing_is_owed,
    slack_shows_the_store,
    the_database_is_sound,
)


def _deliveries_of(world: World, chat_id: str, text: str) -> list[Row]:
    return world.rows(
        "SELECT * FROM deliveries WHERE chat_id = ? AND text = ? ORDER BY seq",
        chat_id,
        text,
    )


def _lines(world: World, key: str, channel: str | None = None) -> list[Line]:
    return [
        line
        for line in world.slack.lines
        if line.card.key == key and channel in (None, line.channel)
    ]


def _noun(world: World, row: Row) -> Delivery:
    found = world.life.store.outbox.get(row["id"])
    assert found is not None
    assert found.status is Status(row["status"])
    return found
