"""Whether what GREEN-API shows is a text of ours: the rules of evidence, pure.

Evidence is only ever positive. GREEN-API's journal lags, its queue hides its head, and
its echoes get lost; so a miss proves nothing, and a match must leave no doubt.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.model import ChatId, DeliveryId, MessageId, Sighting

LEEWAY = timedelta(seconds=60)  # GREEN-API's clock and ours may differ by so much

# The same person's number as typed and as WhatsApp's own id has it.
# Source: https://green-api.com/en/docs/faq/
_BRAZIL = re.compile(r"55(\d{2})9?(\d{8})@c\.us")
_MEXICO = re.compile(r"521?(\d{10})@c\.us")
_ARGENTINA = re.compile(r"549?(\d{10})@c\.us")


@dataclass(frozen=True, slots=True)
class Suspect:
    """A delivery that may have been sent, as far as matching needs it.

    ``names`` are all ids its chat is known by; ``since`` is the first moment at which
    it may have left. ``is_sending`` says that its own answer may still come.
    """

    id: DeliveryId
    names: frozenset[ChatId]
    digest: str
    since: datetime
    is_sending: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A sighting without its text."""

    id_message: MessageId
    chat_id: ChatId
    digest: str
    sent_at: datetime | None  # None: it has yet to leave GREEN-API's queue


def seen_of(sighting: Sighting) -> Seen:
    """Return what matching needs of a sighting."""
    return Seen(
        sighting.id_message,
        sighting.chat_id,
        digest(sighting.text),
        sighting.sent_at,
    )


def other_names(chat_id: ChatId) -> frozenset[ChatId]:
    """Return the ids that WhatsApp may use for the person behind a chat.

    >>> sorted(other_names(ChatId("5511987654321@c.us")))
    ['551187654321@c.us', '5511987654321@c.us']
    >>> sorted(other_names(ChatId("4915123456789@c.us")))
    ['4915123456789@c.us']
    """
    names = {chat_id}
    if found := _BRAZIL.fullmatch(chat_id):
        names |= _both("55", found[1], "9", found[2])
    elif found := _MEXICO.fullmatch(chat_id):
        names |= _both("52", "", "1", found[1])
    elif found := _ARGENTINA.fullmatch(chat_id):
        names |= _both("54", "", "9", found[1])
    return frozenset(names)


def _both(country: str, area: str, extra: str, rest: str) -> set[ChatId]:
    return {ChatId(f"{country}{area}{e}{rest}@c.us") for e in ("", extra)}


def digest(text: str) -> str:
    r"""Return what equal texts have in common after GREEN-API's handling of them.

    It may change line ends and trim blanks; nothing else makes texts equal.

    >>> digest("a\r\nb ") == digest(" a\nb"), digest("a") == digest("A")
    (True, False)
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def match(
    suspects: Sequence[Suspect], seen: Iterable[Seen], taken: Collection[MessageId]
) -> dict[DeliveryId, MessageId]:
    """Say which delivery is which message; oldest delivery to oldest message.

    Equal texts to one chat can't be told apart, and need not be: as many are bound as
    were seen. None is bound while an equal one is just being sent, for the message
    seen may be that one's.

    Args:
        suspects: in the order of acceptance.
        seen: what queue, journal and echoes show.
        taken: ids that belong to other deliveries already.
    """
    free = {each.id_message: each for each in seen if each.id_message not in taken}
    by_age = sorted(free.values(), key=_age)
    found: dict[DeliveryId, MessageId] = {}
    for suspect in suspects:
        if suspect.is_sending or _has_twin_under_way(suspect, suspects):
            continue
        first = next((each for each in by_age if _fits(suspect, each)), None)
        if first is not None:
            found[suspect.id] = first.id_message
            by_age.remove(first)
    return found


def _age(seen: Seen) -> tuple[bool, float, str]:
    # What is still in GREEN-API's queue is younger than all that has left it.
    stamp = seen.sent_at.timestamp() if seen.sent_at else 0.0
    return seen.sent_at is None, stamp, seen.id_message


def _has_twin_under_way(suspect: Suspect, everybody: Iterable[Suspect]) -> bool:
    return any(
        other.is_sending
        and other.digest == suspect.digest
        and other.names & suspect.names
        for other in everybody
    )


def _fits(suspect: Suspect, seen: Seen) -> bool:
    return (
        seen.chat_id in suspect.names
        and seen.digest == suspect.digest
        and (seen.sent_at is None or seen.sent_at >= suspect.since - LEEWAY)
    )
