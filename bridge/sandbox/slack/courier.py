"""Takes what one person did to the app, once or several times, and waits for an ack."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from functools import partial

from bridge.sandbox.log import EventLog
from bridge.sandbox.slack.clock import Threads
from bridge.sandbox.slack.delivery import (
    Envelope,
    Outcome,
    Reply,
    Transport,
    attempted,
)


class Courier:
    """Delivers commands and presses; Slack does not try these again by itself."""

    def __init__(
        self, transport: Callable[[], Transport], log: EventLog, threads: Threads
    ) -> None:
        self._transport = transport
        self._log = log
        self._threads = threads

    def deliver(
        self, envelope: Envelope, attempts: Sequence[int], **about: str
    ) -> Reply:
        """Make all deliveries at once; return the first ack, or the first failure.

        ``about`` names in the log what was delivered.
        """
        replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        for attempt in attempts:
            self._threads.start(
                partial(self._try, envelope, attempt, about, replies),
                f"sandbox-slack-{envelope.type}",
            )
        received: list[Reply] = []
        for _ in attempts:
            received.append(replies.get())
            if received[-1].outcome is Outcome.ACKED:
                return received[-1]
        return received[0]

    def _try(
        self,
        envelope: Envelope,
        attempt: int,
        about: dict[str, str],
        replies: queue.SimpleQueue[Reply],
    ) -> None:
        began = time.monotonic()
        reply = self._transport().deliver(envelope, attempt, "http_timeout")
        took = (time.monotonic() - began) * 1000
        self._log.append(
            "delivery", **about, **attempted(envelope, attempt, reply, took)
        )
        replies.put(reply)
