"""The emulator's time: a clock that can run fast or jump, and what is due on it."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Timeline:
    """Emulated seconds, and one thread that lives only while something is due.

    Every duration in the emulator is in emulated seconds: at ``speed`` 10 they pass
    ten times faster, at 0 only ``advance`` moves them. Dates stay real, so that a
    client with a real clock recognises its own messages in the journal.

    ``changed`` is the one lock of the emulator; due actions run while it is held.
    """

    def __init__(self, speed: float, changed: threading.Condition) -> None:
        if speed < 0:
            raise ValueError("speed must be 0 or more")
        self.speed = speed
        self.changed = changed
        self._started = time.monotonic()
        self._advanced = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether the emulator is shutting down."""
        return self._closed

    def seconds(self) -> float:
        """Return the emulated seconds since the start."""
        return (time.monotonic() - self._started) * self.speed + self._advanced

    def now(self) -> datetime:
        """Return the date and time the emulator writes into its answers."""
        return datetime.now(UTC) + timedelta(seconds=self._advanced)

    def timestamp(self) -> int:
        """Return ``now`` as GREEN-API writes it: Unix seconds."""
        return int(self.now().timestamp())

    def call_later(self, delay: float, action: Callable[[], None]) -> None:
        """Run ``action`` after ``delay`` emulated seconds."""
        with self.changed:
            at = self.seconds() + delay
            heapq.heappush(self._due, (at, next(self._order), action))
            self._ensure_thread()
            self.changed.notify_all()

    def _ensure_thread(self) -> None:
        if self._thread is None and self.speed and self._due and not self._closed:
            self._thread = threading.Thread(
                target=self._run, name="green-api-timeline", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        with self.changed:
            try:
                while self._due and not self._closed:
                    left = self._due[0][0] - self.seconds()
                    if left > 0:
                        self.changed.wait(left / self.speed)
                    else:
                        self._run_next()
            finally:
                self._thread = None

    def _run_next(self) -> None:
        _, _, action = heapq.heappop(self._due)
        action()
        self.changed.notify_all()

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once, doing all that falls due, in order."""
        with self.changed:
            target = self.seconds() + seconds
            while self._due and self._due[0][0] <= target:
                self._jump_to(self._due[0][0])
                self._run_next()
            self._jump_to(target)
            self.changed.notify_all()

    def _jump_to(self, at: float) -> None:
        self._advanced += max(0.0, at - self.seconds())

    def wait_for(self, predicate: Callable[[], bool], seconds: float) -> bool:
        """Wait at most ``seconds`` emulated seconds; return whether it came true.

        Closing ends every wait at once.
        """
        with self.changed:
            deadline = self.seconds() + seconds
            while not predicate():
                left = deadline - self.seconds()
                if left <= 0 or self._closed:
                    return False
                self.changed.wait(left / self.speed if self.speed else None)
            return True

    def wait(self, seconds: float) -> bool:
        """Let emulated seconds pass; return False if the emulator closed meanwhile."""
        self.wait_for(lambda: False, seconds)
        return seconds <= 0 or not self._closed

    def real(self, seconds: float) -> float | None:
        """Return emulated seconds in real ones; None when time stands still."""
        return seconds / self.speed if self.speed else None

    def forget(self) -> None:
        """Drop everything that is due."""
        with self.changed:
            self._due.clear()
            self.changed.notify_all()

    def open(self) -> None:
        """Go on after ``close``; what fell due meanwhile happens now."""
        with self.changed:
            self._closed = False
            self._ensure_thread()

    def close(self) -> None:
        """End every wait and the thread; what is due stays due."""
        with self.changed:
            self._closed = True
            thread = self._thread
            self.changed.notify_all()
        if thread is not None:
            thread.join()
