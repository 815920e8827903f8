"""What a round left behind, as plain data: all that the referee knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asked:
    """One command as a person typed it, and what they read at once.

    Attributes:
        ack: The bridge's answer; None when Slack showed an error of its own.
        is_undisturbed: A bridge was up, and nothing cut it off, all the while.
    """

    text: str
    chat_id: str
    typed_at: float  # seconds, as the two below
    answered_at: float
    ack: str | None
    is_undisturbed: bool = True

    @property
    def seconds(self) -> float:
        """How long the answer took."""
        return self.answered_at - self.typed_at


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery as the database has it at the end; words are those of the model."""

    id: str
    seq: int  # order of acceptance
    chat_id: str
    text: str
    status: str
    id_message: str | None = None
    retry_of: str | None = None
    is_told: bool = True  # nothing is left to tell Slack


@dataclass(frozen=True, slots=True)
class Line:
    """One message of ours in Slack.

    Attributes:
        key: Our name for it in its metadata: ``<delivery>:root``, ``<delivery>:reply``.
        texts: Everything it ever said, oldest first; the last is what it says.
    """

    key: str
    texts: tuple[str, ...]
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that GREEN-API said yes to, in order; the truth.

    Attributes:
        was_seen: Its echo was put where the bridge reads it.
        receipts: GREEN-API's words on it that were put there.
    """

    id: str
    chat_id: str
    text: str
    was_seen: bool = False
    receipts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Post:
    """One ``sendMessage`` that reached GREEN-API.

    Attributes:
        attempts: Attempts stored for this chat and text when it came in; None when
            the database could not be asked.
    """

    chat_id: str
    text: str
    attempts: int | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything about one round."""

    asked: Sequence[Asked] = ()
    rows: Sequence[Row] = ()
    lines: Sequence[Line] = ()
    ledger: Sequence[Accepted] = ()
    posts: Sequence[Post] = ()
    pressed: frozenset[str] = frozenset()  # deliveries to be sent again, by button
    lanes: int = 0  # rows that still take a chat
    incoming: frozenset[str] = frozenset()  # ids of what customers wrote
    kept: frozenset[str] = frozenset()  # those of them that the database has
    dead_letters: int = 0
    odd: int = 0  # notifications that nobody can understand, sent on purpose
    leaks: Sequence[str] = ()
    integrity: str = "ok"
    bugs: Sequence[str] = ()  # tracebacks, ends that nobody asked for
    rested: bool = True
    figures: dict[str, int] = field(default_factory=dict)
