"""What happened, in order: everything a person would see, and every API call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_T = TypeVar("_T")
_GLANCE = 0.05  # seconds; a condition may look at things this log knows nothing of


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log; ``at`` is Unix time in seconds."""

    seq: int
    at: float
    kind: str
    data: dict[str, Any]


class EventLog:
    """An append-only list to wait on.

    Kinds: ``command``, ``press``, ``outcome`` (of either), ``refusal``,
    ``ephemeral``, ``message``, ``update``, ``deletion``, ``delivery`` (one attempt to
    reach the app), ``event``, ``connection`` (Socket Mode), ``api_call`` (also of
    ``response_url``), ``membership``, ``invalid_ack``, ``reset``.
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._last_seq = 0
        self._changed = threading.Condition()
        self._closed = False

    def append(self, kind: str, **data: Any) -> Entry:
        """Add an entry and wake whoever waits."""
        with self._changed:
            self._last_seq += 1
            entry = Entry(self._last_seq, time.time(), kind, data)
            self._entries.append(entry)
            self._changed.notify_all()
        return entry

    def since(self, seq: int = 0, kind: str | None = None) -> list[Entry]:
        """Return the entries after ``seq``, oldest first."""
        with self._changed:
            return [
                entry
                for entry in self._entries
                if entry.seq > seq and kind in (None, entry.kind)
            ]

    def wait(
        self, predicate: Callable[[Entry], bool], timeout: float = 5.0, since: int = 0
    ) -> Entry:
        """Return the first entry after ``since`` that satisfies ``predicate``.

        Raises:
            TimeoutError: none came within ``timeout`` seconds.
        """

        def first() -> Entry | None:
            return next(filter(predicate, self.since(since)), None)

        return self.wait_for(first, timeout)

    def wait_for(self, condition: Callable[[], _T | None], timeout: float = 5.0) -> _T:
        """Return the first true answer of ``condition``, asked after every entry.

        Raises:
            TimeoutError: none came within ``timeout`` seconds; the text ends with
                the kinds of the last entries.
        """
        ends_at = time.monotonic() + timeout
        while True:
            seen = self._last_seq
            # Outside the lock: the condition may wait for the product, which may
            # just be waiting for us.
            if answer := condition():
                return answer
            left = ends_at - time.monotonic()
            if left <= 0 or self._closed:
                raise TimeoutError(
                    f"nothing within {timeout:g} s; last: {self._tail()}"
                )
            with self._changed:
                if self._last_seq == seen:
                    self._changed.wait(min(left, _GLANCE))

    def clear(self) -> None:
        """Forget all entries; the numbers go on."""
        with self._changed:
            self._entries.clear()

    def open(self) -> None:
        """Let people wait again after ``close``."""
        self._closed = False

    def close(self) -> None:
        """End all waiting: the server stops."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _tail(self) -> str:
        return ", ".join(entry.kind for entry in self.since()[-8:]) or "nothing"
