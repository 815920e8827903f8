"""The present moment, on a clock that nobody can set."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class SteadyClock:
    """Counts on from the time of day at which it was made.

    A clock that is set while the bridge runs must not make a message expire, or send
    one earlier. Time spent asleep counts, where the system tells it.

    Args:
        time_of_day: the clock that can be set.
        seconds: the one that can't.
    """

    def __init__(
        self,
        time_of_day: Callable[[], datetime] | None = None,
        seconds: Callable[[], float] | None = None,
    ) -> None:
        self._time_of_day = time_of_day or _time_of_day
        self._seconds = seconds or _seconds
        self._began_at = self._time_of_day()
        self._began = self._seconds()

    def __call__(self) -> datetime:
        """Return the present moment as an aware UTC ``datetime``."""
        return self._began_at + timedelta(seconds=self._seconds() - self._began)

    def drift(self) -> timedelta:
        """Return by how much the system's clock was set forward since the start."""
        return self._time_of_day() - self()


def _time_of_day() -> datetime:
    return datetime.now(UTC)


def _seconds() -> float:
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
