"""The nouns of the bridge, and the one rule that orders their states.

This room is pure: standard library only, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

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
    ACCEPTED = "accepted"  # GREEN-API gave an idMessage: accepted, not delivered
    FAILED = "failed"  # certainly not accepted, and will not be sent
    EXPIRED = "expired"  # too old to be sent; nothing was sent
    UNKNOWN = "unknown"  # the answer was lost: may or may not have been sent

    @property
    def is_waiting(self) -> bool:
        """Whether the delivery has yet to leave."""
        return self in WAITING

    @property
    def is_final(self) -> bool:
        """Whether the thread gets its one reply now."""
        return self not in WAITING and self is not Status.SENDING


WAITING = frozenset({Status.QUEUED, Status.HELD})


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

    @property
    def face(self) -> str:
        """Everything of a delivery that its lines in Slack show, as one word.

        Whether the one POST is under way is nothing to redraw a card for.
        """
        status = Status.QUEUED if self.status is Status.SENDING else self.status
        return f"{status}:{self.reason or ''}"


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
        if self.shown != self.delivery.face:
            return Step.REDRAW
        if self.reply_ts is not None and self.replied != self.delivery.face:
            return Step.REWRITE
        return None


class Step(StrEnum):
    """One call to Slack that brings a thread nearer to the truth."""

    OPEN = "open"  # post the root card
    REPLY = "reply"  # post the one reply
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


@dataclass(frozen=True, slots=True)
class Member:
    """What Slack says of a user."""

    name: str
    may_send: bool  # a full member: no guest, stranger, bot or deactivated user
