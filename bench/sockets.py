"""Slack's side of Socket Mode: types envelopes into the apps' connections."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from bench.load import PATIENCE, Ack, Command
from bench.wire import CLOSE, PING, PONG, TEXT, Frames, Messages, frame, upgrade


class Sockets:
    """The far end of Socket Mode: types to the connections in turn."""

    def __init__(self) -> None:
        self.connections: list[_Socket] = []
        self._waiting: dict[str, asyncio.Future[tuple[float, str]]] = {}
        self._turn = 0

    def protocol(self) -> asyncio.Protocol:
        """Return the handler of a new connection."""
        return _Socket(self.connections, self._acked)

    async def type(self, command: Command) -> Ack:
        """Return the ack of one envelope."""
        envelope_id = f"{command.number:032x}"
        envelope = {
            "envelope_id": envelope_id,
            "type": "slash_commands",
            "accepts_response_payload": True,
            "payload": command.fields(),
        }
        data = frame(TEXT, json.dumps(envelope).encode())
        acked: asyncio.Future[tuple[float, str]]
        acked = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = acked
        self._turn += 1
        sent_at = time.monotonic()
        if self.connections:
            self.connections[self._turn % len(self.connections)].write(data)
        try:
            async with asyncio.timeout(PATIENCE):
                at, text = await acked
        except TimeoutError:
            return Ack(command, sent_at, None)
        finally:
            del self._waiting[envelope_id]
        return Ack(command, sent_at, at, text)

    def _acked(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.get(str(message.get("envelope_id")))
        if waiting is not None and not waiting.done():
            payload = message.get("payload") or {}
            waiting.set_result((time.monotonic(), str(payload.get("text", ""))))


class _Socket(asyncio.Protocol):
    def __init__(self, open_ones: list[_Socket], acked: Any) -> None:
        self._open_ones = open_ones
        self._acked = acked
        self._messages = Messages()
        self._frames: Frames | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP always is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._frames is None:
            for head, _ in self._messages.feed(data):
                self._greet(head)
            return
        for opcode, payload in self._frames.feed(data):
            if opcode == TEXT:
                self._acked(json.loads(payload))
            elif opcode == PING:
                self.write(frame(PONG, payload))
            elif opcode == CLOSE:
                self.write(frame(CLOSE, payload[:2]))
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._open_ones:
            self._open_ones.remove(self)

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _greet(self, head: bytes) -> None:
        self._frames = Frames()
        hello = {"type": "hello", "num_connections": len(self._open_ones) + 1}
        self.write(upgrade(head) + frame(TEXT, json.dumps(hello).encode()))
        self._open_ones.append(self)
