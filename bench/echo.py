"""The least an app can do: ``python -m bench.echo`` acks, and nothing else.

Its times are the floor below which nothing can be measured here.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
from urllib.parse import urlsplit

from bench.wire import TEXT, Frames, Messages, answer, frame


def main() -> None:
    """Serve until killed."""
    if "SLACK_APP_TOKEN" in os.environ:
        _ack_envelopes(_connect())
    else:
        asyncio.run(_ack_requests(int(os.environ["PORT"])))


def _connect() -> socket.socket:
    slack = urlsplit(os.environ["SLACK_API_URL"])
    asking = http.client.HTTPConnection(slack.netloc)
    asking.request("POST", slack.path + "apps.connections.open")
    address = urlsplit(json.loads(asking.getresponse().read())["url"])
    sock = socket.create_connection((address.hostname or "", address.port or 80))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: ZWNobw==\r\n\r\n")
    return sock


def _ack_envelopes(sock: socket.socket) -> None:
    frames = Frames()
    with sock.makefile("rb") as stream:
        while stream.readline().strip():
            pass
        # What came along with the handshake is hello, which nobody has to ack.
    while data := sock.recv(65536):
        for opcode, payload in frames.feed(data):
            envelope = json.loads(payload) if opcode == TEXT else {}
            if "envelope_id" in envelope:
                ack = json.dumps({"envelope_id": envelope["envelope_id"]}).encode()
                sock.sendall(frame(TEXT, ack, b"mask"))


async def _ack_requests(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Acker, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


class _Acker(asyncio.Protocol):
    def __init__(self) -> None:
        self._messages = Messages()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP always is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for _ in self._messages.feed(data):
            self._transport.write(answer(b""))


if __name__ == "__main__":
    main()
