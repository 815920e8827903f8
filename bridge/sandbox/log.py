"""What happened, in order: everything a person would see, and every API call.

It is the only state of the sandbox page, so it is also written for those who come
later: who reads it from the start knows all there is to know.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from bridge.sandbox.masking import Mask

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
    """An append-only list to wait on. No entry holds a token.

    Kinds, with their fields in ``docs/sandbox.md``:

    - of both emulators: ``api_call`` (also of ``response_url``), ``delivery`` (one
      attempt to reach the app), ``reset``
    - of Slack: ``command``, ``press``, ``outcome`` (of either), ``refusal``,
      ``ephemeral``, ``message``, ``update``, ``deletion``, ``event``, ``connection``
      (Socket Mode), ``membership``, ``invalid_ack``
    - of GREEN-API: ``accepted``, ``released``, ``status``, ``expired``, ``incoming``,
      ``notification``, ``state``, ``phone``
    - of the page: ``setup``, ``step``, ``fault``, ``clock``
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._last_seq = 0
        self._newest: dict[Hashable, int] = {}  # seq by key, see append_newest
        self._mask = Mask()
        self._changed = threading.Condition()
        self._closed = False

    @property
    def last_seq(self) -> int:
        """The number of the newest entry there ever was; 0 before the first."""
        return self._last_seq

    @property
    def is_closed(self) -> bool:
        """Whether the server has stopped."""
        return self._closed

    def hide(self, *secrets: str) -> None:
        """Mask these strings in all entries to come."""
        self._mask.hide(*secrets)

    def append(self, kind: str, /, **data: Any) -> Entry:
        """Add an entry and wake whoever waits."""
        masked = self._mask(data)
        with self._changed:
            return self._append(kind, masked)

    def append_newest(self, key: Hashable, kind: str, /, **data: Any) -> Entry:
        """Add an entry in place of the last one with this key.

        What repeats for ever while nothing happens must not fill the log.
        """
        masked = self._mask(data)
        with self._changed:
            index = self._index_after(self._newest.get(key, 0)) - 1
            if index >= 0 and self._entries[index].seq == self._newest[key]:
                del self._entries[index]
            entry = self._append(kind, masked)
            self._newest[key] = entry.seq
        return entry

    def _append(self, kind: str, data: dict[str, Any]) -> Entry:
        self._last_seq += 1
        entry = Entry(self._last_seq, time.time(), kind, data)
        self._entries.append(entry)
        self._changed.notify_all()
        return entry

    def _index_after(self, seq: int) -> int:
        return bisect_right(self._entries, seq, key=attrgetter("seq"))

    def since(self, seq: int = 0, kind: str | None = None) -> list[Entry]:
        """Return the entries after ``seq``, oldest first."""
        with self._changed:
            entries = self._entries[self._index_after(seq) :]
        if kind is None:
            return entries
        return [entry for entry in entries if entry.kind == kind]

    def follow(self, seq: int, timeout: float) -> list[Entry]:
        """Return the entries after ``seq``, waiting for one if there is none.

        An empty list means: none within ``timeout`` seconds, or the log is closed.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._index_after(seq) < len(self._entries),
                timeout,
            )
            return self._entries[self._index_after(seq) :]

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
