"""Waiting, on a scale that tests make short."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from bridge.doctor import green_api
from bridge.errors import SendError

T = TypeVar("T")


class Waits:
    """Waits in seconds that ``BRIDGE_TIME_SCALE`` multiplies."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def rest(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds * self.scale)

    def beats(self, every: float, limit: float) -> Iterator[float]:
        """Yield the seconds that are left, at once and after each pause."""
        began = time.monotonic()
        while (left := limit - (time.monotonic() - began) / self.scale) > 0:
            yield left
            self.rest(min(every, left))

    def ask(self, question: Callable[[], T]) -> T | SendError:
        """Ask GREEN-API, which takes some questions only once a second."""
        return green_api.ask(question, green_api.BUSY_SECONDS * self.scale)


def clock(seconds: float) -> str:
    """Write a span as a clock does.

    >>> clock(149.2), clock(9)
    ('2:29', '0:09')
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
