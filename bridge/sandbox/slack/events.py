"""The Events API: wrap, deliver, and try again until the app acks."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bridge.sandbox.log import EventLog
from bridge.sandbox.slack.clock import Clock, Threads
from bridge.sandbox.slack.delivery import (
    Envelope,
    Outcome,
    Reply,
    Transport,
    attempted,
)
from bridge.sandbox.slack.workspace import (
    APP_ID,
    BOT_USER,
    TEAM_ID,
    Channel,
    Json,
    Kind,
)

RETRY_DELAYS = (0.0, 60.0, 300.0)  # seconds after the attempt before


@dataclass(eq=False, slots=True)
class EventDelivery:
    """An event under way; ``replies`` grows with each attempt."""

    event_id: str
    replies: list[Reply] = field(default_factory=list)
    is_over: bool = False

    @property
    def is_acked(self) -> bool:
        """Whether the app acked any attempt."""
        return any(reply.outcome is Outcome.ACKED for reply in self.replies)


class Events:
    """Sends events in the background, one thread each."""

    def __init__(
        self,
        transport: Callable[[], Transport],
        clock: Clock,
        log: EventLog,
        threads: Threads,
        retry_delays: Sequence[float],
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._log = log
        self._threads = threads
        self._retry_delays = retry_delays

    def send(self, event: Json, attempts: Sequence[int] | None = None) -> EventDelivery:
        """Send an event; see ``SlackSandbox.send_event``."""
        payload = _wrap(event)
        envelope = Envelope("events_api", payload)
        delivery = EventDelivery(payload["event_id"])

        def run() -> None:
            if attempts is None:
                self._until_acked(envelope, delivery)
            else:
                for attempt in attempts:
                    self._try(envelope, delivery, attempt)
            delivery.is_over = True
            self._log.append("event", id=delivery.event_id, acked=delivery.is_acked)

        self._threads.start(run, "sandbox-slack-event")
        return delivery

    def _until_acked(self, envelope: Envelope, delivery: EventDelivery) -> None:
        reply = self._try(envelope, delivery, 0)
        for attempt, wait in enumerate(self._retry_delays, start=1):
            if reply.outcome is Outcome.ACKED or not reply.may_retry:
                return
            if not self._threads.pause(self._clock.real(wait)):
                return
            reply = self._try(envelope, delivery, attempt)

    def _try(self, envelope: Envelope, delivery: EventDelivery, attempt: int) -> Reply:
        reason = delivery.replies[-1].reason if delivery.replies else "http_timeout"
        began = time.monotonic()
        reply = self._transport().deliver(envelope, attempt, reason)
        took = (time.monotonic() - began) * 1000
        delivery.replies.append(reply)
        self._log.append(
            "delivery",
            event_id=delivery.event_id,
            **attempted(envelope, attempt, reply, took),
        )
        return reply


def message_event(channel: Channel, message: Json) -> Json:
    """Return the event of a message that a person wrote.

    Source: https://docs.slack.dev/reference/events/message
    """
    kinds = {Kind.PUBLIC: "channel", Kind.PRIVATE: "group"}
    where = {
        "channel": channel.id,
        "channel_type": kinds.get(channel.kind, str(channel.kind)),
    }
    return message | where | {"event_ts": message["ts"]}


def _wrap(event: Json) -> Json:
    """Return the ``event_callback`` around an event."""
    now = time.time()
    event_id = f"Ev0{secrets.token_hex(5).upper()}"
    return {
        "token": "sandbox-verification",
        "team_id": TEAM_ID,
        "api_app_id": APP_ID,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(now),
        "event_context": f"EC-{event_id}",
        "is_ext_shared_channel": False,
        "context_team_id": TEAM_ID,
        "context_enterprise_id": None,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM_ID,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "event": {"event_ts": f"{now:.6f}"} | event,
    }
