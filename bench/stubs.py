"""Stub Slack and stub GREEN-API: ``python -m bench.stubs``, one process for both.

They keep no state but what the bench asks for, and answer after a set delay, so they
cost little beside what is measured; the bench prints their own floor.

The first line of output is ``{"plain": port, "tls": port | null}``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import ssl
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from bench import green
from bench.wire import Messages, answer

TLS_ENV = "BENCH_CERTIFICATE"  # a PEM file with key, if TLS is to be served too


@dataclass
class Seen:
    """What arrived since the last reset."""

    posts: list[tuple[float, bytes]] = field(default_factory=list)  # monotonic, JSON
    roots: int = 0
    replies: int = 0
    slack_calls: int = 0
    slack_at: float = 0.0  # monotonic time of the last call


class Stubs:
    """Answers both sides' requests after ``green_delay`` and ``slack_delay``."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.green_delay = 0.0
        self.slack_delay = 0.0
        self._numbers = itertools.count(1)

    def answer(self, target: str, body: bytes, *, is_tls: bool) -> tuple[bytes, float]:
        """Return the body of an answer and how many seconds it takes."""
        path, _, query = target.partition("?")
        if path.startswith("/waInstance"):
            found, seconds = self._green(path.split("/")[2], query, body)
            return json.dumps(found).encode(), self.green_delay + seconds
        if path.startswith("/bench/"):
            return json.dumps(self._control(path, body)).encode(), 0.0
        # /<port of this app's Socket Mode>/api/<method>
        _, socket_port, _, method = path.split("/")
        self.seen.slack_calls += 1
        self.seen.slack_at = time.monotonic()
        if method == "apps.connections.open":
            kind = "wss" if is_tls else "ws"
            told: dict[str, Any] = {"url": f"{kind}://127.0.0.1:{socket_port}/?app=1"}
        else:
            told = self._slack(method, body)
        return json.dumps({"ok": True, **told}).encode(), self.slack_delay

    def _green(self, method: str, query: str, body: bytes) -> tuple[object, float]:
        if method != "sendMessage":
            return green.answer(method, query)
        self.seen.posts.append((time.monotonic(), body))
        return {"idMessage": f"BAE5{next(self._numbers):012X}"}, 0.0

    def _slack(self, method: str, body: bytes) -> dict[str, Any]:
        match method:
            case "chat.postMessage":
                return self._posted(json.loads(body))
            case "chat.update":
                sent = json.loads(body)
                return {"channel": sent["channel"], "ts": sent["ts"], "text": ""}
            case "users.info":
                return {"user": _member(parse_qs(body.decode())["user"][0])}
            case "auth.test":
                return _IDENTITY
        return {"channel": {"id": "D1"}}

    def _posted(self, sent: dict[str, Any]) -> dict[str, Any]:
        if sent.get("thread_ts"):
            self.seen.replies += 1
        else:
            self.seen.roots += 1
        ts = f"{int(time.time())}.{next(self._numbers) % 1_000_000:06d}"
        return {"channel": sent["channel"], "ts": ts, "message": {"ts": ts}}

    def _control(self, path: str, body: bytes) -> dict[str, Any]:
        match path:
            case "/bench/reset":
                delays = json.loads(body)
                self.seen = Seen()
                self.green_delay = delays["green"]
                self.slack_delay = delays["slack"]
            case "/bench/posts":
                return {
                    "posts": [(at, json.loads(sent)) for at, sent in self.seen.posts]
                }
        return {
            "posts": len(self.seen.posts),
            "roots": self.seen.roots,
            "replies": self.seen.replies,
            "slack_calls": self.seen.slack_calls,
            "slack_quiet": time.monotonic() - self.seen.slack_at,
        }


_IDENTITY = {
    "url": "https://bench.slack.com/",
    "team": "Bench",
    "user": "bridge",
    "team_id": "T1",
    "user_id": "UBOT",
    "bot_id": "B1",
    "is_enterprise_install": False,
}


def _member(user_id: str) -> dict[str, Any]:
    return {
        "id": user_id,
        "team_id": "T1",
        "name": user_id.lower(),
        "profile": {"display_name": user_id},
        "is_bot": False,
        "deleted": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
    }


class Connection(asyncio.Protocol):
    """One connection of an app; it is kept open for as long as the app likes."""

    def __init__(self, stubs: Stubs, *, is_tls: bool) -> None:
        self._stubs = stubs
        self._is_tls = is_tls
        self._messages = Messages()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP always is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request, at once or later."""
        for head, body in self._messages.feed(data):
            target = head.split(b" ", 2)[1].decode()
            reply, delay = self._stubs.answer(target, body, is_tls=self._is_tls)
            if delay:
                loop = asyncio.get_running_loop()
                loop.call_later(delay, self._write, answer(reply))
            else:
                self._write(answer(reply))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


async def serve() -> None:
    """Serve until the standard input ends, so that no bench leaves stubs behind."""
    stubs = Stubs()
    certificate = os.environ.get(TLS_ENV)
    ports = {
        "plain": await _listen(stubs, None),
        "tls": await _listen(stubs, certificate) if certificate else None,
    }
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


async def _listen(stubs: Stubs, certificate: str | None) -> int:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(stubs, is_tls=context is not None),
        "127.0.0.1",
        0,
        ssl=context,
        backlog=1024,
    )
    port: int = server.sockets[0].getsockname()[1]
    return port


if __name__ == "__main__":
    asyncio.run(serve())
