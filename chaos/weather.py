"""When somebody was up and reachable, and when something stood in the way."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Disturbance:
    """A span of time in which a late ack is nobody's fault."""

    began_at: float
    ended_at: float = math.inf

    def end(self) -> None:
        """Note that it is over."""
        self.ended_at = min(self.ended_at, time.monotonic())


class Weather:
    """All disturbances of a round; threads may share it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._all: list[Disturbance] = []

    def begin(self) -> Disturbance:
        """Note that a disturbance begins now."""
        disturbance = Disturbance(time.monotonic())
        with self._guard:
            self._all.append(disturbance)
        return disturbance

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Note a disturbance for as long as this lasts."""
        disturbance = self.begin()
        try:
            yield
        finally:
            disturbance.end()

    def was_calm(self, began_at: float, ended_at: float) -> bool:
        """Whether no disturbance touched a span of time."""
        with self._guard:
            return not any(
                each.began_at <= ended_at and began_at <= each.ended_at
                for each in self._all
            )
