"""The two networks as the journeys see them, and the clock.

Two ports, because two things are slow, foreign and cost money. The store is not one:
a real SQLite file is the fast test double.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from bridge.model import Card, ChatId, Member, MessageId, ThreadRef

Clock = Callable[[], datetime]
"""Returns the present moment as an aware UTC ``datetime``."""


class WhatsApp(Protocol):
    """The way to WhatsApp."""

    def send_message(
        self, chat_id: ChatId, text: str, since: datetime | None = None
    ) -> MessageId:
        """Hand one text over and return the id under which it was accepted.

        Makes exactly one request.

        Args:
            chat_id: whom it is for.
            text: at least one character.
            since: when the attempt began, if earlier than now: the time that a
                request may take counts from there, and no byte leaves after it.

        Raises:
            Retryable: certainly not accepted; later it may be.
            Permanent: certainly not accepted, and never will be.
            Unknown: the answer was lost or makes no sense.
        """
        ...


class Slack(Protocol):
    """The way back to the people in Slack.

    Every call raises SlackUnavailable (try later) or SlackRefused (never will).
    """

    def post(self, channel_id: str, card: Card) -> ThreadRef:
        """Post a root card and return the thread it opens."""
        ...

    def reply(self, thread: ThreadRef, card: Card) -> str:
        """Post into a thread and return the reply's ``ts``."""
        ...

    def update(self, channel_id: str, ts: str, card: Card) -> None:
        """Rewrite one of our messages."""
        ...

    def find(
        self,
        channel_id: str,
        key: str,
        since: datetime,
        thread_ts: str | None = None,
    ) -> str | None:
        """Return the ``ts`` of our message with this ``Card.key``.

        None if it is certainly not there. Where the app may not look, or there is too
        much to look through, that is SlackRefused.

        Args:
            channel_id: where it was posted.
            key: the card's.
            since: a moment before it was posted.
            thread_ts: the thread of a reply; None for a root card.
        """
        ...

    def join(self, channel_id: str) -> None:
        """Join a public channel."""
        ...

    def open_direct(self, user_id: str) -> str:
        """Return the id of the app's direct-message channel with a user."""
        ...

    def respond(self, response_url: str, text: str) -> None:
        """Show a text to the one who typed the command."""
        ...

    def member(self, user_id: str) -> Member:
        """Return what Slack knows of a user (remembered for a few minutes)."""
        ...
