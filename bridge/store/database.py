"""The connection to SQLite or PostgreSQL: opening it, and whose turn it is to write."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoneIsFree
from sqlalchemy.pool import QueuePool, StaticPool

from bridge.errors import CommitUnknown, NotStored, StoreBusy, StoreError
from bridge.store.migrations import HEAD

START_WAITS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds
BUSY_SECONDS = 1.5  # how long SQLite waits for another process to finish writing

# PostgreSQL on the connections of one copy. A copy that is frozen in the middle of a
# transaction holds locks that others need: they don't wait for long, and the server
# ends it. A server that is gone without a word is noticed, too.
_CONNECTIONS = 16  # of the 100 that a server has by default
_MORE_CONNECTIONS = 14
_SERVER_OPTIONS = {
    "options": "-c synchronous_commit=on -c lock_timeout=2000"
    " -c idle_in_transaction_session_timeout=5000",
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,  # ms
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


class Database:
    """One database, its readers and its one writer at a time.

    SQLite lets one connection write at a time, and its own way of waiting sleeps for
    tens of milliseconds; so the turns are given here. A commit that somebody in Slack
    waits for goes before those of the lanes.
    """

    def __init__(self, url: str) -> None:
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.path = Path(make_url(url).database or "") if self.is_sqlite else None
        self._turn = _Turn() if self.is_sqlite else _no_turns
        self._lock_file: BinaryIO | None = None
        self.owner = ""  # this copy's id in ``replicas``, once it has joined
        if self.path:
            self._refuse_a_lost_file(self.path)
            self._writer = _sqlite_engine(url, StaticPool)
            event.listen(self._writer, "begin", _begin_immediate)
            self._reader = _sqlite_engine(url, QueuePool)
        else:
            self._writer = _postgres_engine(url)
            self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def write(self, deadline: float | None = None) -> Iterator[Connection]:
        """Yield a connection inside a transaction that is committed at the end.

        Args:
            deadline: ``time.monotonic()`` after which nothing may be stored any
                more, for a commit that somebody waits for; such a one goes first.

        Raises:
            NotStored: the deadline passed; the transaction was rolled back.
            StoreError: nothing can be stored at the moment.
        """
        try:
            with (
                self._turn(deadline),
                self._writer.connect() as connection,
                self._begun(connection, deadline),
            ):
                yield connection
                if deadline is not None and time.monotonic() > deadline:
                    raise NotStored("too late")
        except DBAPIError as err:
            raise self._trouble(err) from None
        except NoneIsFree:
            raise StoreBusy("All connections to the database are in use.") from None

    @contextmanager
    def _begun(self, connection: Connection, deadline: float | None) -> Iterator[None]:
        if not self.is_sqlite:
            with self._begun_on_a_server(connection):
                yield
            return
        if deadline is None:
            with connection.begin():
                yield
            return
        # SQLite waits for other programs inside BEGIN, and knows no deadline.
        left = min(BUSY_SECONDS, max(0.0, deadline - time.monotonic()))
        driver = connection.connection.dbapi_connection
        assert driver is not None  # noqa: S101 - it has just been connected
        driver.execute(f"PRAGMA busy_timeout = {int(left * 1000)}")
        try:
            with connection.begin():
                yield
        finally:
            driver.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    @contextmanager
    def _begun_on_a_server(self, connection: Connection) -> Iterator[None]:
        transaction = connection.begin()
        try:
            yield
        except BaseException:
            transaction.rollback()
            raise
        try:
            transaction.commit()
        except DBAPIError as err:
            # The server may have done it before its answer was lost.
            raise CommitUnknown(str(self._trouble(err))) from None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection for reading."""
        try:
            with self._reader.connect() as connection:
                yield connection
        except DBAPIError as err:
            raise self._trouble(err) from None
        except NoneIsFree:
            raise StoreBusy("All connections to the database are in use.") from None

    def close(self) -> None:
        """Close every connection and let another copy start."""
        self._writer.dispose()
        self._reader.dispose()
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    # --- starting -----------------------------------------------------------------

    def prepare(self) -> None:
        """Check the database and bring its tables to this version.

        Raises:
            StoreError: it is damaged, newer than this program, or out of reach.
        """
        for wait in START_WAITS:
            try:
                self._check_and_migrate()
                break
            except StoreBusy:  # another start is migrating
                time.sleep(wait)
        else:
            self._check_and_migrate()
        if self.path:
            marker_beside(self.path).touch()

    def _check_and_migrate(self) -> None:
        try:
            if self.is_sqlite:
                self.check_pages()
            self._migrate()
        except DatabaseError as err:
            raise self._trouble(err) from None

    def claim_sole_use(self) -> bool:
        """Become the one running copy on SQLite; False if another one runs.

        On PostgreSQL copies are equals, and ``replicas`` knows them.
        """
        return self.path is None or self._lock_beside(self.path)

    def sole_user(self) -> str:
        """Return who holds the database, as far as it is known: ``process 4711``."""
        if not self.path:
            return "another process"
        with suppress(OSError, ValueError, KeyError):
            held = json.loads(_lock_path(self.path).read_bytes())
            return f"process {int(held['pid'])}"
        return "another process"

    def is_in_use(self) -> bool:
        """Whether a copy runs on this SQLite file; nothing is claimed.

        On PostgreSQL ``replicas`` knows the running copies.
        """
        if not self.path or not _lock_path(self.path).exists():
            return False
        with _lock_path(self.path).open("rb") as lock_file:  # closing it frees it
            return not _try_lock(lock_file)

    def version(self) -> str | None:
        """Return the step of ``migrations`` it is at; None: it has no tables yet."""
        with self.read() as connection:
            return _version(connection)

    def _lock_beside(self, path: Path) -> bool:
        if self._lock_file is not None:
            return True
        lock_file = _lock_path(path).open("a+b")
        if not _try_lock(lock_file):
            lock_file.close()
            return False
        lock_file.truncate(0)
        lock_file.write(json.dumps({"pid": os.getpid()}).encode())
        lock_file.flush()
        self._lock_file = lock_file
        return True

    def _refuse_a_lost_file(self, path: Path) -> None:
        """Refuse to start anew where an outbox was: it may still owe answers."""
        if path.exists() and path.stat().st_size > 0:
            return
        traces = [marker_beside(path), Path(f"{path}-wal")]
        found = [trace.name for trace in traces if trace.exists()]
        if found:
            raise StoreError(
                f"{path.name} is missing or empty in {path.parent}, but it was used "
                f"before ({found[0]} is there). Starting with an empty one would "
                "forget messages that are still owed an answer. Put the file back "
                f"from a backup; to start anew on purpose, remove {found[0]} as well."
            )
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
        except OSError as err:
            raise StoreError(
                f"{path} can't be made ({err.strerror}). Set BRIDGE_DATA_DIR to a "
                "folder that this user may write to."
            ) from None

    def check_pages(self) -> None:
        """Have SQLite look for damage; it reads the whole file.

        Raises:
            StoreError: it is damaged, or can't be read.
        """
        with self.read() as connection:
            verdict = connection.scalar(text("PRAGMA quick_check(1)"))
        if verdict != "ok":
            raise StoreError(self._damaged())

    def _migrate(self) -> None:
        with self.read() as connection:
            found = _version(connection)
        if found == HEAD:
            return
        from bridge.store.migrations import (
            upgrade,
        )  # alembic costs 0.1 s: only when needed

        with self.write() as connection:
            upgrade(connection, found)

    def _trouble(self, err: DBAPIError) -> StoreError:
        """Say what is wrong with the database, without the values of a query.

        Raises:
            DBAPIError: it is the query that is wrong.
        """
        if not _is_trouble(err):
            raise err
        cause = str(err.orig).casefold()
        if "malformed" in cause or "not a database" in cause:
            return StoreError(self._damaged())
        if any(word in cause for word in ("locked", "lock timeout", "deadlock")):
            return StoreBusy("Another program has locked the database.")
        if "full" in cause:
            return StoreError("The disk is full. Make room; nothing stored is lost.")
        if not self.is_sqlite:
            return StoreError(
                "The database server can't be reached or refuses to work. Check "
                "DATABASE_URL and the server."
            )
        kind = type(err.orig).__name__
        return StoreError(f"The database file {self.path} can't be used ({kind}).")

    def _damaged(self) -> str:
        return (
            f"{self.path} is damaged. It was left as it is, and nothing was sent. "
            "Restore it from a backup, or save what is left with: "
            "sqlite3 bridge.db .recover"
        )


class _Turn:
    """Who writes next: one at a time, those with a deadline first."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._hurried = threading.Condition(self._mutex)
        self._patient = threading.Condition(self._mutex)
        self._hurried_count = 0
        self._taken = False

    @contextmanager
    def __call__(self, deadline: float | None) -> Iterator[None]:
        """Hold the turn; raise NotStored when it does not come by the deadline."""
        with self._mutex:
            if deadline is None:
                self._patient.wait_for(self._is_free_for_the_patient)
            else:
                self._wait_hurried(deadline)
            self._taken = True
        try:
            yield
        finally:
            with self._mutex:
                self._taken = False
                self._call_next()

    def _is_free_for_the_patient(self) -> bool:
        return not self._taken and not self._hurried_count

    def _wait_hurried(self, deadline: float) -> None:
        self._hurried_count += 1
        left = max(0.0, deadline - time.monotonic())
        got_it = self._hurried.wait_for(lambda: not self._taken, left)
        self._hurried_count -= 1
        if not got_it:
            self._call_next()  # the call may have been meant for us
            raise NotStored("too late")

    def _call_next(self) -> None:
        (self._hurried if self._hurried_count else self._patient).notify()


@contextmanager
def _no_turns(_deadline: float | None) -> Iterator[None]:
    """PostgreSQL orders its writers itself."""
    yield


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads first and asks to write later can be refused at once.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _sqlite_engine(url: str, pool: type[StaticPool | QueuePool]) -> Engine:
    # isolation_level None: no BEGIN of Python's own, which would come too late.
    engine = create_engine(
        url,
        poolclass=pool,
        hide_parameters=True,  # an error's text must not hold numbers and texts
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": BUSY_SECONDS,
        },
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine


def _postgres_engine(url: str) -> Engine:
    address = make_url(url)
    if address.drivername in {"postgres", "postgresql"}:
        address = address.set(drivername="postgresql+psycopg")
    return create_engine(
        address,
        pool_size=_CONNECTIONS,
        max_overflow=_MORE_CONNECTIONS,
        pool_timeout=2,
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args=_SERVER_OPTIONS,
    )


def _is_trouble(err: DBAPIError) -> bool:
    """Whether the database can't work at the moment, or else the query is wrong."""
    if isinstance(err, OperationalError | InternalError) or type(err) is DatabaseError:
        return True  # locked, full, gone, damaged
    # What psycopg says itself of a connection that it lost has no SQLSTATE.
    is_own = getattr(err.orig, "sqlstate", "") is None
    return is_own and isinstance(err, ProgrammingError | InterfaceError)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(
        text("SELECT version_num FROM alembic_version")
    )
    return found


def marker_beside(path: Path) -> Path:
    """The file that says: a database was here."""
    return Path(f"{path}.used")


def _lock_path(path: Path) -> Path:
    return Path(f"{path}.lock")


def _try_lock(lock_file: BinaryIO) -> bool:
    if os.name == "nt":  # pragma: no cover - Windows only
        import msvcrt

        lock_file.seek(1 << 30)  # beyond the text, which others must be able to read
        try:
            msvcrt.locking(lock_file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
