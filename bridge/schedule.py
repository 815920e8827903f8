"""How long to wait: before the next attempt, before the next call to Slack."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from bridge.model import Status
from bridge.reasons import Reason

# Seconds from one search for evidence to the next. Together the first row lasts as
# long as an answer may take (30 s), its entry in the journal (2 min), and some more;
# then a person is asked. The second row goes on for a day: so long GREEN-API may keep
# a text in its queue.
LOOKS = (3, 5, 7, 15, 30, 30, 30, 30, 30)
LATE_LOOKS = (300, 600, 1800, 3600, 7200, 14400, 28800, 28800)
ONE_TICK = timedelta(minutes=10)
NO_WORD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every wait of the lanes, multiplied by ``scale`` (1 except in tests)."""

    scale: float = 1.0
    time_to_live: timedelta = timedelta(minutes=15)

    def expiry(self) -> timedelta:
        """Return how long a delivery may wait before it is too old to be sent."""
        return self.time_to_live * self.scale

    def between_same(self) -> timedelta:
        """Return how long the same person's same text looks like a mistake."""
        return timedelta(seconds=60) * self.scale

    def after_failure(self, attempts: int, asked: float | None = None) -> timedelta:
        """Return the pause after an attempt that certainly was not accepted.

        Args:
            attempts: attempts made so far, at least 1.
            asked: seconds the other side asked us to wait, if it did.

        >>> Schedule().after_failure(1) <= timedelta(seconds=1.5)
        True
        >>> Schedule().after_failure(99) >= timedelta(seconds=30)
        True
        >>> Schedule().after_failure(1, asked=7) >= timedelta(seconds=7)
        True
        """
        backoff = min(60.0, 2.0 ** min(attempts - 1, 6)) * _jitter()
        return timedelta(seconds=max(backoff, asked or 0.0)) * self.scale

    def while_held(self) -> timedelta:
        """Return how soon to look again whether the WhatsApp account can send."""
        return timedelta(seconds=15) * _jitter() * self.scale

    def after_slack_failure(
        self, failures: int, asked: float | None = None
    ) -> timedelta:
        """Return the pause after a call to Slack that failed: 1 s to 15 min."""
        backoff = min(900.0, 2.0 ** min(failures, 10)) * _jitter()
        return timedelta(seconds=max(backoff, asked or 0.0)) * self.scale

    def after_receive_failure(
        self, failures: int, asked: float | None = None
    ) -> timedelta:
        """Return the pause after GREEN-API gave no notification: 1 s to 60 s.

        >>> Schedule().after_receive_failure(99) <= timedelta(seconds=90)
        True
        """
        backoff = min(60.0, 2.0 ** min(failures - 1, 6)) * _jitter()
        return timedelta(seconds=max(backoff, asked or 0.0)) * self.scale

    def between_messages(self) -> timedelta:
        """Return Slack's gap between two messages in one channel."""
        return timedelta(seconds=1) * self.scale

    def response_url_life(self) -> timedelta:
        """Return how long a command's ``response_url`` works."""
        return timedelta(minutes=30) * self.scale

    def next_look(self, looks: int) -> timedelta | None:
        """Return when to look for evidence again after so many looks; None: enough.

        >>> Schedule().next_look(0), Schedule().next_look(999)
        (datetime.timedelta(seconds=3), None)
        """
        gaps = LOOKS + LATE_LOOKS
        return (
            timedelta(seconds=gaps[looks]) * self.scale if looks < len(gaps) else None
        )

    def between_searches(self) -> timedelta:
        """Return GREEN-API's gap between two looks into queue and journal."""
        return timedelta(seconds=1.1) * self.scale

    def evidence_life(self) -> timedelta:
        """Return how long after its attempt a text may still turn out to be sent."""
        return timedelta(days=2) * self.scale

    def search_life(self) -> timedelta:
        """Return how long to wait for an account that can't be searched."""
        return timedelta(minutes=30) * self.scale

    def until_note(self, status: Status) -> timedelta | None:
        """Return how long a status may last before its silence is worth a note."""
        spans = {Status.ACCEPTED: NO_WORD, Status.SENT: ONE_TICK}
        return spans[status] * self.scale if status in spans else None

    def between_state_checks(self, is_on_hold: bool) -> timedelta:
        """Return how long GREEN-API's word on the account's state is believed."""
        return timedelta(seconds=15 if is_on_hold else 60) * self.scale

    def before_telling_admins(self, reason: Reason) -> timedelta:
        """Return how long a hold must last to be worth an admin's attention."""
        spans = {Reason.STARTING: 300, Reason.UNREACHABLE: 120}
        return timedelta(seconds=spans.get(reason, 0)) * self.scale

    def unreachable_life(self) -> timedelta:
        """Return how long the last known state counts while GREEN-API is silent."""
        return timedelta(seconds=60) * self.scale

    def between_beats(self) -> timedelta:
        """Return how often a running copy says that it lives."""
        return timedelta(seconds=3) * self.scale

    def beat_life(self) -> timedelta:
        """Return how long a copy counts as alive after its last beat."""
        return timedelta(seconds=12) * self.scale

    def attempt_life(self) -> timedelta:
        """Return how long a request can't last, whatever happens to it."""
        return timedelta(minutes=5) * self.scale

    def between_repairs(self) -> timedelta:
        """Return how often to look for chats that nobody goes on with."""
        return timedelta(seconds=60) * self.scale

    def coalesce(self) -> timedelta:
        """Return how long to wait for more receipts before a line is rewritten."""
        return timedelta(seconds=1) * self.scale

    def report_life(self) -> timedelta:
        """Return how long an answer to Slack is tried before it is given up."""
        return timedelta(days=7) * self.scale


def _jitter() -> float:
    """Spread retries by half, so that many rows do not come back at one moment."""
    return random.uniform(0.5, 1.5)  # noqa: S311 - no secret depends on it
