"""A look at the database from outside, for ``bridge doctor``: nothing is changed.

``open_store`` makes a database and brings it up to date; this does neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import make_url, text

from bridge.errors import StoreError
from bridge.figures import Flow, Standing
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store.accounts import Account, Accounts
from bridge.store.database import Database, marker_beside
from bridge.store.figures import Figures
from bridge.store.migrations import HEAD
from bridge.store.replicas import Replicas

MONTH = timedelta(days=30)
_IS_STANDBY = text("SELECT pg_is_in_recovery()")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database of this version tells."""

    standing: Standing
    flow: Flow  # of the last 24 hours
    account: Account
    refused_for_plan: tuple[int, datetime | None]  # in 30 days: how many, when last


@dataclass(frozen=True, slots=True)
class Inspection:
    """How the database is.

    ``trouble`` is the sentence of a StoreError. ``schema`` and ``contents`` are None
    as far as there is none yet, or it can't be read.
    """

    path: Path | None  # of the SQLite file; None: PostgreSQL
    trouble: str | None = None
    schema: str | None = None
    journal: str | None = None  # SQLite's way to commit
    contents: Contents | None = None
    runner: str | None = None  # who runs on it now, for people
    copies: int = 0  # how many

    @property
    def is_made(self) -> bool:
        """Whether there is a database at all."""
        return self.trouble is not None or self.schema is not None

    @property
    def is_current(self) -> bool:
        """Whether it is of this program's version."""
        return self.schema == HEAD


def inspect_store(url: str, now: datetime, schedule: Schedule) -> Inspection:
    """Look at a database; whatever is wrong with it is in the answer.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…``.
        now: until when the figures count.
        schedule: after how long a silent copy counts as dead.
    """
    path = _path(url)
    if path is not None and _is_not_made(path):
        return Inspection(path)
    try:
        database = Database(url)
    except StoreError as err:
        return Inspection(path, trouble=str(err))
    try:
        return _inspect(database, now, schedule)
    except StoreError as err:
        return Inspection(path, trouble=str(err))
    finally:
        database.close()


def _path(url: str) -> Path | None:
    address = make_url(url)
    is_sqlite = address.get_backend_name() == "sqlite"
    return Path(address.database or "") if is_sqlite else None


def _is_not_made(path: Path) -> bool:
    """Whether ``Database`` would make it, instead of saying that it was lost."""
    if path.exists() and path.stat().st_size > 0:
        return False
    return not (marker_beside(path).exists() or Path(f"{path}-wal").exists())


def _inspect(database: Database, now: datetime, schedule: Schedule) -> Inspection:
    if database.is_sqlite:
        database.check_pages()
    schema = database.version()
    journal = _journal(database)
    with database.write() as connection:  # it can be written to, and nothing is
        if not database.is_sqlite and connection.scalar(_IS_STANDBY):
            raise StoreError("The database server is a standby: it takes no writes.")
    if schema != HEAD:
        return Inspection(database.path, schema=schema, journal=journal)
    copies = Replicas(database, schedule).others(now)
    runner = f"{copies} running" if copies else None
    if database.is_sqlite:
        copies = int(database.is_in_use())
        runner = database.sole_user() if copies else None
    return Inspection(
        database.path,
        schema=schema,
        journal=journal,
        contents=_contents(database, now),
        runner=runner,
        copies=copies,
    )


def _journal(database: Database) -> str | None:
    if not database.is_sqlite:
        return None
    with database.read() as connection:
        return str(connection.scalar(text("PRAGMA journal_mode")))


def _contents(database: Database, now: datetime) -> Contents:
    figures = Figures(database)
    return Contents(
        standing=figures.now_standing(),
        flow=figures.since(now - timedelta(days=1)),
        account=Accounts(database).get(),
        refused_for_plan=figures.refused(Reason.QUOTA, now - MONTH),
    )
