"""Failures on order: per method, for a number of calls, or an outage of it all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Literal

from bridge.sandbox.slack.workspace import Json

OnUse = Callable[[int | None], None]

EVERY = "*"  # stands for all methods
OUTAGE_PAGE = "<!DOCTYPE html><title>503</title><p>Slack is having trouble.</p>"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: JSON, or HTML if a string; None hangs up instead."""

    body: str | Json | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def retry_after(seconds: int | None) -> dict[str, str]:
    """Return the ``Retry-After`` header, if there is one."""
    return {} if seconds is None else {"Retry-After": str(seconds)}


@dataclass(slots=True)
class Fault:
    """What happens to the next ``times`` calls of ``method``; None is for ever.

    A ``delay`` (seconds outside) alone slows the call down. ``drop`` ends the TCP
    connection without an answer, before or after executing. Otherwise the fault's
    answer is sent and nothing is executed.
    """

    method: str
    times: int | None = 1
    status: int | None = None
    body: str | Json | None = None
    error: str | None = None
    retry_after: int | None = None  # seconds; makes it a 429
    delay: float | None = None
    drop: Literal["before", "after"] | None = None

    def meets(self, method: str) -> bool:
        """Whether it is meant for this method."""
        return self.method in (method, EVERY)

    @property
    def has_answer(self) -> bool:
        """Whether the call is answered by the fault, not by the method."""
        given = (self.status, self.body, self.error, self.retry_after)
        return any(each is not None for each in given)

    def answer(self) -> Answer:
        """Return the answer to send in place of the method's."""
        status = self.status or (429 if self.retry_after is not None else 200)
        error = self.error or ("ratelimited" if status == 429 else None)
        body: str | Json
        if self.body is not None:
            body = self.body
        elif error:
            body = {"ok": False, "error": error}
        else:
            body = OUTAGE_PAGE.replace("503", str(status))
        return Answer(body, status, retry_after(self.retry_after))


class Faults:
    """The faults on order, oldest first."""

    def __init__(self) -> None:
        self.outage = False
        self._faults: list[tuple[Fault, OnUse | None]] = []
        self._guard = threading.Lock()

    def add(self, fault: Fault, on_use: OnUse | None = None) -> None:
        """Order a fault; it waits behind earlier ones for the same method."""
        with self._guard:
            self._faults.append((fault, on_use))

    def take(self, method: str) -> Fault | None:
        """Return the fault for this call of ``method`` and count it."""
        with self._guard:
            if self.outage:
                return Fault(method, status=503, body=OUTAGE_PAGE)
            order = next((o for o in self._faults if o[0].meets(method)), None)
            if order is None:
                return None
            fault, on_use = order
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(order)
        if on_use is not None:
            on_use(fault.times)
        return fault

    def to_json(self) -> list[Json]:
        """Return what is on order, oldest first."""
        with self._guard:
            return [asdict(fault) for fault, _ in self._faults]

    def clear(self) -> None:
        """Cancel all faults and end the outage."""
        with self._guard:
            self._faults.clear()
            self.outage = False
