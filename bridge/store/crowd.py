"""Whether one more request is one too many.

A message that can't leave for long is worth less than an honest refusal: its sender
knows at once, and those who wait already are not put off further. The same once more
within a minute is most often typed by somebody whom Slack told that it failed, because
the ack was lost; nobody would send it again on purpose so soon.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from bridge.errors import Crowd, SameAgain, TooMany
from bridge.model import NewDelivery, Status
from bridge.store.lanes import CHAT, IS_WAITING
from bridge.store.tables import Moment, deliveries

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many deliveries may wait, and be asked for; 0: as many as they like.

    ``between_same`` is how long one person can't ask for the same once more.
    """

    waiting: int = 2000
    waiting_per_chat: int = 200
    per_minute: int = 0  # of one person
    between_same: timedelta = timedelta(0)


def _counted(query: Select[Any]) -> Select[Any]:
    """Count the rows of a query, but not beyond ``most``."""
    rows = query.limit(bindparam("most")).subquery()
    return select(func.count()).select_from(rows)


_WAITING = _counted(select(deliveries.c.seq).where(IS_WAITING))
_WAITING_HERE = _counted(
    select(deliveries.c.seq).where(deliveries.c.chat_id == CHAT, IS_WAITING)
)
_BEFORE = (
    select(deliveries.c.created_at)
    .where(deliveries.c.user_id == bindparam("user"))
    .order_by(deliveries.c.seq.desc())
    .offset(bindparam("rank"))
    .limit(1)
)
_ASKED = [
    deliveries.c[name]
    for name in ("seq", "id", "source", "chat_id", "text", "created_at", "status")
]
_LATEST = 20  # of one person; who types more in that time is a program
# Not sent, or not arrived, or decided on: to ask for it again is right.
_OVER = (Status.FAILED, Status.EXPIRED, Status.CLOSED, Status.UNDELIVERED)
_latest = (
    select(*_ASKED)
    .where(deliveries.c.user_id == bindparam("user"))
    .order_by(deliveries.c.seq.desc())
    .limit(_LATEST)
    .subquery()
)
_SAME = (
    select(_latest.c.id, _latest.c.created_at)
    .where(
        _latest.c.source != bindparam("source"),
        _latest.c.chat_id == CHAT,
        _latest.c.text == bindparam("words"),
        _latest.c.created_at > bindparam("since", type_=Moment),
        _latest.c.status.not_in(_OVER),
    )
    .order_by(_latest.c.seq.desc())
    .limit(1)
)


def check(
    connection: Connection, new: NewDelivery, now: datetime, limits: Limits
) -> None:
    """Refuse a request that was just added, if it is too much.

    The caller's transaction is rolled back by that.

    Raises:
        TooMany: one more would only wait.
        SameAgain: it is on its way, or was sent.
    """
    if _exceeds(connection, _WAITING, {}, limits.waiting):
        raise TooMany(Crowd.BRIDGE)
    here = {"chat": new.chat_id}
    if _exceeds(connection, _WAITING_HERE, here, limits.waiting_per_chat):
        raise TooMany(Crowd.CHAT)
    if new.caller is None:
        return
    if limits.between_same:
        _refuse_the_same(connection, new, now, limits.between_same)
    if not limits.per_minute:
        return
    # That many requests ago: was it within the last minute?
    rank = {"user": new.caller.user_id, "rank": limits.per_minute}
    before = connection.scalar(_BEFORE, rank)
    if before is not None and now - before < MINUTE:
        raise TooMany(Crowd.PERSON)


def _refuse_the_same(
    connection: Connection, new: NewDelivery, now: datetime, life: timedelta
) -> None:
    assert new.caller is not None  # noqa: S101 - check has looked
    what = {
        "user": new.caller.user_id,
        "source": new.source,
        "chat": new.chat_id,
        "words": new.text,
        "since": now - life,
    }
    first = connection.execute(_SAME, what).one_or_none()
    if first is not None:
        raise SameAgain(first.id, now - first.created_at)


def _exceeds(
    connection: Connection, query: Select[Any], values: dict[str, Any], limit: int
) -> bool:
    if not limit:
        return False
    count = connection.scalar(query, {**values, "most": limit + 1})
    return int(count or 0) > limit
