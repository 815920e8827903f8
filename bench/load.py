"""Slack's side of a command: types it, and times the ack."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from bench.wire import (
    Messages,
    request,
)

SIGNING_SECRET = "bench-signing-secret"  # noqa: S105 - opens nothing
PATIENCE = 60.0  # seconds after which an ack is given up
_run = f"{os.getpid()}.{time.time_ns()}"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Command:
    """One ``/whatsapp`` of one user, to one chat."""

    number: int  # unique in a whole bench; part of the text
    place: int  # which channel and which chat: each channel writes to its own chat
    user: int

    @property
    def chat_id(self) -> str:
        """The chat it is for."""
        return f"{14155550000 + self.place}@c.us"

    def fields(self) -> dict[str, str]:
        """Return Slack's payload."""
        return {
            "token": "unused",
            "team_id": "T1",
            "team_domain": "bench",
            "channel_id": f"C{self.place:04d}",
            "channel_name": f"channel-{self.place}",
            "user_id": f"U{self.user:04d}",
            "user_name": f"user-{self.user}",
            "command": "/whatsapp",
            "text": f"+{self.chat_id[:-5]} Order {self.number:07d} ships today :tada:",
            "api_app_id": "A1",
            "is_enterprise_install": "false",
            "response_url": "http://127.0.0.1:9/commands/T1/1/none",
            "trigger_id": f"{_run}.{self.number}",
        }


def commands(count: int, *, places: int = 100, users: int = 20) -> list[Command]:
    """Return new commands, spread evenly over channels, their chats, and users."""
    return [
        Command(next(_numbers), place=n % places, user=n % users) for n in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Ack:
    """What became of one command; times are ``time.monotonic()``."""

    command: Command
    sent_at: float
    acked_at: float | None  # None: no ack came
    text: str = ""

    @property
    def seconds(self) -> float:
        """How long it took; endless if it never came."""
        return float("inf") if self.acked_at is None else self.acked_at - self.sent_at

    @property
    def is_queued(self) -> bool:
        """Whether the bridge promised to send it."""
        return self.text.startswith("Queued")


class Typist(Protocol):
    """Sends one command and waits for its ack."""

    async def type(self, command: Command) -> Ack:
        """Return the ack, or what became of it."""


async def one_by_one(
    typist: Typist, todo: Iterable[Command], outstanding: int = 1
) -> list[Ack]:
    """Type each command as soon as fewer than ``outstanding`` wait for an ack."""
    left = iter(todo)
    acks: list[Ack] = []

    async def work() -> None:
        for command in left:
            acks.append(await typist.type(command))

    await asyncio.gather(*(work() for _ in range(outstanding)))
    return acks


async def at_once(typist: Typist, todo: Sequence[Command]) -> list[Ack]:
    """Type all commands at the same moment."""
    return await asyncio.gather(*(typist.type(command) for command in todo))


class Http:
    """Types over HTTP as Slack does: signed, each on a connection of its own."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def type(self, command: Command) -> Ack:
        """Return the ack; a status other than 200 is none."""
        signed = _signed(urlencode(command.fields()).encode())
        sent_at = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                head, body, at = await exchange(self._port, signed)
        except (OSError, TimeoutError):
            return Ack(command, sent_at, None)
        is_ok = head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
        return Ack(command, sent_at, at if is_ok else None, _text(body))


def _signed(body: bytes) -> bytes:
    now = int(time.time())
    base = b"v0:%d:%s" % (now, body)
    digest = hmac.new(SIGNING_SECRET.encode(), base, hashlib.sha256).hexdigest()
    return request(
        "/slack/events",
        body,
        "Content-Type: application/x-www-form-urlencoded",
        f"X-Slack-Request-Timestamp: {now}",
        f"X-Slack-Signature: v0={digest}",
    )


def _text(body: bytes) -> str:
    return str(json.loads(body)["text"]) if body.startswith(b"{") else body.decode()


async def exchange(port: int, data: bytes) -> tuple[bytes, bytes, float]:
    """Send a request; return the answer's head, its body and when it was whole."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(
        lambda: _Exchange(data), "127.0.0.1", port
    )
    try:
        return await protocol.done
    finally:
        transport.abort()


class _Exchange(asyncio.Protocol):
    def __init__(self, data: bytes) -> None:
        self.done: asyncio.Future[tuple[bytes, bytes, float]] = (
            asyncio.get_running_loop().create_future()
        )
        self._data = data
        self._messages = Messages()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP always is
        transport.write(self._data)

    def data_received(self, data: bytes) -> None:
        for head, body in self._messages.feed(data):
            if not self.done.done():
                self.done.set_result((head, body, time.monotonic()))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("no answer"))
