"""Whether a long history slows down the claim of the next row."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.plan import Bench
from bench.table import Row, at_most, milliseconds, ratio
from bridge.model import Caller, ChatId, MessageId, NewDelivery
from bridge.store import Store, open_store

AN_HOUR = timedelta(hours=1)
CALLER = Caller("U0001", "T1", "C0001", None)

# Finished, as a year of use would leave it: sent, told, nothing left to do.
_DELIVERIES = """
WITH RECURSIVE numbers(n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count
)
INSERT INTO deliveries (
    id, source, chat_id, text, user_id, team_id, channel_id, status, attempts,
    id_message, created_at, updated_at, due_at, expires_at, place, thread_channel,
    thread_ts, reply_ts, shown, replied, report_failures
)
SELECT
    printf('%032x', n), 'history:' || n, 14155550000 + n % 1000 || '@c.us', 'Hello',
    'U' || n % 100, 'T1', 'C' || n % 100, 'accepted', 1,
    printf('BAE5%016X', n), n, n, n, n, 'channel', 'C' || n % 100,
    n || '.000001', n || '.000002', 'accepted:', 'accepted:', 0
FROM numbers
"""
_ATTEMPTS = """
INSERT INTO attempts (delivery_id, n, started_at, ended_at, outcome)
SELECT id, 1, created_at, updated_at, 'accepted' FROM deliveries
"""


async def measure(bench: Bench) -> list[Row]:
    """Return one row: the claim with a short and with a long history."""
    return [await asyncio.to_thread(_measure, bench)]


def _measure(bench: Bench) -> Row:
    count = bench.plan.history
    short = open_store(f"sqlite:///{bench.rig.folder / 'short.db'}")
    long = open_store(f"sqlite:///{bench.rig.folder / 'long.db'}")
    try:
        _fill(bench.rig.folder / "long.db", count)
        few, many = [], []
        for number in range(bench.plan.claims):  # in turns
            few.append(_claim_seconds(short, number))
            many.append(_claim_seconds(long, number))
    finally:
        short.database.close()
        long.database.close()
    return Row(
        f"claim of the next row, 1 row → {count:,} rows",
        milliseconds(few),
        milliseconds(many),
        ratio(statistics.median(many), statistics.median(few)),
        at_most(1.2),
        note=f"n={bench.plan.claims}",
    )


def _fill(path: Path, count: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")  # only here: it is thrown away
        connection.execute("BEGIN")
        connection.execute(_DELIVERIES, {"count": count})
        connection.execute(_ATTEMPTS)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _claim_seconds(store: Store, number: int) -> float:
    """Store one delivery and return how long it takes to claim it for its POST."""
    now = datetime.now(UTC)
    chat_id = ChatId(f"{14155560000 + number}@c.us")
    source = f"bench:{number}"
    store.outbox.add(NewDelivery(source, chat_id, "Hello", CALLER), now, AN_HOUR)
    start = time.perf_counter()
    found = store.outbox.chats_due(now, 256)
    delivery = store.outbox.head(found[0])
    if delivery is None or not store.outbox.begin_attempt(delivery, delivery.text, now):
        raise RuntimeError("the row that was just stored can't be claimed")
    seconds = time.perf_counter() - start
    store.outbox.accept(delivery, MessageId(f"ID{number}"), now)
    return seconds
