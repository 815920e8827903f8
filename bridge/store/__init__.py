"""The memory: every query of the product, for SQLite and PostgreSQL.

Each public method is one transaction: when it returns, what it says is on the disk.
``Outbox`` is the truth about the deliveries, ``Reports`` is what Slack shows of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.store.database import Database
from bridge.store.outbox import Outbox
from bridge.store.reports import Reports


@dataclass(frozen=True, slots=True)
class Store:
    """Both halves of the memory on one database."""

    database: Database
    outbox: Outbox
    reports: Reports


def open_store(url: str) -> Store:
    """Open a database and bring its tables up to date.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…``.

    Raises:
        StoreError: it can't be used.
    """
    database = Database(url)
    try:
        database.prepare()
    except BaseException:
        database.close()
        raise
    return Store(database, Outbox(database), Reports(database))
