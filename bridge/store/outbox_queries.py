"""The statements of the outbox, built once: building one costs more than running it.

Conditions that have a partial index are written in words, not in parameters: only then
does SQLite see that the index fits.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    String,
    bindparam,
    case,
    exists,
    insert,
    select,
    text,
    update,
)

from bridge.model import Status
from bridge.store.lanes import CHANGE, CHAT, IS_WAITING, NOW, THIS
from bridge.store.rows import DELIVERY
from bridge.store.tables import (
    IS_SENDING,
    WAITING,
    Moment,
    accounts,
    attempts,
    deliveries,
    lanes,
    replicas,
)

SENDING_NOW = text(IS_SENDING)
NO_HOLD = ~exists().where(accounts.c.hold.is_not(None))
OWNER = bindparam("owner", type_=String)

FIND_SOURCE = select(deliveries.c.id).where(deliveries.c.source == bindparam("source"))
CHATS_DUE = (
    select(lanes.c.chat_id)
    .where(lanes.c.due_at <= NOW, NO_HOLD)
    .order_by(lanes.c.due_at)
    .limit(bindparam("most"))
)
HEAD = (
    select(*DELIVERY)
    .where(deliveries.c.chat_id == CHAT, IS_WAITING)
    .order_by(deliveries.c.seq)
    .limit(1)
)
# A copy that was taken for dead is no replica any more: it can't take a lane.
TAKE_LANE = (
    update(lanes)
    .where(lanes.c.chat_id == CHAT, lanes.c.due_at <= NOW)
    .where(exists().where(replicas.c.id == OWNER))
    .values(due_at=None, owner=OWNER)
)
# Since it was looked up another copy may have tried it, or put an earlier one back.
EARLIER = deliveries.alias("earlier")
IS_HEAD = ~exists().where(
    EARLIER.c.chat_id == CHAT,
    text("earlier." + WAITING),
    EARLIER.c.seq < deliveries.c.seq,
)
TAKE_DELIVERY = (
    update(deliveries)
    .where(THIS, IS_WAITING, IS_HEAD)
    .where(deliveries.c.attempts == bindparam("before"))
    .values(
        status=Status.SENDING,
        attempts=deliveries.c.attempts + 1,
        text=bindparam("words"),
        markup=None,
        left_at=NOW,
        updated_at=NOW,
    )
)
ADD_ATTEMPT = insert(attempts)
FIND_ATTEMPT = select(attempts.c.n).where(
    attempts.c.delivery_id == bindparam("this"), attempts.c.n == bindparam("attempt")
)
END_ATTEMPT = (
    update(attempts)
    .where(attempts.c.delivery_id == bindparam("this"))
    .where(attempts.c.n == bindparam("attempt"))
    .values(ended_at=NOW, outcome=bindparam("outcome"), reason=bindparam("why"))
)
END_SENDING = (
    update(deliveries)
    .where(THIS, SENDING_NOW, deliveries.c.attempts == bindparam("attempt"))
    .values(
        status=bindparam("becomes"),
        reason=bindparam("why"),
        due_at=bindparam("due", type_=Moment),
        # What was lost may have left at once: evidence is as old as the attempt.
        left_at=case((bindparam("lost", type_=Boolean), deliveries.c.left_at)),
        looks=0,
        look_at=bindparam("look", type_=Moment),
        **CHANGE,
    )
)
CHANGE_WAITING = (
    update(deliveries)
    .where(THIS, IS_WAITING)
    .values(
        status=bindparam("becomes"),
        reason=bindparam("why"),
        due_at=bindparam("due", type_=Moment),
        **CHANGE,
    )
)
EXPIRED = (
    select(deliveries.c.id, deliveries.c.chat_id)
    .where(deliveries.c.expires_at <= NOW, IS_WAITING)
    .order_by(deliveries.c.expires_at)
    .limit(bindparam("most"))
)
EXPIRE = (
    update(deliveries).where(THIS, IS_WAITING).values(status=Status.EXPIRED, **CHANGE)
)
SENDING_IN = select(*DELIVERY).where(deliveries.c.chat_id == CHAT, SENDING_NOW)
PRESSED = (
    update(deliveries)
    .where(THIS, deliveries.c.status == Status.UNCONFIRMED)
    .values(status=Status.CLOSED, reason=bindparam("why"), **CHANGE)
)
LOOK_NOW = (
    update(deliveries)
    .where(THIS, deliveries.c.status == Status.UNCONFIRMED)
    .values(look_at=NOW, look_asked=True)
)
NOTIFY = text("SELECT pg_notify('bridge_outbox', '')")
