"""What ``/readyz`` answers, decided from facts. This room is pure.

Ready means: a command that comes now is stored, and its caller gets an honest answer.
So only a missing way in from Slack and an unusable store make the bridge unready
(503): a load balancer or an orchestrator can help there by asking another copy or by
starting this one anew.

An account on hold, a late poll or a silent GREEN-API are warnings (200): commands are
still taken, wait, and leave by themselves. To take the bridge out of service for them
would turn a delay into lost commands, and no restart would end them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bridge.wording.figures import NO_SLACK, late_poll, silent, why

PATIENCE = timedelta(minutes=2)  # a poll may take 60 s, and GREEN-API restarts


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the running service knows of itself."""

    slack_connections: int | None  # those alive; None: Slack comes over HTTP
    store_trouble: str | None  # why nothing new can be stored; None: it can
    hold: str | None = None  # the Reason why the account sends nothing
    polled_ago: timedelta | None = None  # None: this copy has not to poll
    silent_for: timedelta | None = None  # None: the last call was answered


def reasons(facts: Facts) -> dict[str, str]:
    """Return a sentence for each part without which no command can be taken.

    Anything in it makes ``/readyz`` answer 503.
    """
    found = {}
    if facts.slack_connections == 0:
        found["slack"] = NO_SLACK
    if facts.store_trouble is not None:
        found["store"] = facts.store_trouble
    return found


def warnings(facts: Facts) -> dict[str, str]:
    """Return a sentence for each part that makes commands wait; still 200."""
    found = {}
    if facts.hold is not None:
        found["account"] = why(facts.hold)
    if facts.polled_ago is not None and facts.polled_ago > PATIENCE:
        found["poller"] = late_poll(facts.polled_ago)
    if facts.silent_for is not None and facts.silent_for > PATIENCE:
        found["green_api"] = silent(facts.silent_for)
    return found
