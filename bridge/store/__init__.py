"""The memory: every query of the product, for SQLite and PostgreSQL.

Each public method is one transaction: when it returns, what it says is on the disk.
``Outbox`` is the truth about the deliveries, ``Evidence`` what else is known of them,
``Reports`` what Slack shows of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bridge.schedule import Schedule
from bridge.store.accounts import Accounts
from bridge.store.crowd import Limits
from bridge.store.database import Database
from bridge.store.evidence import Evidence
from bridge.store.figures import Figures
from bridge.store.inbox import Inbox
from bridge.store.outbox import NO_LIMITS, Outbox
from bridge.store.replicas import Replicas
from bridge.store.reports import Reports
from bridge.store.spool import Spool


@dataclass(frozen=True, slots=True)
class Store:
    """All parts of the memory on one database."""

    database: Database
    outbox: Outbox
    reports: Reports
    evidence: Evidence
    accounts: Accounts
    replicas: Replicas
    inbox: Inbox
    figures: Figures


def open_store(
    url: str,
    schedule: Schedule | None = None,
    spool: Path | None = None,
    limits: Limits = NO_LIMITS,
) -> Store:
    """Open a database and bring its tables up to date.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…``.
        schedule: the waits that are stored with a delivery.
        spool: the file for answers that the database can't take.
        limits: how much may wait.

    Raises:
        StoreError: it can't be used.
    """
    database = Database(url)
    try:
        database.prepare()
    except BaseException:
        database.close()
        raise
    schedule = schedule or Schedule()
    return Store(
        database=database,
        outbox=Outbox(database, schedule, Spool(spool), limits=limits),
        reports=Reports(database),
        evidence=Evidence(database, schedule),
        accounts=Accounts(database),
        replicas=Replicas(database, schedule),
        inbox=Inbox(database),
        figures=Figures(database),
    )
