"""From rows to nouns and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.model import (
    Caller,
    Delivery,
    DeliveryId,
    NewDelivery,
    Note,
    Place,
    Report,
    Status,
    Step,
    ThreadRef,
)
from bridge.store.tables import deliveries

DELIVERY = (
    deliveries.c.id,
    deliveries.c.source,
    deliveries.c.chat_id,
    deliveries.c.text,
    deliveries.c.markup,
    deliveries.c.user_id,
    deliveries.c.team_id,
    deliveries.c.channel_id,
    deliveries.c.response_url,
    deliveries.c.status,
    deliveries.c.reason,
    deliveries.c.attempts,
    deliveries.c.id_message,
    deliveries.c.retry_of,
    deliveries.c.created_at,
    deliveries.c.updated_at,
    deliveries.c.due_at,
    deliveries.c.expires_at,
    deliveries.c.looked_at,
)
SEARCH = (*DELIVERY, deliveries.c.left_at, deliveries.c.looks, deliveries.c.look_asked)
REPORT = (
    *DELIVERY,
    deliveries.c.place,
    deliveries.c.thread_channel,
    deliveries.c.thread_ts,
    deliveries.c.reply_ts,
    deliveries.c.shown,
    deliveries.c.replied,
    deliveries.c.report_failures,
    deliveries.c.note,
    deliveries.c.noted,
    deliveries.c.doubt,
)


@dataclass(frozen=True, slots=True)
class Search:
    """A delivery that may have been sent, and how evidence of it is looked for."""

    delivery: Delivery
    since: datetime  # first moment at which it may have left
    looks: int  # that could have found something
    is_asked: bool  # somebody pressed Check again

    def looks_after(self, *, counts: bool) -> int:
        """Return how many looks there were after one that did or did not count.

        One on request is extra: impatience must not end the search any sooner.
        """
        return self.looks + 1 if counts and not self.is_asked else self.looks


def delivery_of(row: Any) -> Delivery:
    """Return the delivery in a row of DELIVERY or REPORT."""
    caller = None
    if row.user_id is not None:
        caller = Caller(row.user_id, row.team_id, row.channel_id, row.response_url)
    return Delivery(
        id=row.id,
        source=row.source,
        chat_id=row.chat_id,
        text=row.text,
        markup=row.markup,
        caller=caller,
        status=Status(row.status),
        attempts=row.attempts,
        reason=row.reason,
        id_message=row.id_message,
        retry_of=row.retry_of,
        created_at=row.created_at,
        updated_at=row.updated_at,
        due_at=row.due_at,
        expires_at=row.expires_at,
        looked_at=row.looked_at,
    )


def search_of(row: Any) -> Search:
    """Return the search in a row of SEARCH."""
    return Search(
        delivery=delivery_of(row),
        since=row.left_at or row.created_at,
        looks=row.looks or 0,
        is_asked=bool(row.look_asked),
    )


def report_of(row: Any) -> Report:
    """Return the report in a row of REPORT."""
    thread = None
    if row.thread_ts is not None:
        thread = ThreadRef(row.thread_channel, row.thread_ts)
    return Report(
        delivery=delivery_of(row),
        place=Place(row.place),
        thread=thread,
        reply_ts=row.reply_ts,
        shown=row.shown,
        replied=row.replied,
        failures=row.report_failures,
        note=Note(row.note) if row.note else None,
        noted=Note(row.noted) if row.noted else None,
        doubt=Step(row.doubt) if row.doubt else None,
    )


def new_row(
    delivery_id: DeliveryId, new: NewDelivery, now: datetime, time_to_live: timedelta
) -> dict[str, Any]:
    """Return the first row of a delivery."""
    caller = new.caller
    return {
        "id": delivery_id,
        "source": new.source,
        "chat_id": new.chat_id,
        "text": new.text,
        "markup": new.markup,
        "user_id": caller.user_id if caller else None,
        "team_id": caller.team_id if caller else None,
        "channel_id": caller.channel_id if caller else None,
        "response_url": caller.response_url if caller else None,
        "status": Status.QUEUED,
        "attempts": 0,
        "retry_of": new.retry_of,
        "created_at": now,
        "updated_at": now,
        "due_at": now,
        "expires_at": now + time_to_live,
        "place": Place.CHANNEL if caller else Place.NOWHERE,
        "told_in": caller.channel_id if caller else None,
        "report_at": now if caller else None,
        "report_failures": 0,
    }
