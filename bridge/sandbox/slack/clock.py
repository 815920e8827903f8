"""Time in the emulated Slack: a clock that can run fast, pacing, and threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Clock:
    """Seconds since the sandbox began, ``speed`` times as fast as outside."""

    def __init__(
        self, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = speed
        self._monotonic = monotonic
        self._began = monotonic()
        self._skipped = 0.0

    def now(self) -> float:
        """Return the sandbox's seconds, for spans only: it is not the time of day."""
        return (self._monotonic() - self._began) * self.speed + self._skipped

    def advance(self, seconds: float) -> None:
        """Jump ahead. Whoever already sleeps is not woken."""
        self._skipped += seconds

    def real(self, seconds: float) -> float:
        """Return how many seconds outside ``seconds`` in the sandbox last."""
        return seconds / self.speed


class Pace:
    """A token bucket per key: so many at once, then so many per second."""

    def __init__(self, clock: Clock, burst: int = 1, per_second: float = 1.0) -> None:
        self.burst = burst
        self._clock = clock
        self._per_second = per_second
        self._buckets: dict[str, tuple[float, float]] = {}  # (tokens, as of)

    def take(self, key: str) -> float:
        """Take a token; return 0, or how many sandbox seconds are missing to one.

        >>> pace = Pace(Clock(monotonic=lambda: 7.0))
        >>> pace.take("C1"), pace.take("C1"), pace.take("C2")
        (0.0, 1.0, 0.0)
        """
        now = self._clock.now()
        tokens, as_of = self._buckets.get(key, (float(self.burst), now))
        tokens = min(self.burst, tokens + (now - as_of) * self._per_second)
        if tokens >= 1:
            self._buckets[key] = (tokens - 1, now)
            return 0.0
        self._buckets[key] = (tokens, now)
        return (1 - tokens) / self._per_second

    def forget(self) -> None:
        """Fill every bucket again."""
        self._buckets.clear()


class Threads:
    """Background work that ends when the sandbox stops."""

    def __init__(self) -> None:
        self._running: set[threading.Thread] = set()
        self._guard = threading.Lock()
        self._stopping = threading.Event()

    def start(self, target: Callable[[], None], name: str) -> None:
        """Run ``target`` in a thread of its own."""

        def run() -> None:
            try:
                target()
            finally:
                with self._guard:
                    self._running.discard(thread)

        thread = threading.Thread(target=run, name=name, daemon=True)
        with self._guard:
            self._running.add(thread)
        thread.start()

    def pause(self, seconds: float) -> bool:
        """Wait ``seconds`` outside; return False when the sandbox stops meanwhile."""
        return not self._stopping.wait(seconds)

    def open(self) -> None:
        """Allow pauses again after a stop."""
        self._stopping.clear()

    def stop(self) -> None:
        """End all pauses and wait for the threads."""
        self._stopping.set()
        with self._guard:
            running = set(self._running)
        for thread in running:
            thread.join()
