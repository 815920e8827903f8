"""Speed counts only if nothing was lost, doubled or overtaken: counted here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from bench.load import Ack

_NUMBER = re.compile(r"Order ([0-9]{7}) ")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many messages went wrong, by kind."""

    lost: int = 0  # "queued" was said, and nothing reached GREEN-API
    doubled: int = 0  # reached GREEN-API more than once
    unasked: int = 0  # refused or never typed, and sent all the same
    misled: int = 0  # reached GREEN-API for another chat
    overtaken: int = 0  # arrived before one of its chat that was acked before

    @property
    def is_clean(self) -> bool:
        """Whether all went well."""
        return not any(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        found = [(getattr(self, field.name), field.name) for field in fields(self)]
        return ", ".join(f"{count} {name}" for count, name in found if count) or "clean"


def judge(
    acks: Sequence[Ack], posts: Iterable[tuple[float, Mapping[str, Any]]]
) -> Verdict:
    """Compare what was typed with what reached GREEN-API.

    Args:
        acks: of every command, in any order.
        posts: the JSON bodies in order of arrival, each with its time.
    """
    arrived = [(str(body["chatId"]), number_of(body)) for _, body in posts]
    times = Counter(number for _, number in arrived)
    chats = {ack.command.number: ack.command.chat_id for ack in acks}
    may_arrive = {
        ack.command.number for ack in acks if ack.is_queued or ack.acked_at is None
    }
    return Verdict(
        lost=sum(ack.is_queued and not times[ack.command.number] for ack in acks),
        doubled=sum(count - 1 for count in times.values()),
        unasked=sum(number not in may_arrive for number in times),
        misled=sum(chats.get(number, chat) != chat for chat, number in arrived),
        overtaken=overtaken(acks, arrived),
    )


def number_of(body: Mapping[str, Any]) -> int:
    """Return a command's number from the text that GREEN-API got."""
    found = _NUMBER.search(str(body["message"]))
    return int(found[1]) if found else -1


def overtaken(acks: Iterable[Ack], arrived: Iterable[tuple[str, int]]) -> int:
    """Count arrivals after one that was typed when they were already acked."""
    return _behind(arrived, {a.command.number: (a.sent_at, a.acked_at) for a in acks})


def swapped(acks: Iterable[Ack], arrived: Iterable[tuple[str, int]]) -> int:
    """Count arrivals after one that was typed later, be it by a millisecond.

    Commands that are typed at the same moment run in parallel from Slack on, so
    their order is nobody's promise; the fewer the better.
    """
    return _behind(arrived, {a.command.number: (a.sent_at, a.sent_at) for a in acks})


def _behind(
    arrived: Iterable[tuple[str, int]],
    times: Mapping[int, tuple[float, float | None]],
) -> int:
    latest: dict[str, float] = {}
    count = 0
    for chat_id, number in arrived:
        typed_at, limit = times.get(number, (0.0, None))
        if limit is not None and limit < latest.get(chat_id, 0.0):
            count += 1
        latest[chat_id] = max(typed_at, latest.get(chat_id, 0.0))
    return count
