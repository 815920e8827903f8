"""A Slack that keeps what people see, and may lose its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bridge.errors import SlackRefused, SlackUnavailable
from bridge.model import Card, Member, ThreadRef
from tests.truth.doom import Doom


@dataclass
class Line:
    """One message as Slack has it."""

    channel: str
    ts: str
    thread_ts: str | None
    card: Card


@dataclass
class SimulatedSlack:
    """Implements ``ports.Slack``.

    Attributes:
        lose_answers: so many of the next posts are made, but nobody is told so.
        down_until: until then nothing is done, and nothing answered.
        limited: so many of the next calls are told to come back in 30 s.
        closed: channels that refuse posts, with Slack's word for it.
        joinable: closed channels that let the app in.
        uneditable: refuse edits.
        blind: refuse to be looked into.
    """

    clock: Callable[[], datetime]
    doom: Doom
    lose_answers: int = 0
    down_until: datetime | None = None
    limited: int = 0
    closed: dict[str, str] = field(default_factory=dict)
    joinable: set[str] = field(default_factory=set)
    uneditable: set[str] = field(default_factory=set)
    blind: set[str] = field(default_factory=set)
    members: dict[str, Member] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    responses: list[tuple[str, str]] = field(default_factory=list)
    dead_urls: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # channels that refused a post
    stale: set[str] = field(default_factory=set)  # channels that refused an edit
    serial: int = 0

    def post(self, channel_id: str, card: Card) -> ThreadRef:
        return ThreadRef(channel_id, self._add("post", channel_id, None, card))

    def reply(self, thread: ThreadRef, card: Card) -> str:
        return self._add("reply", thread.channel_id, thread.thread_ts, card)

    def update(self, channel_id: str, ts: str, card: Card) -> None:
        self._begin("update")
        if channel_id in self.uneditable or channel_id in self.closed:
            self.stale.add(channel_id)
            raise SlackRefused("cant_update_message")
        line = next(line for line in self.lines if line.ts == ts)
        line.card = card
        self._end("update")

    def find(
        self,
        channel_id: str,
        key: str,
        since: datetime,
        thread_ts: str | None = None,
    ) -> str | None:
        self._begin("find")
        if channel_id in self.blind or channel_id in self.closed:
            raise SlackRefused("missing_scope")
        found = (
            line.ts
            for line in self.lines
            if (line.channel, line.thread_ts) == (channel_id, thread_ts)
            and line.card.key == key
            and float(line.ts) >= int(since.timestamp())
        )
        return next(found, None)

    def join(self, channel_id: str) -> None:
        self._begin("join")
        if channel_id not in self.joinable:
            raise SlackRefused("method_not_supported_for_channel_type")
        self.closed.pop(channel_id, None)
        self._end("join")

    def open_direct(self, user_id: str) -> str:
        self._begin("open_direct")
        if user_id in self.closed:
            raise SlackRefused(self.closed[user_id])
        return f"D{user_id}"

    def respond(self, response_url: str, text: str) -> None:
        self._begin("respond")
        if response_url in self.dead_urls:
            raise SlackRefused("HTTP 404")
        self.responses.append((response_url, text))
        self._end("respond")

    def member(self, user_id: str) -> Member:
        # Answered from memory as a rule: an outage of Slack does not stop a send.
        return self.members.get(user_id, Member("Dana", may_send=True))

    def _add(
        self, name: str, channel_id: str, thread_ts: str | None, card: Card
    ) -> str:
        self._begin(name)
        if channel_id in self.closed:
            self.refused.add(channel_id)
            raise SlackRefused(self.closed[channel_id])
        self.serial += 1
        ts = f"{int(self.clock().timestamp())}.{self.serial:06d}"
        self.lines.append(Line(channel_id, ts, thread_ts, card))
        self._end(name)
        if self.lose_answers:
            self.lose_answers -= 1
            raise SlackUnavailable("timeout")
        return ts

    def _begin(self, name: str) -> None:
        self.doom.reach(f"before {name}")
        if self.down_until is not None and self.clock() < self.down_until:
            raise SlackUnavailable("HTTP 503")
        if self.limited:
            self.limited -= 1
            raise SlackUnavailable("ratelimited", 30.0)

    def _end(self, name: str) -> None:
        self.doom.reach(f"after {name}")
