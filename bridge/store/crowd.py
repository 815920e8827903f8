"""Whether one more request is one too many.

A message that can't leave for long is worth less than an honest refusal: its sender
knows at once, and those who wait already are not put off further.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from bridge.errors import Crowd, TooMany
from bridge.model import NewDelivery
from bridge.store.lanes import CHAT, IS_WAITING
from bridge.store.tables import deliveries

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many deliveries may wait, and be asked for; 0: as many as they like."""

    waiting: int = 2000
    waiting_per_chat: int = 200
    per_minute: int = 0  # of one person


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


def check(
    connection: Connection, new: NewDelivery, now: datetime, limits: Limits
) -> None:
    """Refuse a request that was just added, by raising TooMany, if it is too much.

    The caller's transaction is rolled back by that.
    """
    if _exceeds(connection, _WAITING, {}, limits.waiting):
        raise TooMany(Crowd.BRIDGE)
    here = {"chat": new.chat_id}
    if _exceeds(connection, _WAITING_HERE, here, limits.waiting_per_chat):
        raise TooMany(Crowd.CHAT)
    if new.caller is None or not limits.per_minute:
        return
    # That many requests ago: was it within the last minute?
    rank = {"user": new.caller.user_id, "rank": limits.per_minute}
    before = connection.scalar(_BEFORE, rank)
    if before is not None and now - before < MINUTE:
        raise TooMany(Crowd.PERSON)


def _exceeds(
    connection: Connection, query: Select[Any], values: dict[str, Any], limit: int
) -> bool:
    if not limit:
        return False
    count = connection.scalar(query, {**values, "most": limit + 1})
    return int(count or 0) > limit
