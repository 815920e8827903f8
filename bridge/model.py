"""The nouns of the bridge, and the rules that order their states.

This room is pure: standard library only, no I/O.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from bridge.reasons import Reason

ChatId = NewType("ChatId", str)
"""A WhatsApp chat: ``<digits>@c.us`` or ``…@g.us``; only ``recipient`` makes one."""

MessageId = NewType("MessageId", str)
"""GREEN-API's ``idMessage``: opaque, never parsed."""

DeliveryId = NewType("DeliveryId", str)
"""Our own name for a delivery: 128 random bits as 32 hex digits."""


class Status(StrEnum):
    """Where a delivery stands (``docs/architecture.md`` draws the moves)."""

    QUEUED = "queued"  # stored; waits for its turn or for a retry
    HELD = "held"  # waits for the WhatsApp account to be usable again
    SENDING = "sending"  # the attempt is stored; its one POST may be under way
    UNKNOWN = "unknown"  # the answer was lost; evidence is being looked for
    ACCEPTED = "accepted"  # GREEN-API gave an idMessage: accepted, not delivered
    SENT = "sent"  # WhatsApp has it: one tick
    DELIVERED = "delivered"  # on the phone: two ticks
    READ = "read"
    UNDELIVERED = "undelivered"  # accepted, but WhatsApp says it will not arrive
    UNCONFIRMED = "unconfirmed"  # no evidence was found: a person must decide
    CLOSED = "closed"  # a person decided; late evidence still counts
    FAILED = "failed"  # certainly not accepted, and will not be sent
    EXPIRED = "expired"  # too old to be sent; nothing was sent

    @property
    def is_waiting(self) -> bool:
        """Whether the delivery has yet to leave."""
        return self in WAITING

    @property
    def is_final(self) -> bool:
        """Whether the thread gets its one reply now."""
        return self not in WAITING and self not in UNDER_WAY

    @property
    def is_accepted(self) -> bool:
        """Whether GREEN-API certainly has it: its ``idMessage`` is known."""
        return self in ACCEPTED

    @property
    def is_doubtful(self) -> bool:
        """Whether it may or may not have been sent, so that evidence is news."""
        return self in DOUBTFUL


WAITING = frozenset({Status.QUEUED, Status.HELD})
UNDER_WAY = frozenset({Status.SENDING, Status.UNKNOWN})
ACCEPTED = frozenset(
    {
        Status.ACCEPTED,
        Status.SENT,
        Status.DELIVERED,
        Status.READ,
        Status.UNDELIVERED,
    }
)
DOUBTFUL = frozenset({Status.UNKNOWN, Status.UNCONFIRMED, Status.CLOSED})


class ReceiptStatus(StrEnum):
    """WhatsApp's word on a message that GREEN-API accepted."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    NO_ACCOUNT = "no_account"  # the number has no WhatsApp
    NOT_IN_GROUP = "not_in_group"  # our account is no member of the group
    RESTRICTED = "restricted"  # our account may not write: yellowCard, suspended


def standing(receipts: Collection[ReceiptStatus]) -> tuple[Status, Reason | None]:
    """Return where an accepted delivery stands by all receipts it ever got.

    Their order does not count, nor does it count how often one came: GREEN-API
    repeats and reorders them. Bad news gives way to a phone that has the message.

    >>> standing({ReceiptStatus.READ, ReceiptStatus.SENT})
    (<Status.READ: 'read'>, None)
    >>> standing({ReceiptStatus.FAILED, ReceiptStatus.SENT})[0]
    <Status.UNDELIVERED: 'undelivered'>
    >>> standing([])
    (<Status.ACCEPTED: 'accepted'>, None)
    """
    if ReceiptStatus.READ in receipts:
        return Status.READ, None
    if ReceiptStatus.DELIVERED in receipts:
        return Status.DELIVERED, None
    for word, reason in _BAD_NEWS.items():
        if word in receipts:
            return Status.UNDELIVERED, reason
    if ReceiptStatus.SENT in receipts:
        return Status.SENT, None
    return Status.ACCEPTED, None


# The most telling one wins.
_BAD_NEWS = {
    ReceiptStatus.NO_ACCOUNT: Reason.NO_ACCOUNT,
    ReceiptStatus.NOT_IN_GROUP: Reason.NOT_IN_GROUP,
    ReceiptStatus.RESTRICTED: Reason.RESTRICTED,
    ReceiptStatus.FAILED: Reason.WHATSAPP_FAILED,
}


# --- what GREEN-API tells us: one noun for each kind of notification ----------------


@dataclass(frozen=True, slots=True)
class Receipt:
    """WhatsApp's word on one message."""

    id_message: MessageId
    status: ReceiptStatus
    chat_id: ChatId | None = None  # may be ``…@lid`` for a person known as ``…@c.us``


@dataclass(frozen=True, slots=True)
class Sighting:
    """Evidence that GREEN-API has a text: an echo, or an entry of queue or journal."""

    id_message: MessageId
    chat_id: ChatId  # may be ``…@lid`` for a person known as ``…@c.us``
    text: str
    sent_at: datetime | None  # None: it has yet to leave GREEN-API's queue


@dataclass(frozen=True, slots=True)
class StateHint:
    """A notification says that the account's state has changed.

    Only a hint: anybody with an old capture could repeat it, so GREEN-API is asked.
    """

    state: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """Something a customer did; kept whole until the thread can show it."""

    key: str  # the same notification come again has the same key


@dataclass(frozen=True, slots=True)
class Irrelevant:
    """A notification that is of no use to the bridge."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A notification that can't be understood; ``why`` never quotes it."""

    why: str


Notice = Receipt | Sighting | StateHint | Incoming | Irrelevant | Odd


class Note(StrEnum):
    """A further reply in a delivery's thread: news that an edit would hide."""

    UNDELIVERED = "undelivered"
    STUCK = "stuck"  # one tick for long
    NO_RECEIPT = "no_receipt"  # accepted, and not a word since


@dataclass(frozen=True, slots=True)
class ThreadRef:
    """A Slack thread: its channel and the ``ts`` of its root message."""

    channel_id: str
    thread_ts: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked, and the ways Slack gave us to answer."""

    user_id: str
    team_id: str
    channel_id: str
    response_url: str | None = None  # five uses within 30 minutes


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What a request asks for, before it is stored.

    ``source`` names the request; a second one with the same source is the same
    request come again and stores nothing.
    """

    source: str
    chat_id: ChatId
    text: str
    caller: Caller | None = None  # None: asked for on the command line
    markup: str | None = None  # Slack text whose mentions have no name yet
    retry_of: DeliveryId | None = None


class Place(StrEnum):
    """Where a delivery is reported; each is the fallback of the one before."""

    CHANNEL = "channel"  # where the command was typed
    DIRECT = "direct"  # the app's direct messages with the caller
    RESPONSE = "response"  # only the command's response_url is left
    NOWHERE = "nowhere"  # asked for on the command line, or every way failed


@dataclass(frozen=True, slots=True)
class Delivery:
    """One text on its way to one chat: a row of the outbox."""

    id: DeliveryId
    source: str
    chat_id: ChatId
    text: str
    markup: str | None
    caller: Caller | None
    status: Status
    attempts: int
    reason: str | None  # a word of ``wording.REASONS``: why it waits or failed
    id_message: MessageId | None
    created_at: datetime
    updated_at: datetime
    due_at: datetime
    expires_at: datetime
    retry_of: DeliveryId | None = None
    looked_at: datetime | None = None  # when evidence was last looked for, on request

    @property
    def face(self) -> str:
        """Everything of a delivery that its lines in Slack show, as one word.

        Whether the one POST is under way is nothing to redraw a card for.
        """
        status = Status.QUEUED if self.status is Status.SENDING else self.status
        looked = f":{self.looked_at:%H%M%S}" if self.looked_at else ""
        return f"{status}:{self.reason or ''}{looked}"


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery beside what Slack shows of it: the two are made to agree.

    ``shown`` and ``replied`` hold the ``Delivery.face`` that the root card and the
    reply show.
    """

    delivery: Delivery
    place: Place
    thread: ThreadRef | None
    reply_ts: str | None
    shown: str | None
    replied: str | None
    failures: int  # Slack calls that failed since the last one that worked
    note: Note | None = None  # a further reply that is due, or was the last one
    noted: Note | None = None  # the last further reply that was posted
    doubt: Step | None = None  # a post whose answer was lost: it may be there

    @property
    def step(self) -> Step | None:
        """What Slack has to be told next; None when it shows the truth."""
        if self.place is Place.NOWHERE:
            return None
        if self.place is Place.RESPONSE:
            told = self.replied is not None or not self.delivery.status.is_final
            return None if told else Step.RESPOND
        if self.thread is None:
            return Step.OPEN
        if self.reply_ts is None and self.delivery.status.is_final:
            return Step.REPLY
        if self.note is not None and self.noted != self.note:
            return Step.NOTE
        if self.shown != self.delivery.face:
            return Step.REDRAW
        if self.reply_ts is not None and self.replied != self.delivery.face:
            return Step.REWRITE
        return None


class Step(StrEnum):
    """One call to Slack that brings a thread nearer to the truth."""

    OPEN = "open"  # post the root card
    REPLY = "reply"  # post the one reply
    NOTE = "note"  # post a further reply
    REDRAW = "redraw"  # edit the root card
    REWRITE = "rewrite"  # edit the reply
    RESPOND = "respond"  # answer through the command's response_url


@dataclass(frozen=True, slots=True)
class Card:
    """One Slack message of ours, before Slack's format.

    ``summary`` is what a locked phone and a screen reader get: no phone number, no
    words of the customer. ``headline`` and ``footnote`` are our own mrkdwn; ``quote``
    is foreign text and is shown as it is.
    """

    summary: str
    headline: str
    quote: str | None = None
    footnote: str | None = None
    key: str | None = None  # our name for this message in Slack's metadata
    choices: tuple[Choice, ...] = ()  # buttons for a person's decision
    about: DeliveryId | None = None  # the delivery that the buttons decide on


class Choice(StrEnum):
    """What a person may decide on a delivery that may or may not have been sent."""

    CHECK_AGAIN = "check_again"
    SEND_AGAIN = "send_again"
    MARK_NOT_SENT = "mark_not_sent"


@dataclass(frozen=True, slots=True)
class Member:
    """What Slack says of a user."""

    name: str
    may_send: bool  # a full member: no guest, stranger, bot or deactivated user
