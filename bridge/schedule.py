"""How long to wait: before the next attempt, before the next call to Slack."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every wait of the lanes, multiplied by ``scale`` (1 except in tests)."""

    scale: float = 1.0
    time_to_live: timedelta = timedelta(minutes=15)

    def expiry(self) -> timedelta:
        """Return how long a delivery may wait before it is too old to be sent."""
        return self.time_to_live * self.scale

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

    def between_messages(self) -> timedelta:
        """Return Slack's gap between two messages in one channel."""
        return timedelta(seconds=1) * self.scale

    def response_url_life(self) -> timedelta:
        """Return how long a command's ``response_url`` works."""
        return timedelta(minutes=30) * self.scale

    def report_life(self) -> timedelta:
        """Return how long an answer to Slack is tried before it is given up."""
        return timedelta(days=7) * self.scale


def _jitter() -> float:
    """Spread retries by half, so that many rows do not come back at one moment."""
    return random.uniform(0.5, 1.5)  # noqa: S311 - no secret depends on it
