"""A person's decision on a delivery that may or may not have been sent.

::

    button ─▶ decide ─▶ looked for again · sent again, as a new delivery · not sent

One press counts: the decision and the new delivery are one commit, and it is only
made while the delivery is still unconfirmed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bridge.model import Caller, Choice, Delivery, NewDelivery, Status
from bridge.ports import Clock
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store.outbox import Outbox
from bridge.wording import choices as wording

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decisions:
    """What deciding needs; ``admins`` are Slack users who may decide for others."""

    outbox: Outbox
    clock: Clock
    schedule: Schedule
    admins: frozenset[str]


def decide(desk: Decisions, choice: Choice, delivery_id: str, by: Caller) -> str | None:
    """Carry out a press of a button.

    Returns:
        What only the one who pressed should read; None if the thread shows it all.

    Raises:
        StoreError: nothing was decided.
    """
    delivery = desk.outbox.get(delivery_id)
    if delivery is None or delivery.caller is None:
        return wording.NO_SUCH_DELIVERY
    if by.user_id != delivery.caller.user_id and by.user_id not in desk.admins:
        return wording.NOT_YOURS
    if delivery.status is not Status.UNCONFIRMED:
        return wording.DECIDED_ALREADY
    if not _carry_out(desk, choice, delivery, by):
        return wording.DECIDED_ALREADY
    log.info("delivery %s: %s by %s", delivery.id, choice, by.user_id)
    return None


def _carry_out(desk: Decisions, choice: Choice, delivery: Delivery, by: Caller) -> bool:
    now = desk.clock()
    match choice:
        case Choice.CHECK_AGAIN:
            return desk.outbox.look_again(delivery, now)
        case Choice.MARK_NOT_SENT:
            reason = Reason.MARKED_NOT_SENT
            return desk.outbox.close_unconfirmed(delivery, reason, now)
        case Choice.SEND_AGAIN:
            return desk.outbox.close_unconfirmed(
                delivery,
                Reason.SENT_AGAIN,
                now,
                again=_again(delivery, by),
                time_to_live=desk.schedule.expiry(),
            )


def _again(delivery: Delivery, by: Caller) -> NewDelivery:
    """Return the copy: in the channel of the first, in the name of who wants it."""
    assert delivery.caller is not None  # noqa: S101 - decide has looked
    return NewDelivery(
        source=f"retry:{delivery.id}",  # a delivery is repeated once
        chat_id=delivery.chat_id,
        text=delivery.text,
        caller=Caller(by.user_id, by.team_id, delivery.caller.channel_id),
        markup=delivery.markup,
        retry_of=delivery.id,
    )
