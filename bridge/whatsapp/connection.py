"""Connections that know the request they carry.

urllib3 opens, keeps and reads the connections. These subclasses add what it can't
say: whether a byte of the request has left, how much time is left in all (its own
time-outs start anew with every byte), and how much may come back.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

MAX_IDLE = 4.0  # seconds; many servers close an idle connection after 5

Clock = Callable[[], float]
"""Returns seconds that only ever grow."""


class TooLong(Exception):
    """More came back than anybody asked for."""


class Attempt:
    """One request on its way: its limits, and whether it may have arrived."""

    __slots__ = ("_deadline", "_pause", "_room", "clock", "leftover", "untouched")

    def __init__(self, clock: Clock, *, pause: float, guard: float, room: int) -> None:
        self.clock = clock
        self.untouched = False  # True: certainly no byte of the request has left
        self.leftover = False  # True: more came than one reply
        self._deadline = clock() + guard
        self._pause = pause  # longest wait for the next byte, seconds
        self._room = room  # bytes that may still come, status line and all

    def allowance(self) -> float:
        """Return for how many seconds the next step may wait.

        Raises:
            TimeoutError: the time for the whole request is over.
        """
        left = self._deadline - self.clock()
        if left <= 0:
            raise TimeoutError
        return min(left, self._pause)

    def take(self, count: int) -> None:
        """Count bytes that came in; raise TooLong when they are too many."""
        self._room -= count
        if self._room < 0:
            raise TooLong


CURRENT: ContextVar[Attempt] = ContextVar("attempt")
"""The attempt of this thread; set around every request."""


class _Stream(io.RawIOBase):
    """What comes from a socket, under the limits of an attempt.

    This is the lowest level above the socket, so a server that sends one byte at a
    time gains nothing: not in the status line, the headers, the body or the trailer.
    """

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._attempt = CURRENT.get()
        self._has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._has_ended:
            return 0
        self._sock.settimeout(self._attempt.allowance())
        count: int | None = self._raw.readinto(buffer)
        self._attempt.take(count or 0)
        return count

    def end(self, rest: io.BufferedReader) -> None:
        """Note whether the buffer still holds something now that the reply is over."""
        self._has_ended = True  # else peek would wait for more
        self._attempt.leftover = bool(rest.peek(1))

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Buffer(io.BufferedReader):
    def close(self) -> None:
        if not self.closed and isinstance(self.raw, _Stream):
            self.raw.end(self)
        super().close()


class _Reply(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = _Buffer(_Stream(sock, self.fp.detach()))


class _Watched(HTTPConnection):
    response_class = _Reply

    _last: Attempt | None = None  # the one that got a 200 through here
    _used_at = 0.0
    _is_connecting = False

    @property
    def is_connected(self) -> bool:
        """Whether the connection may carry one more request.

        An idle connection can be closed by the server at the very moment we write
        to it; nobody could then tell whether the text was accepted. Servers also
        like to close, unannounced, after an error. And where more came than one
        reply, the rest would be taken for the next one's.
        """
        if self._last is None or self._last.leftover:
            return False
        idle = CURRENT.get().clock() - self._used_at
        return idle < MAX_IDLE and super().is_connected

    def connect(self) -> None:
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False

    def send(self, data: Any) -> None:
        """Send one piece; from the first byte on the request may have arrived."""
        attempt = CURRENT.get()
        if self.sock is None:
            self.connect()
        rest = memoryview(data)
        while rest:
            self.sock.settimeout(attempt.allowance())
            if not self._is_connecting:  # else it is for the proxy: CONNECT
                attempt.untouched = False
            rest = rest[self.sock.send(rest) :]

    def getresponse(self) -> Any:
        reply = super().getresponse()
        attempt = CURRENT.get()
        self._last = attempt if reply.status == 200 else None
        self._used_at = attempt.clock()
        return reply


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _BoundedWait:
    """A pool in which the wait for a free connection counts as well."""

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["pool_timeout"] = CURRENT.get().allowance()
        return super().urlopen(*args, **kwargs)  # type: ignore[misc]  # a mixin


class _PlainPool(_BoundedWait, HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(_BoundedWait, HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _TlsPool}
