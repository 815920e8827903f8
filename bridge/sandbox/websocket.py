"""The server's side of RFC 6455, enough for Socket Mode on loopback.

Frames out are unmasked and never fragmented; frames in must be masked and may be
fragmented. No extensions, no TLS. Never meant for anything but the sandbox.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Protocol

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_MAX_BYTES = 1 << 20  # of one message in; acks are far smaller


class Opcode(IntEnum):
    """What a frame is, RFC 6455 section 5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class ProtocolError(Exception):
    """The client broke the protocol; ``code`` is the close code to answer with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Reader(Protocol):
    """A blocking stream: ``read(n)`` returns less than n bytes only at its end."""

    def read(self, size: int, /) -> bytes:
        """Return the next ``size`` bytes."""


def accept_key(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` value for a client's key.

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")  # the example of RFC 6455
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def handshake(environ: Mapping[str, Any]) -> bytes | None:
    """Return the 101 answer, or None when the request is no upgrade to version 13.

    Args:
        environ: The request's headers as WSGI names them.
    """
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY")
    is_upgrade = environ.get("HTTP_UPGRADE", "").lower() == "websocket"
    if not key or not is_upgrade or environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        return None
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
        "\r\n",
    )
    return "\r\n".join(lines).encode()


class WebSocket:
    """One upgraded connection. Any thread may send; one thread receives."""

    def __init__(
        self, sock: socket.socket, reader: Reader, max_bytes: int = _MAX_BYTES
    ) -> None:
        self._sock = sock
        self._reader = reader
        self._max_bytes = max_bytes
        self._begun: Opcode | None = None  # of the message being put together
        self._message = b""
        self._sending = threading.Lock()
        self.is_reset = False  # whoever owns the socket must end it with a RST
        self.is_half_open = False  # nothing gets through, and neither side is told

    def send_text(self, text: str) -> None:
        """Send one text message; OSError when the connection is gone."""
        self.send(Opcode.TEXT, text.encode())

    def send(self, opcode: Opcode, payload: bytes = b"") -> None:
        """Send one frame; OSError when the connection is gone."""
        if self.is_half_open:
            return
        head = bytes([0x80 | opcode])
        if len(payload) < 126:
            head += bytes([len(payload)])
        elif len(payload) < 1 << 16:
            head += struct.pack("!BH", 126, len(payload))
        else:
            head += struct.pack("!BQ", 127, len(payload))
        with self._sending:
            self._sock.sendall(head + payload)

    def send_close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake, or answer the client's."""
        self.send(Opcode.CLOSE, struct.pack("!H", code) + reason.encode()[:123])

    def receive(self) -> tuple[Opcode, bytes] | None:
        """Return the next whole message or control frame; None at the end.

        Raises:
            ProtocolError: the client broke the protocol or the size limit.
        """
        while (frame := self._read_frame()) is not None:
            final, opcode, payload = frame
            if opcode >= Opcode.CLOSE:
                if not final:
                    raise ProtocolError(1002, "a control frame in fragments")
                return opcode, payload  # it may come between two fragments
            if (opcode is Opcode.CONTINUATION) is (self._begun is None):
                raise ProtocolError(1002, "fragments out of order")
            self._begun = self._begun or opcode
            self._message += payload
            if final:
                return self._take_message()
        return None

    def _take_message(self) -> tuple[Opcode, bytes]:
        whole = (self._begun or Opcode.TEXT, self._message)
        self._begun, self._message = None, b""
        return whole

    def hang_up(self) -> None:
        """End the TCP connection with a FIN and no close frame."""
        self._shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End the TCP connection with a RST, as a crashed or cut peer does.

        This wakes the receiving thread; the RST leaves when that thread's owner
        closes the socket (see ``server.NoAnswer``).
        """
        self.is_reset = True
        self._shutdown(socket.SHUT_RD)

    def _shutdown(self, how: int) -> None:
        try:
            self._sock.shutdown(how)
        except OSError:
            return  # it is gone already

    def _read_frame(self) -> tuple[bool, Opcode, bytes] | None:
        head = self._read(2)
        if head is None:
            return None
        opcode = _opcode(head[0] & 0x7F)
        if not head[1] & 0x80:
            raise ProtocolError(1002, "a client must mask its frames")
        size = self._read_size(head[1] & 0x7F, opcode)
        if size is None:
            return None
        if size > self._max_bytes - len(self._message):
            raise ProtocolError(1009, "message too big")
        mask, masked = self._read(4), self._read(size)
        if mask is None or masked is None:
            return None
        return bool(head[0] & 0x80), opcode, _unmask(masked, mask)

    def _read_size(self, short: int, opcode: Opcode) -> int | None:
        if short < 126:
            return short
        if opcode >= Opcode.CLOSE:
            raise ProtocolError(1002, "a control frame is at most 125 bytes long")
        extended = self._read(2 if short == 126 else 8)
        return None if extended is None else int.from_bytes(extended, "big")

    def _read(self, size: int) -> bytes | None:
        try:
            data = self._reader.read(size)
        except (OSError, ValueError):  # ValueError: the stream was closed
            return None
        return data if len(data) == size else None


def _opcode(bits: int) -> Opcode:
    try:
        return Opcode(bits)  # a reserved bit makes the number unknown, too
    except ValueError:
        raise ProtocolError(1002, "unknown opcode or reserved bit") from None


def _unmask(masked: bytes, mask: bytes) -> bytes:
    size = len(masked)
    pad = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(masked, "big") ^ int.from_bytes(pad, "big")).to_bytes(
        size, "big"
    )
