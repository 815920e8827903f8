"""Binding an ``idMessage`` to its delivery, and what its receipts make of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    String,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)

from bridge.model import (
    ACCEPTED,
    DOUBTFUL,
    ChatId,
    DeliveryId,
    MessageId,
    Note,
    ReceiptStatus,
    Status,
    standing,
)
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store.lanes import CHANGE, NOW, THIS, report_due
from bridge.store.tables import Moment, deliveries, receipts, sightings

MESSAGE = bindparam("message", type_=String)
_LOCK_MESSAGE = select(func.pg_advisory_xact_lock(func.hashtext(MESSAGE)))
_OWNER_OF = select(deliveries.c.id).where(deliveries.c.id_message == MESSAGE)
_RECEIPTS_OF = select(receipts.c.status).where(receipts.c.id_message == MESSAGE)
_MAY_BE_SENT = deliveries.c.status.in_([Status.SENDING, *DOUBTFUL])
_NOTED = deliveries.c.noted
_STANDS = {
    "status": bindparam("becomes"),
    "watch_at": bindparam("watch", type_=Moment),
    # A note about silence that nobody has read yet is pointless after a word.
    "note": case((bindparam("bad", type_=Boolean), Note.UNDELIVERED), else_=_NOTED),
}
# That a second copy was asked for stays part of the story.
_WAS_AGAIN = case((deliveries.c.reason == Reason.SENT_AGAIN, deliveries.c.reason))
_WHY = func.coalesce(bindparam("why", type_=String), _WAS_AGAIN)
_BIND = (
    update(deliveries)
    .where(THIS, deliveries.c.id_message.is_(None), _MAY_BE_SENT)
    .values(
        **_STANDS,
        reason=_WHY,
        id_message=MESSAGE,
        look_at=None,
        look_asked=None,
        looked_at=None,
        **CHANGE,
    )
)
_STAND = (
    update(deliveries)
    .where(THIS, deliveries.c.status.in_(list(ACCEPTED)))
    .values(
        **_STANDS,
        reason=_WHY,
        updated_at=NOW,
        report_at=report_due(bindparam("report", type_=Moment)),
    )
)
_FORGET_SIGHTING = delete(sightings).where(sightings.c.id_message == MESSAGE)


def lock_message(connection: Connection, id_message: MessageId) -> None:
    """Let nobody else bind this id, or add a receipt to it, until the commit.

    Else an answer and its first receipt, each stored without seeing the other, would
    both be there and belong to nothing. SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK_MESSAGE, {"message": id_message})


def owner_of(connection: Connection, id_message: MessageId) -> DeliveryId | None:
    """Return the delivery that has this ``idMessage``."""
    found: DeliveryId | None = connection.scalar(_OWNER_OF, {"message": id_message})
    return found


def bind(
    connection: Connection,
    delivery_id: DeliveryId,
    chat_id: ChatId,
    id_message: MessageId,
    now: datetime,
    schedule: Schedule,
) -> bool:
    """Store that a delivery is this message; False if that can't be.

    It can't if the message belongs to another delivery, or the delivery has another
    message or certainly was not sent.
    """
    lock_message(connection, id_message)
    owner = owner_of(connection, id_message)
    if owner is not None:
        return owner == delivery_id
    values = _standing(connection, chat_id, id_message, now, schedule)
    row = {"this": delivery_id, "message": id_message, "now": now, **values}
    if connection.execute(_BIND, row).rowcount != 1:
        return False
    connection.execute(_FORGET_SIGHTING, {"message": id_message})
    return True


def restand(
    connection: Connection,
    delivery_id: DeliveryId,
    chat_id: ChatId,
    id_message: MessageId,
    now: datetime,
    schedule: Schedule,
) -> None:
    """Store where an accepted delivery stands by all its receipts."""
    values = _standing(connection, chat_id, id_message, now, schedule)
    report = now + schedule.coalesce()
    row = {"this": delivery_id, "now": now, "report": report, **values}
    connection.execute(_STAND, row)


def _standing(
    connection: Connection,
    chat_id: ChatId,
    id_message: MessageId,
    now: datetime,
    schedule: Schedule,
) -> dict[str, Any]:
    words = connection.scalars(_RECEIPTS_OF, {"message": id_message})
    status, reason = standing({ReceiptStatus(word) for word in words})
    return {
        "becomes": status,
        "why": reason,
        "bad": status is Status.UNDELIVERED,
        "watch": _watch_at(status, chat_id, now, schedule.until_note(status)),
    }


def _watch_at(
    status: Status, chat_id: ChatId, now: datetime, wait: timedelta | None
) -> datetime | None:
    # A group has no second tick: one is all there will ever be.
    is_last = status is Status.SENT and chat_id.endswith("@g.us")
    return None if wait is None or is_last else now + wait
