"""One connection through the proxy: it moves bytes, until its trouble ends it."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

CHUNK = 65_536
Direction = Literal["up", "down"]  # towards the server, towards the bridge
Ending = Literal["rst", "fin"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to connections that are opened while it is in force.

    Attributes:
        delay: Seconds before each piece is passed on.
        rate: Bytes a second, each way.
        cut_after: Bytes in ``cut`` direction after which the connection ends.
        ending: How it ends then.
        swap: Bytes that take the place of the first answer, which then ends.
        is_black_hole: Everything is swallowed and nothing is answered.
        is_refusing: The connection is reset as soon as it was made.
        times: How many connections it takes; None means all.
    """

    delay: float = 0
    rate: int | None = None
    cut_after: int | None = None
    cut: Direction = "down"
    ending: Ending = "rst"
    swap: bytes | None = None
    is_black_hole: bool = False
    is_refusing: bool = False
    times: int | None = None


HEALTHY = Trouble()


class _Ended(Exception):
    """The trouble has ended this connection."""


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """One connection and its other half."""

    def __init__(self, trouble: Trouble, here: End, there: End) -> None:
        self.trouble = trouble
        self.task: asyncio.Task[None] | None = asyncio.current_task()
        self._here, self._there = here, there
        self._passed = {"up": 0, "down": 0}

    async def run(self) -> None:
        """Pass bytes on until both sides have ended, or the trouble ends them."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass("up", self._here[0], self._there[1]))
                group.create_task(self._pass("down", self._there[0], self._here[1]))
        except* (_Ended, OSError):
            self.end(self.trouble.ending)
        finally:
            for _, writer in (self._here, self._there):
                writer.close()

    def end(self, ending: Ending) -> None:
        """End both halves."""
        for _, writer in (self._here, self._there):
            abort(writer) if ending == "rst" else writer.close()
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()

    async def _pass(
        self,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        while piece := await reader.read(CHUNK):
            await self._pass_on(direction, piece, writer)
        with suppress(OSError):
            writer.write_eof()

    async def _pass_on(
        self, direction: Direction, piece: bytes, writer: asyncio.StreamWriter
    ) -> None:
        trouble = self.trouble
        if trouble.is_black_hole:
            return
        await asyncio.sleep(trouble.delay + len(piece) / (trouble.rate or 1e12))
        if trouble.swap is not None and direction == "down":
            piece = trouble.swap
        allowed = len(piece)
        if trouble.cut_after is not None and trouble.cut == direction:
            allowed = max(0, trouble.cut_after - self._passed[direction])
        self._passed[direction] += len(piece)
        writer.write(piece[:allowed])
        await writer.drain()
        if allowed < len(piece) or (trouble.swap is not None and direction == "down"):
            raise _Ended


def abort(writer: asyncio.StreamWriter) -> None:
    """End with a TCP RST."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
    writer.transport.abort()
