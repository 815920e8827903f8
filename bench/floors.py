"""What the bench itself costs: nothing can be measured below it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from bench.load import commands, exchange, one_by_one
from bench.plan import Bench
from bench.rig import ECHO
from bench.table import Row, milliseconds
from bench.wire import request


async def measure(bench: Bench) -> list[Row]:
    """Return the floors; they have no goals."""
    rows = [await _acks(bench, socket_mode=mode) for mode in (False, True)]
    return [*rows, await _post(bench), await _commit(bench)]


async def _acks(bench: Bench, *, socket_mode: bool) -> Row:
    way = "Socket Mode" if socket_mode else "HTTP"
    async with bench.rig.app(ECHO, socket_mode=socket_mode) as app:
        await one_by_one(app.typist, commands(50))
        alone = await one_by_one(app.typist, commands(200))
        crowd = await one_by_one(app.typist, commands(500), outstanding=50)
    times = [milliseconds(ack.seconds for ack in acks) for acks in (alone, crowd)]
    return Row(f"floor: echo, {way}, 1 and 50 at a time", " and ".join(times))


async def _post(bench: Bench) -> Row:
    await bench.rig.reset(green=0.0)
    body = b'{"chatId": "14155550000@c.us", "message": "Order 0000000 "}'
    data = request("/waInstance1/sendMessage/bench", body)
    times = []
    for _ in range(200):
        start = time.monotonic()
        await exchange(bench.rig.green_port, data)
        times.append(time.monotonic() - start)
    return Row("floor: stub GREEN-API, new connection each", milliseconds(times))


async def _commit(bench: Bench) -> Row:
    times = await asyncio.to_thread(commit_times, bench.rig.folder / "floor.db")
    return Row("floor: one sqlite3 insert + commit (WAL, FULL)", milliseconds(times))


def commit_times(path: Path, count: int = 200) -> list[float]:
    """Return how long each of some smallest durable writes takes, in seconds."""
    times = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS row (text TEXT)")
        for _ in range(count):
            start = time.monotonic()
            connection.execute("INSERT INTO row VALUES (?)", ("x" * 300,))
            times.append(time.monotonic() - start)
    return times
