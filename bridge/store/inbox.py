"""What GREEN-API notified of: kept until it can be shown, or buried as too odd."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from bridge.store.database import Database
from bridge.store.tables import Moment, dead_letters, inbox

MAX_BURIED = 64 * 1024  # bytes of a dead letter
MAX_WHY = 100

_BEFORE = bindparam("before", type_=Moment)

_COLUMNS = [inbox.c.key, inbox.c.body, inbox.c.received_at]
# Which rows came back tells whether it is new; PostgreSQL's rowcount does not.
_KEEP_SQLITE = sqlite.insert(inbox).on_conflict_do_nothing().returning(inbox.c.key)
_KEEP_POSTGRES = (
    postgresql.insert(inbox).on_conflict_do_nothing().returning(inbox.c.key)
)
_BURY = insert(dead_letters)
_PRUNE = [
    delete(table).where(table.c.received_at < _BEFORE)
    for table in (inbox, dead_letters)
]
_COUNT_BURIED = select(func.count()).select_from(dead_letters)

# PostgreSQL refuses NUL, and UTF-8 can't carry half an emoji; nor shall JSON bring
# them back. An even number of backslashes before it: the escape is one.
_UNFIT = re.compile("[\0\ud800-\udfff]")
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


class Inbox:
    """The notifications that are neither evidence nor of no use."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keep = _KEEP_SQLITE if database.is_sqlite else _KEEP_POSTGRES

    def keep(self, key: str, body: str, now: datetime) -> bool:
        """Store a notification; return False if its key is known already."""
        values = {"key": key, "body": fit(body), "received_at": now}
        with self._database.write() as connection:
            return connection.execute(self._keep, values).first() is not None

    def bury(self, body: str, why: str, now: datetime) -> None:
        """Store a notification that can't be understood, as far as there is room."""
        capped = fit(body).encode()[:MAX_BURIED].decode(errors="ignore")
        values = {"why": why[:MAX_WHY], "body": capped, "received_at": now}
        with self._database.write() as connection:
            connection.execute(_BURY, values)

    def prune(self, before: datetime) -> int:
        """Forget what came before a moment; return how many rows that were."""
        with self._database.write() as connection:
            values = {"before": before}
            return sum(connection.execute(each, values).rowcount for each in _PRUNE)

    def count_buried(self) -> int:
        """Return how many notifications could not be understood."""
        with self._database.read() as connection:
            return int(connection.scalar(_COUNT_BURIED) or 0)


def fit(text: str) -> str:
    r"""Return a JSON text without what no database takes.

    >>> fit('{"a": "x\0\\u0000y"}')
    '{"a": "xy"}'
    """
    return _ESCAPED_NUL.sub(r"\1", _UNFIT.sub("", text))
