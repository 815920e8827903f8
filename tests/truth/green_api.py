"""A GREEN-API that keeps the truth: what it took, what it tells, and when.

It may take a text and lose its answer, take it late, double and reorder what it
notifies of. Times, ids and shapes are as GREEN-API documents them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any

from bridge.errors import Permanent, Retryable, SendError, Unknown
from bridge.model import ChatId, MessageId, Sighting
from bridge.reasons import Reason
from tests.truth.doom import Doom

INSTANCE = "1101000001"
OUR_NUMBER = "79876543210@c.us"
READ_TIMEOUT = 30.0
BEYOND_THE_SEARCH = timedelta(seconds=180)


class Post(StrEnum):
    """What becomes of one POST."""

    TAKEN = auto()
    TAKEN_UNANSWERED = auto()
    TAKEN_LATE = auto()  # unanswered, and taken only after ``late`` seconds
    LOST = auto()  # unanswered, and never taken
    TAKEN_WITH_500 = auto()
    LOST_WITH_500 = auto()
    GARBLED = auto()  # taken, but the answer makes no sense
    REFUSED = auto()
    QUOTA = auto()
    BUSY = auto()  # 429
    UNREACHABLE = auto()
    LOGGED_OUT = auto()
    STARTING = auto()


TAKES = {Post.TAKEN, Post.TAKEN_UNANSWERED, Post.TAKEN_WITH_500, Post.GARBLED}
ERRORS: dict[Post, Callable[[], SendError]] = {
    Post.TAKEN_UNANSWERED: lambda: Unknown(Reason.NO_ANSWER),
    Post.TAKEN_LATE: lambda: Unknown(Reason.NO_ANSWER),
    Post.LOST: lambda: Unknown(Reason.NO_ANSWER),
    Post.TAKEN_WITH_500: lambda: Unknown(Reason.SERVER_ERROR),
    Post.LOST_WITH_500: lambda: Unknown(Reason.SERVER_ERROR),
    Post.GARBLED: lambda: Unknown(Reason.GARBLED),
    Post.REFUSED: lambda: Permanent(Reason.BAD_REQUEST),
    Post.QUOTA: lambda: Permanent(Reason.QUOTA),
    Post.UNREACHABLE: lambda: Retryable(Reason.UNREACHABLE),
    Post.LOGGED_OUT: lambda: Retryable(Reason.NOT_AUTHORIZED, account=True),
    Post.STARTING: lambda: Retryable(Reason.STARTING, account=True),
}
BY_STATE = {"notAuthorized": Post.LOGGED_OUT, "starting": Post.STARTING}


@dataclass
class Taken:
    """One text that GREEN-API took: a line of the ledger."""

    id_message: MessageId
    chat_id: ChatId
    text: str
    posted_at: datetime
    taken_at: datetime
    in_journal_at: datetime | None  # None: its journal never shows it
    is_announced: bool = False  # an echo of it was notified

    @property
    def is_late(self) -> bool:
        """Whether it came when nobody could wait for it any more."""
        return self.taken_at - self.posted_at >= BEYOND_THE_SEARCH


@dataclass(frozen=True)
class Waiting:
    """The head of the queue of notifications."""

    receipt_id: int
    body: object


@dataclass
class SimulatedGreenApi:
    """Implements WhatsApp, Records, Console and Source.

    Attributes:
        posts: what becomes of the next POSTs; when it is empty, the state decides.
        receipts: (seconds after it was taken, status, how often) for each text.
        during: called while a POST is under way, after its text was taken.
        is_stored: whether a notification's row is on the disk.
        has_attempt: whether an attempt for such a text is on the disk.
    """

    clock: Callable[[], datetime]
    pass_seconds: Callable[[float], None]
    doom: Doom
    has_attempt: Callable[[ChatId, str], bool]
    is_stored: Callable[[object], bool]
    posts: deque[Post] = field(default_factory=deque)
    receipts: tuple[tuple[float, str, int], ...] = ((1.0, "delivered", 1),)
    echo_after: float | None = None
    journal_lag: float | None = 60.0
    queue_seconds: float = 0.0
    skew: float = 0.0  # of its clock, seconds
    late: float = 45.0
    retry_after: float = 7.0
    state: str = "authorized"
    number: str = OUR_NUMBER
    during: Callable[[], None] | None = None
    lost_answers: int = 0  # of deletions
    ledger: list[Taken] = field(default_factory=list)
    posted: list[tuple[ChatId, str, datetime]] = field(default_factory=list)
    unannounced_posts: list[str] = field(default_factory=list)
    premature_deletions: list[object] = field(default_factory=list)
    told: dict[MessageId, set[str]] = field(default_factory=dict)
    notifications: list[tuple[int, object]] = field(default_factory=list)
    plans: list[tuple[datetime, int, str, tuple[Any, ...]]] = field(
        default_factory=list
    )
    serial: int = 0

    # --- time ---------------------------------------------------------------------

    def plan(self, seconds: float, method: str, *values: object) -> None:
        """Have one of the methods below called after so many seconds."""
        at = self.clock() + timedelta(seconds=seconds)
        self.plans.append((at, self._next_number(), method, values))
        self.plans.sort(key=lambda plan: plan[:2])

    def next_plan(self) -> datetime | None:
        """Return when something will happen by itself."""
        return self.plans[0][0] if self.plans else None

    def settle(self) -> None:
        """Let everything happen whose time has come."""
        while self.plans and self.plans[0][0] <= self.clock():
            _, _, method, values = self.plans.pop(0)
            getattr(self, method)(*values)

    def _next_number(self) -> int:
        self.serial += 1
        return self.serial

    # --- the way to WhatsApp ------------------------------------------------------

    def send_message(
        self, chat_id: ChatId, text: str, since: datetime | None = None
    ) -> MessageId:
        self.doom.reach("before the POST")
        if not self.has_attempt(chat_id, text):
            self.unannounced_posts.append(text)
        posted_at = self.clock()
        self.posted.append((chat_id, text, posted_at))
        becomes = self._next_post()
        taken = None
        if becomes in TAKES:
            taken = self.take(chat_id, text, posted_at)
        elif becomes is Post.TAKEN_LATE:
            self.plan(self.late, "take", chat_id, text, posted_at)
        self._pass_while_under_way(becomes)
        self.doom.reach("after the POST")
        if becomes is Post.TAKEN and taken is not None:
            return taken.id_message
        if becomes is Post.BUSY:
            raise Retryable(Reason.RATE_LIMITED, retry_after=self.retry_after)
        raise ERRORS[becomes]()

    def _next_post(self) -> Post:
        if self.posts:
            return self.posts.popleft()
        return BY_STATE.get(self.state, Post.TAKEN)

    def _pass_while_under_way(self, becomes: Post) -> None:
        is_timeout = becomes in {Post.TAKEN_UNANSWERED, Post.LOST, Post.TAKEN_LATE}
        self.pass_seconds(READ_TIMEOUT if is_timeout else 0.3)
        if self.during is not None:
            during, self.during = self.during, None
            during()

    def take(self, chat_id: ChatId, text: str, posted_at: datetime) -> Taken:
        now = self.clock()
        id_message = MessageId(f"3EB0{len(self.ledger) + 1:016X}")
        lag = self.journal_lag
        seen_at = now + timedelta(seconds=self.queue_seconds + lag) if lag else None
        taken = Taken(id_message, chat_id, text, posted_at, now, seen_at)
        self.ledger.append(taken)
        if self.echo_after is not None:
            self.plan(self.echo_after, "echo", taken)
        for seconds, word, times in self.receipts:
            self.plan(seconds, "receipt", taken, word, times)
        return taken

    # --- what it notifies of ------------------------------------------------------

    def notify(self, body: object) -> None:
        """Put a notification at the end of the queue."""
        self.notifications.append((self._next_number(), body))

    def echo(self, taken: Taken) -> None:
        taken.is_announced = True
        self.notify(
            {
                **self._envelope("outgoingAPIMessageReceived"),
                "timestamp": self._stamp(taken.taken_at),
                "idMessage": taken.id_message,
                "senderData": {"chatId": taken.chat_id, "sender": self.number},
                "messageData": {
                    "typeMessage": "extendedTextMessage",
                    "extendedTextMessageData": {"text": taken.text},
                },
            }
        )

    def receipt(self, taken: Taken, word: str, times: int = 1) -> None:
        """Notify so many times of one status."""
        self.told.setdefault(taken.id_message, set()).add(word)
        body = {
            **self._envelope("outgoingMessageStatus"),
            "chatId": taken.chat_id,
            "idMessage": taken.id_message,
            "status": word,
            "sendByApi": True,
        }
        for _ in range(times):
            self.notify(body)

    def become(self, state: str, number: str | None = None) -> None:
        """Change the account's state and perhaps its number, and notify of it."""
        self.number = number or self.number
        self.state = state
        envelope = self._envelope("stateInstanceChanged")
        self.notify({**envelope, "stateInstance": state})

    def incoming(self, text: str) -> None:
        """A customer writes."""
        number = self._next_number()
        self.notify(
            {
                **self._envelope("incomingMessageReceived"),
                "idMessage": f"IN{number}",
                "senderData": {"chatId": "14155550100@c.us", "sender": "1@c.us"},
                "messageData": {
                    "typeMessage": "textMessage",
                    "textMessageData": {"textMessage": text},
                },
            }
        )

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {
            "typeWebhook": kind,
            "instanceData": {"idInstance": int(INSTANCE), "wid": self.number},
            "timestamp": self._stamp(self.clock()),
        }

    def _stamp(self, moment: datetime) -> int:
        return int(moment.timestamp() + self.skew)

    def receive_notification(self, timeout_seconds: int) -> Waiting | None:
        self.doom.reach("before receiveNotification")
        if not self.notifications:
            return None
        receipt_id, body = self.notifications[0]
        return Waiting(receipt_id, body)

    def delete_notification(self, receipt_id: int) -> bool:
        self.doom.reach("before deleteNotification")
        found = [body for number, body in self.notifications if number == receipt_id]
        self.premature_deletions += [b for b in found if not self.is_stored(b)]
        self.notifications = [n for n in self.notifications if n[0] != receipt_id]
        self.doom.reach("after deleteNotification")
        if self.lost_answers:
            self.lost_answers -= 1
            raise Retryable(Reason.UNREACHABLE)
        return bool(found)

    # --- what it shows ------------------------------------------------------------

    def sightings_in_queue(self) -> list[Sighting]:
        """Return what waits, but for the head: GREEN-API hides it."""
        self.doom.reach("before showMessagesQueue")
        wait = timedelta(seconds=self.queue_seconds)
        queue = [each for each in self.ledger if self.clock() < each.taken_at + wait]
        return [Sighting(e.id_message, e.chat_id, e.text, None) for e in queue[1:]]

    def sightings_in_journal(self, minutes: int) -> list[Sighting]:
        self.doom.reach("before lastOutgoingMessages")
        now, span = self.clock(), timedelta(minutes=minutes)
        shown = [
            each
            for each in self.ledger
            if each.in_journal_at is not None
            and each.in_journal_at <= now
            and now - each.taken_at <= span
        ]
        skew = timedelta(seconds=self.skew)
        return [
            Sighting(e.id_message, e.chat_id, e.text, e.taken_at + skew) for e in shown
        ]

    def get_state_instance(self) -> str:
        self.doom.reach("before getStateInstance")
        return self.state

    def wid(self) -> str | None:
        self.doom.reach("before getSettings")
        return self.number if self.state == "authorized" else None
