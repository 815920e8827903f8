"""Where an ``idMessage`` waits that the database can't take, in case the bridge dies.

The file's room is taken when it is made: it can be written to when the disk is full.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bridge.model import DeliveryId, MessageId

log = logging.getLogger(__name__)

ROOM = 256 * 1024  # bytes: some two thousand answers


class Spool:
    """One line of JSON for each answer, followed by zeros.

    Copies on one machine may share it: each waits for the other's turn.

    Args:
        path: the file; None: there is nowhere to spool to, and nothing is.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen = 0  # bytes that ``entries`` has read
        if path is not None and not path.exists():
            self._make(path)

    def _make(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            with self._turn(path) as file:
                if not file.read(1):
                    _rewrite(file, b"")
        except OSError as err:
            log.warning("no room for a spool: %s", err.strerror)

    def add(self, delivery_id: DeliveryId, id_message: MessageId) -> None:
        """Keep an answer, on the disk when this returns; a failure is only logged."""
        line = json.dumps({"id": delivery_id, "idMessage": id_message}).encode() + b"\n"
        if self._path is None:
            return
        try:
            with self._turn(self._path) as file:
                kept = file.read().rstrip(b"\0")
                file.seek(len(kept))
                # After a line that was cut short, this one still begins a new one.
                file.write(line if kept.endswith(b"\n") or not kept else b"\n" + line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as err:
            log.error("an answer could not be spooled: %s", err.strerror)  # noqa: TRY400
            return
        log.warning("the answer for delivery %s was spooled", delivery_id)

    def entries(self) -> list[tuple[DeliveryId, MessageId]]:
        """Return what was kept; a line that was cut short by a crash is left out."""
        if self._path is None or not self._path.exists():
            return []
        with self._turn(self._path) as file:
            kept = file.read().rstrip(b"\0")
        self._seen = len(kept)
        lines = [_parsed(line) for line in kept.split(b"\n")]
        return [entry for entry in lines if entry is not None]

    def clear(self) -> None:
        """Forget what ``entries`` has returned: the database has it now."""
        if self._path is None or not self._seen:
            return
        with self._turn(self._path) as file:
            _rewrite(file, file.read()[self._seen :].rstrip(b"\0"))
        self._seen = 0

    @contextmanager
    def _turn(self, path: Path) -> Iterator[BinaryIO]:
        """Yield the file, at its beginning, to one thread of one copy at a time."""
        with path.open("r+b") as file:
            if os.name != "nt":  # there, only one copy runs
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _rewrite(file: BinaryIO, content: bytes) -> None:
    file.seek(0)
    file.write(content.ljust(ROOM, b"\0"))
    file.flush()
    os.fsync(file.fileno())


def _parsed(line: bytes) -> tuple[DeliveryId, MessageId] | None:
    try:
        entry = json.loads(line)
        return DeliveryId(entry["id"]), MessageId(entry["idMessage"])
    except (ValueError, KeyError, TypeError):
        return None
