"""The way out to WhatsApp.

::

    a request ─▶ request_delivery ─▶ row QUEUED
    row QUEUED ─▶ deliver_next ─▶ attempt row ─▶ one POST ─▶ row ACCEPTED, FAILED,
                                                            UNKNOWN, or QUEUED again
    row UNKNOWN ─▶ search (flows/search.py)

Nothing else writes to WhatsApp. The row is committed before Slack hears "queued", and
the attempt before the POST leaves; so a crash at any point leaves either a row that
nobody has sent, or one that is known to be unknown.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from bridge import markup
from bridge.errors import (
    BridgeError,
    Permanent,
    Retryable,
    SlackRefused,
    SlackUnavailable,
    Unknown,
)
from bridge.model import (
    ChatId,
    Delivery,
    DeliveryId,
    MessageId,
    NewDelivery,
    Status,
)
from bridge.ports import Clock, Slack, WhatsApp
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store.outbox import Outbox, Stored

log = logging.getLogger(__name__)

LANE_IS_TAKEN = 1.0  # seconds to leave a chat alone that somebody else is sending to
STRIKES = 3


class NotAllowed(BridgeError):
    """The delivery must not leave, or can't be checked for good."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Outbound:
    """What the way out needs: memory, networks, time, rules.

    ``trouble`` is told of every failure that is not this text's own fault, and with
    None of every answer; ``accepted`` how many seconds a text took from its COMMIT A.
    """

    outbox: Outbox
    whatsapp: WhatsApp
    slack: Slack
    clock: Clock
    schedule: Schedule
    max_text: int
    trouble: Callable[[Retryable | None], None] = lambda _error: None
    accepted: Callable[[float], None] = lambda _seconds: None


def request_delivery(
    outbox: Outbox,
    new: NewDelivery,
    clock: Clock,
    schedule: Schedule,
    deadline: float | None = None,
) -> Stored:
    """Store a request; when this returns, it can't be lost any more.

    Raises:
        NotStored: ``deadline`` (of ``time.monotonic()``) passed; nothing was stored.
        CommitUnknown: it may or may not be stored.
    """
    stored = outbox.add(new, clock(), schedule.expiry(), deadline)
    if stored.is_new:
        log.info("delivery %s queued", stored.id)
    return stored


def deliver_next(way: Outbound, chat_id: ChatId) -> float:
    """Send the delivery whose turn it is in a chat.

    Returns:
        Seconds to leave the chat alone; 0 when the next one may follow at once.
    """
    delivery = way.outbox.head(chat_id)
    if delivery is None:
        way.outbox.tidy(chat_id)
        return 0.0
    now = way.clock()
    if now >= delivery.expires_at:
        way.outbox.drop(delivery, Status.EXPIRED, delivery.reason, now)
        log.info("delivery %s expired", delivery.id)
        return 0.0
    text = _text_to_send(way, delivery)
    if text is None:
        return 0.0
    # A copy that was frozen after the commit must not send when others have long given
    # the delivery up: the time that the request may take begins before the commit.
    since = way.clock()
    if not way.outbox.begin_attempt(delivery, text, since):
        return LANE_IS_TAKEN
    _attempt(way, delivery, text, since)
    return 0.0


def _text_to_send(way: Outbound, delivery: Delivery) -> str | None:
    """Return the words to send, or None when the delivery may not leave now."""
    try:
        _check_caller(way.slack, delivery)
        text = _with_names(way, delivery)
    except SlackUnavailable as err:
        wait = way.schedule.after_slack_failure(2, err.retry_after)
        due_at = min(way.clock() + wait, delivery.expires_at)
        way.outbox.postpone(delivery, Reason.SLACK_UNREACHABLE, due_at, way.clock())
        return None
    except SlackRefused:
        _refuse(way, delivery, Reason.MEMBER_UNKNOWN)
        return None
    except NotAllowed as err:
        _refuse(way, delivery, err.reason)
        return None
    return text


def _refuse(way: Outbound, delivery: Delivery, reason: Reason) -> None:
    way.outbox.drop(delivery, Status.FAILED, reason, way.clock())
    log.info("delivery %s refused: %s", delivery.id, reason)


def _check_caller(slack: Slack, delivery: Delivery) -> None:
    """Let only full members send; people lose roles while messages wait."""
    caller = delivery.caller
    if caller is not None and not slack.member(caller.user_id).may_send:
        raise NotAllowed(Reason.NOT_A_MEMBER)


def _with_names(way: Outbound, delivery: Delivery) -> str:
    """Return the text with the names of the people it mentions."""
    if delivery.markup is None:
        return delivery.text
    names = {}
    for user_id in markup.mentioned_ids(delivery.markup):
        try:
            names[user_id] = way.slack.member(user_id).name
        except SlackRefused:  # nobody we may see: stays "someone"
            continue
    text = markup.to_whatsapp(delivery.markup, names)
    if len(text) > way.max_text:
        raise NotAllowed(Reason.TOO_LONG)
    return text


def _attempt(way: Outbound, delivery: Delivery, text: str, since: datetime) -> None:
    try:
        id_message = way.whatsapp.send_message(delivery.chat_id, text, since)
    except Retryable as err:
        _put_back(way, delivery, err)
        return
    except Permanent as err:
        way.outbox.fail(delivery, Reason(err.reason), way.clock())
        log.warning("delivery %s failed: %s", delivery.id, err.reason)
    except Unknown as err:
        way.outbox.lose(delivery, Reason(err.reason), way.clock())
        log.warning("delivery %s is unknown: %s", delivery.id, err.reason)
    else:
        _accept(way, delivery, id_message)
    way.trouble(None)


def _accept(way: Outbound, delivery: Delivery, id_message: MessageId) -> None:
    now = way.clock()
    if not way.outbox.accept(delivery, id_message, now):
        log.error("delivery %s got another one's idMessage: unknown", delivery.id)
        return
    log.info("delivery %s accepted as %s", delivery.id, id_message)
    way.accepted((now - delivery.created_at).total_seconds())


def _put_back(way: Outbound, delivery: Delivery, err: Retryable) -> None:
    if err.account:
        status, wait = Status.HELD, way.schedule.while_held()
    else:
        status = Status.QUEUED
        wait = way.schedule.after_failure(delivery.attempts + 1, err.retry_after)
    now = way.clock()
    due_at = min(now + wait, delivery.expires_at)  # that it expires is news as well
    way.outbox.put_back(delivery, status, err.reason, due_at, now)
    log.warning("delivery %s waits: %s", delivery.id, err.reason)
    way.trouble(err)


def give_up_after_bugs(
    way: Outbound, chat_id: ChatId, strikes: Counter[DeliveryId]
) -> None:
    """Judge a delivery whose handling raised what nobody foresaw.

    If its attempt had begun, it may have been sent. If not, it is tried again, and
    dropped after the third time: one bad row must not stop its chat for good.
    """
    now = way.clock()
    if (sending := way.outbox.sending_in(chat_id)) is not None:
        before = replace(sending, attempts=sending.attempts - 1)
        way.outbox.lose(before, Reason.CRASHED, now)
        return
    delivery = way.outbox.head(chat_id)
    if delivery is None:
        return
    strikes[delivery.id] += 1
    if strikes[delivery.id] >= STRIKES:
        way.outbox.drop(delivery, Status.FAILED, Reason.INTERNAL, now)
        log.error("delivery %s was given up after %d bugs", delivery.id, STRIKES)
