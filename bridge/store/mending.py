"""Chats that stand still for no reason, and how they go on.

Nothing in the code leads there. If something did all the same, nobody would ever send
what waits in them.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, exists, select, text
from sqlalchemy.dialects import postgresql, sqlite

from bridge.model import ChatId
from bridge.store.lanes import IS_WAITING, lock_lane, one_by_one, release_lane
from bridge.store.tables import IS_UNKNOWN, deliveries, lanes

_HERE = deliveries.c.chat_id == lanes.c.chat_id
_SHUT = (
    select(lanes.c.chat_id)
    .where(lanes.c.due_at.is_(None), lanes.c.owner.is_(None))
    .where(~exists().where(_HERE, text(IS_UNKNOWN)))
)
_FORGOTTEN = (
    select(deliveries.c.chat_id).distinct().where(IS_WAITING, ~exists().where(_HERE))
)


def still_chats(connection: Connection) -> tuple[list[ChatId], list[ChatId]]:
    """Return the chats whose lane is shut for no reason, and those that have none.

    It looks at what is open, never at the history.
    """
    return list(connection.scalars(_SHUT)), list(connection.scalars(_FORGOTTEN))


def mend(connection: Connection, now: datetime) -> list[ChatId]:
    """Open the lanes that are shut, make those that are missing; return the chats."""
    shut, forgotten = still_chats(connection)
    if not shut and not forgotten:
        return []
    one_by_one(connection)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    make = dialect.insert(lanes).on_conflict_do_nothing()
    chats = sorted({*shut, *forgotten})
    for chat_id in chats:
        connection.execute(make, {"chat_id": chat_id, "due_at": now})
        lock_lane(connection, chat_id)
        release_lane(connection, chat_id, None)  # looks at everything once more
    return chats
