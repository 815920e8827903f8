"""The outgoing queue of one instance: first in, first out, one message at a time.

Source: https://green-api.com/en/docs/api/queues/ShowMessagesQueue/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bridge.sandbox.green_api.answers import Json
from bridge.sandbox.green_api.timeline import Timeline

DAY: Final = 24 * 60 * 60.0
SHOWN: Final = 500  # showMessagesQueue never lists more


@dataclass(frozen=True, slots=True)
class Queued:
    """A message that waits to be sent."""

    id: str
    chat_id: str
    text: str
    options: Json  # the whole sendMessage body
    since: float  # emulated seconds

    @property
    def typing_seconds(self) -> float:
        """How long the recipient sees "typing…" first."""
        return int(str(self.options.get("typingTime", 0))) / 1000


class OutgoingQueue:
    """Messages that wait for their turn, and for an authorized instance.

    Not locked by itself: every call is made with the emulator's lock held.
    """

    def __init__(
        self,
        timeline: Timeline,
        *,
        pace: Callable[[], float],
        is_open: Callable[[], bool],
        release: Callable[[Queued], None],
        expire: Callable[[Queued], None],
    ) -> None:
        self._timeline = timeline
        self._pace = pace
        self._is_open = is_open
        self._release = release
        self._expire = expire
        self._waiting: list[Queued] = []
        self._timed: str | None = None  # whose turn is on the timeline

    def add(self, message: Queued) -> None:
        """Put a message at the end."""
        self._waiting.append(message)
        self.go_on()

    def go_on(self) -> None:
        """Time the next release, if there is one to come."""
        self.drop_old()
        if self._timed is not None or not self._waiting or not self._is_open():
            return
        head = self._waiting[0]
        self._timed = head.id
        self._timeline.call_later(
            self._pace() + head.typing_seconds, lambda: self._turn_of(head)
        )

    def _turn_of(self, head: Queued) -> None:
        if self._timed != head.id:
            return
        self._timed = None
        if self._waiting and self._waiting[0].id == head.id and self._is_open():
            self._release(self._waiting.pop(0))
        self.go_on()

    def drop_old(self) -> None:
        """Drop what has waited for more than 24 hours."""
        limit = self._timeline.seconds() - DAY
        while self._waiting and self._waiting[0].since < limit:
            self._expire(self._waiting.pop(0))

    def waiting(self) -> list[Queued]:
        """Return what waits, oldest first."""
        self.drop_old()
        return list(self._waiting)

    def clear(self) -> None:
        """Forget every waiting message."""
        self._waiting.clear()
        self._timed = None
