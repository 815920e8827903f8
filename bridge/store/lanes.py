"""What every change of a delivery shares: its lane, and that Slack is to be told."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Connection,
    String,
    bindparam,
    case,
    delete,
    exists,
    func,
    select,
    text,
    update,
)

from bridge.model import Place
from bridge.store.tables import IS_UNKNOWN, WAITING, Moment, deliveries, lanes

# In words, not in parameters: only then does SQLite see that a partial index fits.
IS_WAITING = text(WAITING)

THIS = deliveries.c.id == bindparam("this")
NOW = bindparam("now", type_=Moment)
CHAT = bindparam("chat", type_=String)


def report_due(moment: Any) -> Any:
    """Return the value of ``report_at``: Slack is told, if anybody there asked."""
    return case((deliveries.c.place == Place.NOWHERE, None), else_=moment)


CHANGE = {"updated_at": NOW, "report_at": report_due(NOW)}

_LANE = select(lanes.c.owner).where(lanes.c.chat_id == CHAT).with_for_update()
_HAS_UNKNOWN = select(exists().where(deliveries.c.chat_id == CHAT, text(IS_UNKNOWN)))
_NEXT_DUE = (
    select(deliveries.c.due_at)
    .where(deliveries.c.chat_id == CHAT, IS_WAITING)
    .order_by(deliveries.c.seq)
    .limit(1)
)
_OPEN_LANE = (
    update(lanes)
    .where(lanes.c.chat_id == CHAT)
    .values(due_at=bindparam("due", type_=Moment), owner=None)
)
_CLOSE_LANE = delete(lanes).where(lanes.c.chat_id == CHAT)
_ONE_BY_ONE = select(func.pg_advisory_xact_lock(0x6C616E65))


def lock_lane(connection: Connection, chat_id: str) -> str | None:
    """Let no other copy send, add or drop anything in a chat until the commit.

    On PostgreSQL a lane is locked before the rows that wait in it, and after those
    that do not; two transactions in other orders could wait for each other.

    Returns:
        Who is sending there.
    """
    owner: str | None = connection.scalar(_LANE, {"chat": chat_id})
    return owner


def one_by_one(connection: Connection) -> None:
    """Let no other transaction that changes the rows of many chats run beside this.

    Two of them, each in an order of its own, could wait for each other for ever.
    SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_BY_ONE)


def release_lane(connection: Connection, chat_id: str, owner: str | None) -> None:
    """Make a lane due for its next delivery, or remove it when there is none.

    While it is not known what became of an earlier delivery of the chat the lane stays
    shut: what follows must not overtake it.

    Args:
        connection: in a transaction.
        chat_id: whose lane it is.
        owner: who was sending there; a lane in somebody else's hands is left alone.
    """
    chat = {"chat": chat_id}
    # On PostgreSQL this also waits for a delivery that is just being added.
    lane = connection.execute(_LANE, chat).one_or_none()
    if lane is None or lane.owner not in (None, owner):
        return
    if connection.scalar(_HAS_UNKNOWN, chat):
        connection.execute(_OPEN_LANE, {**chat, "due": None})
        return
    due_at = connection.scalar(_NEXT_DUE, chat)
    if due_at is None:
        connection.execute(_CLOSE_LANE, chat)
    else:
        connection.execute(_OPEN_LANE, {**chat, "due": due_at})
