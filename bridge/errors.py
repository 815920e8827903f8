"""Every error the bridge raises on purpose.

::

    BridgeError                 str(error) may be shown to people
    ├── CommandError            the typed command can't be carried out; nothing stored
    ├── NotStored               the request came too late or the store is in trouble
    │   ├── NoRoom              the disk is nearly full
    │   └── TooMany             too many wait already, or were asked for just now
    ├── SendError               what came of one attempt to reach WhatsApp
    │   ├── Retryable           certainly not accepted: try again later
    │   ├── Permanent           certainly not accepted, and never will be
    │   └── Unknown             may or may not have been accepted: never send again
    ├── SlackError              what came of one call to Slack
    │   ├── SlackUnavailable    try again later
    │   └── SlackRefused        the same call will always be refused
    ├── SettingsError           the bridge can't start as configured
    └── StoreError              the database can't be used, and why
        ├── StoreBusy           another program holds it; soon it can be used
        └── CommitUnknown       lost in the middle of a commit: stored or not
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class BridgeError(Exception):
    """An expected error; its text is fit to be shown."""


class Code(StrEnum):
    """Why a command was refused; part of ``bridge explain --json``."""

    EMPTY = "empty"
    USAGE = "usage"
    MESSAGE_REQUIRED = "message_required"
    MESSAGE_TOO_LONG = "message_too_long"
    NUMBER_FORMAT = "number_format"
    NUMBER_LENGTH = "number_length"
    NUMBER_INVALID = "number_invalid"
    CHAT_ID_FORMAT = "chat_id_format"
    RECIPIENT_MENTION = "recipient_mention"
    RECIPIENT_UNKNOWN = "recipient_unknown"
    AMBIGUOUS_NUMBER = "ambiguous_number"


class CommandError(BridgeError):
    """A command that can't be carried out as typed; nothing was stored."""

    def __init__(self, code: Code, say: str) -> None:
        super().__init__(say)
        self.code = code


class NotStored(BridgeError):
    """The request was not stored, so nothing will be sent."""


class NoRoom(NotStored):
    """The disk is nearly full; what is stored already still gets its answers."""


class Crowd(StrEnum):
    """Where there are too many."""

    BRIDGE = "bridge"  # of all that wait
    CHAT = "chat"  # of those that wait for one chat
    PERSON = "person"  # of those that one person asked for in a minute


class TooMany(NotStored):
    """One more would only wait; it is refused instead."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__(f"too many for one {crowd}")
        self.crowd = crowd


class SameAgain(NotStored):
    """The same person asked for the same a moment ago.

    Perhaps they were told that it failed, because the ack was lost on its way.

    Attributes:
        first: the id of the delivery that exists.
        ago: since when.
    """

    def __init__(self, first: str, ago: timedelta) -> None:
        super().__init__("the same again")
        self.first = first
        self.ago = ago


class SendError(BridgeError):
    """One attempt to reach WhatsApp that brought no ``idMessage``.

    ``reason`` is a word of ``wording.REASONS``; the text never quotes the answer,
    because GREEN-API's error bodies echo the token and other people's numbers.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Retryable(SendError):
    """Certainly not accepted; the same text may be tried again.

    ``account`` says that the whole WhatsApp account can't send at the moment;
    ``retry_after`` is the pause in seconds the other side asked for, if any.
    """

    def __init__(
        self, reason: str, *, account: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.account = account
        self.retry_after = retry_after


class Permanent(SendError):
    """Certainly not accepted, and trying again would not help."""


class Unknown(SendError):
    """May or may not have been accepted; must never be sent again by itself."""


class SlackError(BridgeError):
    """One call to Slack that did not do what was asked."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Slack answered {code}")
        self.code = code


class SlackUnavailable(SlackError):
    """Slack is slow, down or limits us; the same call may work later.

    ``retry_after`` is Slack's own pause in seconds, if it named one; then it certainly
    did not do what was asked.
    """

    def __init__(self, code: str, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.retry_after = retry_after

    @property
    def may_be_done(self) -> bool:
        """Whether Slack may have done it, and only its answer was lost."""
        return self.retry_after is None


class SlackRefused(SlackError):
    """Slack will always refuse this call; ``code`` is Slack's own word for why."""


class SettingsError(BridgeError):
    """The settings can't work; ``problems`` holds one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StoreError(BridgeError):
    """The database can't be used; the text says why and what to do."""


class StoreBusy(StoreError):
    """Another program holds the database at the moment."""


class CommitUnknown(StoreError):
    """The database was lost in the middle of a commit: it may have been stored."""
