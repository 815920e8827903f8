"""What goes from Slack to the app, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from uuid import uuid4

from bridge.sandbox.slack.workspace import Json

ACK_SECONDS = 3.0  # the app has that long, over HTTP and in Socket Mode


class Outcome(StrEnum):
    """How a command or event fared; the middle two are Slack's own words."""

    ACKED = "acked"
    OPERATION_TIMEOUT = "operation_timeout"  # no ack in time
    DISPATCH_FAILED = "dispatch_failed"  # nobody there, or the app said no
    REFUSED = "refused"  # the client never sent it


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload under way; every delivery of it has the same id."""

    type: str  # slash_commands, interactive or events_api
    payload: Json
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def is_event(self) -> bool:
        """Whether it is retried."""
        return self.type == "events_api"

    @property
    def is_command(self) -> bool:
        """Whether its ack may carry a message; that of a button may not."""
        return self.type == "slash_commands"

    def to_json(self, attempt: int) -> Json:
        """Return the Socket Mode message; events always say which attempt it is."""
        shown = {
            "envelope_id": self.id,
            "type": self.type,
            "accepts_response_payload": self.is_command,
            "payload": self.payload,
        }
        if self.is_event or attempt:
            reason = "timeout" if attempt else ""
            shown |= {"retry_attempt": attempt, "retry_reason": reason}
        return shown


@dataclass(frozen=True, slots=True)
class Reply:
    """The app's answer to one delivery.

    ``payload`` is the message in an ack, if any; ``reason`` is the
    ``x-slack-retry-reason`` of the next attempt.
    """

    outcome: Outcome
    payload: Any = None
    reason: str = ""
    may_retry: bool = True


def attempted(
    envelope: Envelope, attempt: int, reply: Reply, milliseconds: float
) -> Json:
    """Return what the log says of one delivery, as of any call between the two."""
    return {
        "side": "slack",
        "direction": "in",
        "method": envelope.type,
        "status": 200 if reply.outcome is Outcome.ACKED else None,
        "ms": round(milliseconds, 1),
        "request": envelope.payload,
        "response": reply.payload,
        "envelope_id": envelope.id,
        "attempt": attempt,
        "outcome": reply.outcome,
    }


class Transport(Protocol):
    """A way to the app: its Request URL, or a WebSocket it opened."""

    def deliver(self, envelope: Envelope, attempt: int, reason: str) -> Reply:
        """Hand over one delivery and wait for its ack, or for the deadline."""
