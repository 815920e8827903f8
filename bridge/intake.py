"""How many requests of Slack wait for their ack at the moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

CROWD = 4  # so many acks at once need the processor for themselves


class Intake:
    """Counts requests from their arrival to their ack.

    The lanes give way while many wait: somebody looks at each of those, and Slack
    calls an ack lost after three seconds.

    Args:
        after_ack: called after each; starts the lanes, and not a moment earlier.
        observe_ack: told the seconds from a request's arrival to its ack; what it
            raises is nobody's business.
    """

    def __init__(
        self,
        after_ack: Callable[[], None] = lambda: None,
        observe_ack: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._after_ack = after_ack
        self._observe_ack = observe_ack
        self._changed = threading.Condition()
        self._waiting = 0
        self._calm = threading.Event()
        self._calm.set()

    def arrived(self) -> None:
        """Count a request that was read from its socket."""
        with self._changed:
            self._waiting += 1
            if self._waiting > CROWD:
                self._calm.clear()

    def answered(self, received_at: float | None = None) -> None:
        """Count a request out: its ack is written, or could not be.

        Args:
            received_at: the ``time.monotonic()`` of its arrival; None: nobody looked.
        """
        answered_at = time.monotonic()
        with self._changed:
            self._waiting -= 1
            if self._waiting <= CROWD:
                self._calm.set()
            self._changed.notify_all()
        self._after_ack()
        if received_at is not None:
            with suppress(Exception):
                self._observe_ack(answered_at - received_at)

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request in and out."""
        received_at = time.monotonic()
        self.arrived()
        try:
            yield
        finally:
            self.answered(received_at)

    def give_way(self, seconds: float) -> None:
        """Wait until few requests wait; not longer than ``seconds``."""
        self._calm.wait(seconds)

    def drain(self, seconds: float) -> None:
        """Wait until no request waits; not longer than ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting == 0, seconds)
