"""HTTP messages and websocket frames as bytes: just enough for the bench."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Iterator

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_KEY = re.compile(rb"\r\nsec-websocket-key: *([^\r ]+)", re.IGNORECASE)


class Messages:
    """Cuts a stream of bytes into HTTP messages; a body needs a Content-Length."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the head and the body of each message that is now whole."""
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end]
            length = _LENGTH.search(head)
            start = end + 4
            stop = start + (int(length[1]) if length else 0)
            if len(self._rest) < stop:
                return
            body, self._rest = self._rest[start:stop], self._rest[stop:]
            yield head, body


class Frames:
    """Cuts a stream of bytes into websocket frames; fragments are not expected."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the opcode and the unmasked payload of each frame that is whole."""
        self._rest += data
        while (found := _first_frame(self._rest)) is not None:
            opcode, payload, stop = found
            self._rest = self._rest[stop:]
            yield opcode, payload


def _first_frame(data: bytes) -> tuple[int, bytes, int] | None:
    if len(data) < 2:
        return None
    size, start = data[1] & 0x7F, 2
    extended = {126: 2, 127: 8}.get(size, 0)
    if extended:
        if len(data) < 2 + extended:
            return None
        start = 2 + extended
        size = int.from_bytes(data[2:start], "big")
    mask = b""
    if data[1] & 0x80:
        mask = data[start : start + 4]
        start += 4
    stop = start + size
    if len(data) < stop:
        return None
    payload = data[start:stop]
    return data[0] & 0x0F, _masked(payload, mask) if mask else payload, stop


def frame(opcode: int, payload: bytes, mask: bytes = b"") -> bytes:
    """Return one unfragmented frame, masked as a client must if ``mask`` is given.

    >>> list(Frames().feed(frame(TEXT, b"hello", b"mask")))
    [(1, b'hello')]
    """
    flag = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | opcode, flag | size])
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, flag | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, flag | 127, size)
    return head + mask + (_masked(payload, mask) if mask else payload)


def _masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    pad = (mask * (size // 4 + 1))[:size]
    whole = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return whole.to_bytes(size, "big")


def upgrade(head: bytes) -> bytes:
    """Return the answer that turns an HTTP request into a websocket."""
    key = _KEY.search(head)
    if key is None:
        raise ValueError("no websocket key")
    digest = hashlib.sha1(key[1] + _GUID, usedforsecurity=False).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
        + base64.b64encode(digest)
        + b"\r\n\r\n"
    )


def request(path: str, body: bytes, *headers: str) -> bytes:
    """Return a POST on a connection that is closed afterwards."""
    head = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def answer(body: bytes) -> bytes:
    """Return a 200 with a JSON body."""
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
