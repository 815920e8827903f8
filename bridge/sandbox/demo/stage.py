"""What the steps of the tour do and see: type, wait, show, compare."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from http import HTTPStatus
from typing import Any, TypeVar

from bridge.sandbox.demo.screen import Screen
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.page import Sandbox
from bridge.sandbox.slack import SlackSandbox

_T = TypeVar("_T")

PATIENCE = 20.0  # seconds until a step that waits has failed: a limit, no measure
_CHANNEL = "C0SUPPORT"


class Differs(Exception):
    """A step went another way than it must."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; seen: {seen}")
        self.expected = expected
        self.seen = seen


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that was typed, and what was there before it."""

    chat_id: str
    at: float  # Unix time
    answer: str  # what only its author saw at once
    cards: int  # in the channel
    posts: int  # at GREEN-API


@dataclass(frozen=True, slots=True)
class Stage:
    """The sandbox and the screen, as the steps use them."""

    sandbox: Sandbox
    screen: Screen
    check: Callable[[], None]  # raises when waiting has become pointless

    @property
    def slack(self) -> SlackSandbox:
        """The emulated Slack."""
        return self.sandbox.slack

    @property
    def green(self) -> GreenApiSandbox:
        """The emulated GREEN-API."""
        return self.sandbox.green

    def ask(self, recipient: str, text: str) -> Asked:
        """Type a command as @dana; show it and the answer that only she sees.

        Raises:
            Differs: so do all of these methods, when it goes another way.
        """
        typed = f"{recipient} {text}"
        cards, posts, at = len(self._cards()), len(self.green.posts), time.time()
        self.screen.line("you", f"/whatsapp {typed}")
        command = self.sandbox.say(f"/whatsapp {typed}")["command"]
        if command["ephemeral"] is None:
            raise Differs("an answer at once", command["notice"] or "none")
        answer = self._plain(command["ephemeral"])
        self.screen.line("only you", answer, _span(time.time() - at))
        return Asked(_chat_id(recipient), at, answer, cards, posts)

    def queue(self, recipient: str, text: str) -> Asked:
        """Type a command that must be taken."""
        asked = self.ask(recipient, text)
        if not asked.answer.startswith("Queued for "):
            raise Differs("the answer “Queued for …”", asked.answer)
        return asked

    def card(self, asked: Asked, state: str, *, is_whole: bool = False) -> None:
        """Wait until the root card is in a state; show its head, or all of it."""

        def shown() -> dict[str, Any] | None:
            cards = self._cards()[asked.cards :]
            return next((card for card in cards if state in card["text"]), None)

        def seen() -> list[str]:
            return [card["text"] for card in self._cards()[asked.cards :]]

        lines = self._lines(self._until(shown, f"a card that says “{state}”", seen))
        self.screen.line("channel", "\n".join(lines if is_whole else lines[:1]))

    def reply(self, asked: Asked, words: str) -> None:
        """Wait for the reply under the card and show it; it must be the only one."""
        found = self._until(lambda: self._replies(asked), f"a reply: “{words}”")
        texts = [self._plain(each["text"]) for each in found]
        took = float(found[-1]["ts"]) - asked.at
        self.screen.line("thread", "\n".join(texts), _span(took))
        if len(texts) != 1 or words not in texts[0]:
            raise Differs(f"one reply, “{words}”", _listed(texts))

    def read(self, asked: Asked) -> None:
        """Wait for the good end: it is read, and the thread has the ``idMessage``."""
        self.card(asked, "message: read")
        ids = [each.id for each in self.green.ledger if each.chat_id == asked.chat_id]
        words = f"Read · idMessage {' '.join(ids)}"
        self._until(
            lambda: any(words in self._plain(r["text"]) for r in self._replies(asked)),
            f"a reply: “{words}”",
            lambda: [self._plain(each["text"]) for each in self._replies(asked)],
        )
        self.reply(asked, words)

    def phone(self, asked: Asked, text: str) -> None:
        """Wait until the text is on the phone; show it. It must be there once."""
        texts = self._until(lambda: self._arrived(asked), f"“{text}” on the phone")
        for each in texts:
            self.screen.line("phone", each, f"({_name(asked.chat_id)})")
        if texts != [text]:
            raise Differs(f"“{text}” on the phone, once", _listed(texts))

    def statuses(self, asked: Asked, *expected: int) -> None:
        """Wait for GREEN-API's answers to the attempts to send it, and show them."""

        def answers() -> list[str]:
            calls = self.green.log.since(kind="api_call")
            sent = [c.data for c in calls if c.data["method"] == "sendMessage"]
            return [_phrase(call["status"]) for call in sent[asked.posts :]]

        def enough() -> list[str]:
            return answers() if len(answers()) >= len(expected) else []

        wanted = [_phrase(status) for status in expected]
        seen = self._until(enough, f"{_listed(wanted)} from GREEN-API", answers)
        self.screen.line("GREEN-API", ", then ".join(seen))
        if seen != wanted:
            raise Differs(f"{_listed(wanted)} from GREEN-API", _listed(seen))

    def nothing(self, asked: Asked) -> None:
        """Make sure that neither the channel nor GREEN-API got anything."""
        if len(self._cards()) > asked.cards:
            raise Differs("nothing in the channel", self._cards()[-1]["text"])
        if len(self.green.posts) > asked.posts:
            raise Differs("no request to GREEN-API", "one")

    def _until(
        self,
        look: Callable[[], _T | None],
        expected: str,
        seen: Callable[[], list[str]] = list,
    ) -> _T:
        """Return the first true answer of ``look``, asked after each event."""

        def look_again() -> _T | None:
            self.check()
            return look()

        try:
            return self.slack.wait_for(look_again, PATIENCE)
        except TimeoutError:
            raise Differs(expected, _listed(seen())) from None

    def _cards(self) -> list[dict[str, Any]]:
        return self.slack.messages(_CHANNEL)

    def _replies(self, asked: Asked) -> list[dict[str, Any]]:
        cards = self._cards()[asked.cards :]
        return self.slack.thread(_CHANNEL, cards[0]["ts"])[1:] if cards else []

    def _arrived(self, asked: Asked) -> list[str]:
        """Return the texts for a chat once all of them are on the phone."""
        log = self.green.log.since(kind="status")
        there = {e.data["id"] for e in log if e.data["status"] == "delivered"}
        sent = [each for each in self.green.ledger if each.chat_id == asked.chat_id]
        return [each.text for each in sent] if {e.id for e in sent} <= there else []

    def _lines(self, card: dict[str, Any]) -> list[str]:
        """Return a card as people read it, a line for each of its blocks."""
        parts = [
            part["text"] if isinstance(part["text"], str) else part["text"]["text"]
            for block in card["blocks"]
            for part in block.get("elements", [block])
        ]
        return [self._plain(part) for part in parts]

    def _plain(self, mrkdwn: str) -> str:
        """Return what people read of a text with Slack's markup."""
        users = self.slack.workspace.users
        named = re.sub(r"<@(\w+)>", lambda m: f"@{users[m[1]].name}", mrkdwn)
        return unescape(re.sub(r" +", " ", re.sub(r"[*`]", "", named)))


def _chat_id(recipient: str) -> str:
    return recipient if "@" in recipient else re.sub(r"\D", "", recipient) + "@c.us"


def _name(chat_id: str) -> str:
    """Return a chat as a phone shows it.

    >>> _name("14155550100@c.us"), _name("120363043968066561@g.us")
    ('+1 415 555 0100', 'the group')
    """
    digits, _, kind = chat_id.partition("@")
    if kind == "g.us":
        return "the group"
    return f"+{digits[0]} {digits[1:4]} {digits[4:7]} {digits[7:]}"


def _phrase(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _listed(texts: list[str]) -> str:
    return "; ".join(f"“{text}”" for text in texts) or "nothing"


def _span(seconds: float) -> str:
    """Return a short time.

    >>> _span(0.0042), _span(0.61), _span(12.04)
    ('4 ms', '0.6 s', '12.0 s')
    """
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else f"{seconds:.1f} s"
