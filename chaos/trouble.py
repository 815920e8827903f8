"""Steps between the bridge and the networks, and under it: wires and the database."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from sqlalchemy.exc import DBAPIError

from chaos.stage import Stage
from chaos.wire import Trouble

HOLE_SECONDS = 20.0  # until a half-open connection must have been given up

# What a captive portal answers in place of GREEN-API.
PORTAL = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 46\r\n"
    b"Connection: close\r\n\r\n<html><body>Please accept our terms</body></html>"
)
CUT_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def for_a_while(stage: Stage, *, upstream: str, seconds: float, **trouble: Any) -> None:
    """Make a wire slow for a while."""
    stage.proxies[upstream].set(Trouble(**trouble))
    stage.later(seconds, stage.proxies[upstream].heal)


def refuse(stage: Stage, *, upstream: str, seconds: float) -> None:
    """Let nobody connect for a while."""
    for_a_while(stage, upstream=upstream, seconds=seconds, is_refusing=True)


def black_hole(stage: Stage, *, upstream: str, seconds: float) -> None:
    """Swallow everything for a while; open connections stay half-open for ever."""
    proxy = stage.proxies[upstream]
    for_a_while(stage, upstream=upstream, seconds=seconds, is_black_hole=True)
    if upstream == "green":
        return
    disturbance = stage.weather.begin()

    def wait() -> None:
        ends_at = time.monotonic() + HOLE_SECONDS
        time.sleep(seconds)
        while proxy.holes and time.monotonic() < ends_at:
            time.sleep(0.05)
        disturbance.end()

    threading.Thread(target=wait, name="chaos-hole", daemon=True).start()


def cut(stage: Stage, *, upstream: str, **trouble: Any) -> None:
    """End the next connection after some bytes."""
    stage.proxies[upstream].set(Trouble(times=1, **trouble))


def swap(stage: Stage, *, upstream: str) -> None:
    """Have somebody else answer the next request."""
    stage.proxies[upstream].set(Trouble(times=1, swap=PORTAL))


def reset(stage: Stage, *, upstream: str) -> None:
    """Reset every open connection."""
    stage.proxies[upstream].end_all("rst")


def lock(stage: Stage, *, seconds: float) -> None:
    """Have another program lock the SQLite file for a while."""
    path = stage.world.bridge.folder / "data" / "bridge.db"

    def hold() -> None:
        address = f"file:{path}?mode=rw"
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(address, uri=True, isolation_level=None)) as other,
        ):
            other.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            other.rollback()

    threading.Thread(target=hold, name="chaos-lock", daemon=True).start()


def database_cut(stage: Stage) -> None:
    """End every connection to PostgreSQL."""
    with stage.weather.disturbed(), suppress(DBAPIError):
        stage.world.rows(CUT_OTHERS)


ACTS: dict[str, Callable[..., None]] = {
    "delay": for_a_while,
    "throttle": for_a_while,
    "refuse": refuse,
    "black_hole": black_hole,
    "cut": cut,
    "swap": swap,
    "reset": reset,
    "lock": lock,
    "database_cut": database_cut,
}
