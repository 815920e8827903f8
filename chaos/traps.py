"""Kills that strike at a certain moment of a certain request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from bridge.sandbox.slack.workspace import Json
from chaos.evidence import Post
from tests.harness import World

# The emulators know no replica, so each trap names the one it kills.
Kill = Callable[[int], None]

ATTEMPTS = (
    "SELECT count(*) FROM attempts JOIN deliveries ON deliveries.id = delivery_id"
    " WHERE text = :text AND chat_id = :chat_id"
)


@dataclass(frozen=True, slots=True)
class Trap:
    """The first request that is such a one kills the bridge."""

    method: str
    is_executed: bool  # or else it came in and will not be executed
    replica: int


class Traps:
    """Listens to every request of the bridges, on both sides of its execution.

    Attributes:
        posts: every ``sendMessage`` that came in, with the attempts stored by then.
    """

    def __init__(self, world: World, kill: Kill) -> None:
        self.posts: list[Post] = []
        self.sprung = 0
        self._world = world
        self._kill = kill
        self._guard = threading.Lock()
        self._set: list[Trap] = []
        self.listen()

    def listen(self) -> None:
        """Put the hooks in their places; healing the world takes them away."""
        self._world.on_slack = self._received
        self._world.slack.on_reply = self._executed
        self._world.green.on_request = self._note_and_receive
        self._world.green.on_executed = self._executed

    def set(self, trap: Trap) -> None:
        """Set a trap; it springs once."""
        with self._guard:
            self._set.append(trap)

    def clear(self) -> None:
        """Take all traps away."""
        with self._guard:
            self._set.clear()

    def _note_and_receive(self, method: str, body: Json | None) -> None:
        if method == "sendMessage" and body is not None:
            self._note_post(str(body.get("chatId")), str(body.get("message")))
        self._received(method, body)

    def _note_post(self, chat_id: str, text: str) -> None:
        stored = None
        with suppress(DBAPIError):  # cut off as everybody was, on purpose
            stored = int(self._world.rows(ATTEMPTS, text=text, chat_id=chat_id)[0][0])
        with self._guard:
            self.posts.append(Post(chat_id, text, stored))

    def _received(self, method: str, _arguments: Json | None) -> None:
        if trap := self._take(method, is_executed=False):
            self._order_no_execution(method)
            self._spring(trap)

    def _executed(self, method: str, _arguments: Json | None) -> None:
        if trap := self._take(method, is_executed=True):
            self._spring(trap)

    def _take(self, method: str, is_executed: bool) -> Trap | None:
        with self._guard:
            for trap in self._set:
                if (trap.method, trap.is_executed) == (method, is_executed):
                    self._set.remove(trap)
                    return trap
        return None

    def _order_no_execution(self, method: str) -> None:
        if "." not in method:  # as all of Slack's have
            self._world.green.fault(method, drop="before")
        else:
            self._world.slack.fault(method, drop="before")

    def _spring(self, trap: Trap) -> None:
        self.sprung += 1
        self._kill(trap.replica)
