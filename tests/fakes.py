"""Fakes of the two ports and of the clock: plain lists and dicts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.errors import SendError, SlackError, SlackRefused, SlackUnavailable
from bridge.model import Card, ChatId, Member, MessageId, Sighting, ThreadRef


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class FakeWhatsApp:
    """Accepts everything, or fails once for each error in ``errors``."""

    sent: list[tuple[ChatId, str]] = field(default_factory=list)
    errors: list[SendError] = field(default_factory=list)

    def send_message(
        self, chat_id: ChatId, text: str, since: datetime | None = None
    ) -> MessageId:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append((chat_id, text))
        return MessageId(f"3EB0{len(self.sent):016X}")


@dataclass
class FakeGreenApi:
    """What GREEN-API shows and says; a method named in ``errors`` raises that."""

    queue: list[Sighting] = field(default_factory=list)
    journal: list[Sighting] = field(default_factory=list)
    state: str = "authorized"
    number: str | None = "79001234567@c.us"
    errors: dict[str, SendError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    minutes: list[int] = field(default_factory=list)  # of journal that were asked for

    def sightings_in_queue(self) -> list[Sighting]:
        self._ask("queue")
        return self.queue

    def sightings_in_journal(self, minutes: int) -> list[Sighting]:
        self._ask("journal")
        self.minutes.append(minutes)
        return self.journal

    def get_state_instance(self) -> str:
        self._ask("state")
        return self.state

    def wid(self) -> str | None:
        self._ask("wid")
        return self.number

    def _ask(self, method: str) -> None:
        self.asked.append(method)
        if method in self.errors:
            raise self.errors[method]


@dataclass
class Line:
    """One message as Slack has it."""

    channel: str
    ts: str
    thread_ts: str | None
    card: Card
    edits: int = 0


@dataclass
class FakeSlack:
    """A workspace of lines; ``closed`` channels refuse, ``errors`` fail once each.

    The next ``lose_answers`` posts and replies are made, but nobody is told so.
    """

    lines: list[Line] = field(default_factory=list)
    responses: list[tuple[str, str]] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)  # channel: Slack's word
    joinable: set[str] = field(default_factory=set)
    errors: list[SlackError] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    lose_answers: int = 0
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def post(self, channel_id: str, card: Card) -> ThreadRef:
        self._call("post", channel_id)
        return ThreadRef(channel_id, self._add(channel_id, None, card))

    def reply(self, thread: ThreadRef, card: Card) -> str:
        self._call("reply", thread.channel_id)
        return self._add(thread.channel_id, thread.thread_ts, card)

    def update(self, channel_id: str, ts: str, card: Card) -> None:
        self._call("update", channel_id)
        line = next(line for line in self.lines if line.ts == ts)
        line.card = card
        line.edits += 1

    def find(
        self,
        channel_id: str,
        key: str,
        since: datetime,
        thread_ts: str | None = None,
    ) -> str | None:
        """Find a line however old it is: a fake's ``ts`` says nothing of its time."""
        self._call("find", channel_id)
        found = (
            line.ts
            for line in self.lines
            if (line.channel, line.thread_ts) == (channel_id, thread_ts)
            and line.card.key == key
        )
        return next(found, None)

    def join(self, channel_id: str) -> None:
        self._call("join")
        if channel_id not in self.joinable:
            raise SlackRefused("method_not_supported_for_channel_type")
        del self.closed[channel_id]

    def open_direct(self, user_id: str) -> str:
        self._call("open_direct", f"D{user_id}")
        return f"D{user_id}"

    def respond(self, response_url: str, text: str) -> None:
        self._call("respond", response_url)
        self.responses.append((response_url, text))

    def member(self, user_id: str) -> Member:
        self._call("member")
        return self.members.get(user_id, Member("Dana", may_send=True))

    def threads(self) -> list[tuple[str, str, list[str]]]:
        """Return (channel, root headline, reply headlines) for each root."""
        return [
            (
                root.channel,
                root.card.headline,
                [li.card.headline for li in self.lines if li.thread_ts == root.ts],
            )
            for root in self.lines
            if root.thread_ts is None
        ]

    def _call(self, name: str, channel: str | None = None) -> None:
        self.calls.append(name)
        if self.errors:
            raise self.errors.pop(0)
        if channel is not None and channel in self.closed:
            raise SlackRefused(self.closed[channel])

    def _add(self, channel: str, thread_ts: str | None, card: Card) -> str:
        ts = f"1700000000.{next(self._numbers):06d}"
        self.lines.append(Line(channel, ts, thread_ts, card))
        if self.lose_answers:
            self.lose_answers -= 1
            raise SlackUnavailable("lost")
        return ts
