"""From a stage whose play is over to plain data."""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from contextlib import closing
from typing import Any

from bridge.sandbox.slack.workspace import BOT_USER
from chaos.evidence import Accepted, Evidence, Line, Row
from chaos.promises import FINAL
from chaos.stage import Stage
from tests.harness import TRACE, leaks

REST_SECONDS = 90.0  # real ones; what is not done then is left over
LOOK = 0.05
CALM = 0.3  # seconds of silence after which nothing more is expected

_OPEN = "SELECT status, report_at FROM deliveries"
_ROWS = (
    "SELECT id, seq, chat_id, text, status, id_message, retry_of, report_at"
    " FROM deliveries ORDER BY seq"
)


def wait_for_rest(stage: Stage) -> bool:
    """Wait until nothing is owed to anybody; False if that never comes."""
    ends_at = time.monotonic() + REST_SECONDS
    calm_since = None
    while time.monotonic() < ends_at:
        for replica in stage.replicas:
            replica.watch()
        if not _is_calm(stage):
            calm_since = None
        elif calm_since is None:
            calm_since = time.monotonic()
        elif time.monotonic() - calm_since > CALM:
            return True
        time.sleep(LOOK)
    return False


def _is_calm(stage: Stage) -> bool:
    if not all(replica.is_up for replica in stage.replicas):
        return False
    if stage.green.instance.queue.waiting() or stage.green.notifications():
        return False
    rows = stage.world.rows(_OPEN)
    return all(row.status in FINAL and row.report_at is None for row in rows)


def collect(stage: Stage, rested: bool) -> Evidence:
    """Return everything the referee may know."""
    return Evidence(
        asked=list(stage.asked.values()),
        rows=_rows(stage),
        lines=_lines(stage),
        ledger=_ledger(stage),
        posts=list(stage.traps.posts),
        pressed=frozenset(stage.pressed),
        lanes=stage.world.rows("SELECT count(*) FROM lanes")[0][0],
        incoming=frozenset(stage.incoming),
        kept=_kept(stage),
        dead_letters=stage.world.rows("SELECT count(*) FROM dead_letters")[0][0],
        odd=stage.odd,
        leaks=_leaks(stage),
        integrity=_integrity(stage),
        bugs=_bugs(stage),
        rested=rested,
        figures=dict(stage.tally),
    )


def _rows(stage: Stage) -> list[Row]:
    return [
        Row(
            found.id,
            found.seq,
            found.chat_id,
            found.text,
            found.status,
            found.id_message,
            found.retry_of,
            is_told=found.report_at is None,
        )
        for found in stage.world.rows(_ROWS)
    ]


def _kept(stage: Stage) -> frozenset[str]:
    bodies = [str(row[0]) for row in stage.world.rows("SELECT body FROM inbox")]
    return frozenset(k for k in stage.incoming if any(k in body for body in bodies))


def _lines(stage: Stage) -> list[Line]:
    """Return our messages with all they ever said: the last words of each are kept."""
    texts: dict[tuple[str, str], list[str]] = defaultdict(list)
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in stage.slack.log.since():
        if entry.kind not in {"message", "update"}:
            continue
        message = entry.data["message"]
        if message.get("user") != BOT_USER:
            continue
        where = (entry.data["channel"], message["ts"])
        texts[where].append(message["text"])
        last[where] = message
    return [Line(_key(last[where]), tuple(texts[where])) for where in last]


def _key(message: dict[str, Any]) -> str:
    payload = message.get("metadata", {}).get("event_payload", {})
    return str(payload.get("k", ""))


def _ledger(stage: Stage) -> list[Accepted]:
    echoed: set[str] = set()
    receipts: dict[str, set[str]] = defaultdict(set)
    for told in stage.green.log.since(kind="notification"):
        match told.data["body"]:
            case {"typeWebhook": "outgoingAPIMessageReceived", "idMessage": key}:
                echoed.add(key)
            case {"typeWebhook": "outgoingMessageStatus", "idMessage": key, **rest}:
                receipts[key].add(str(rest.get("status")))
    return [
        Accepted(
            entry.id,
            entry.chat_id,
            entry.text,
            was_seen=entry.id in echoed,
            receipts=frozenset(receipts[entry.id]),
        )
        for entry in stage.green.ledger
    ]


def outputs(stage: Stage) -> str:
    """Return what the bridges wrote in all their lives."""
    return "\n".join(replica.bridge.output for replica in stage.replicas)


def _leaks(stage: Stage) -> list[str]:
    found = leaks(stage.world)
    output = outputs(stage)
    texts = {asked.text for asked in stage.asked.values()}
    numbers = {number[1:] for number in stage.numbers}
    found += [f"{word} in the output" for word in texts | numbers if word in output]
    if "asks where the parcel is" in output:
        found.append("a customer's words in the output")
    return sorted(set(found))


def _integrity(stage: Stage) -> str:
    if stage.plan.database != "sqlite":
        return "ok"
    path = stage.world.bridge.folder / "data" / "bridge.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def _bugs(stage: Stage) -> list[str]:
    found = [line for line in outputs(stage).splitlines() if TRACE in line]
    return found + [bug for replica in stage.replicas for bug in replica.bugs]
