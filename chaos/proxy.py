"""A TCP proxy on loopback that can fail in every way a network can.

It moves bytes and knows no HTTP. What it never does is send a request's bytes twice:
a doubled ``sendMessage`` would be GREEN-API's own doubling, not the bridge's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from chaos.wire import CHUNK, HEALTHY, Ending, Link, Trouble, abort


class Proxy:
    """Stands between the bridge and one server; a context manager.

    Args:
        upstream: Returns the port of the server on 127.0.0.1, asked for each
            connection; None when there is no such server at the moment.
    """

    def __init__(self, upstream: Callable[[], int | None]) -> None:
        self.port = 0
        self.connections = 0  # made so far
        self._upstream = upstream
        self._trouble = HEALTHY
        self._left: int | None = None
        self._links: set[Link] = set()
        self._server: asyncio.Server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="chaos-proxy", daemon=True
        )

    @property
    def url(self) -> str:
        """The address the bridge is given."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def holes(self) -> int:
        """How many open connections lead nowhere."""
        return sum(link.trouble.is_black_hole for link in list(self._links))

    def start(self) -> Self:
        """Listen in the background."""
        self._thread.start()
        future = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self.port = future.result()
        return self

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=CHUNK
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        """End every connection and the thread."""
        self._loop.call_soon_threadsafe(self._server.close)
        self.end_all("fin")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def set(self, trouble: Trouble) -> None:
        """Have new connections go wrong from now on, open ones from their next byte."""
        self._loop.call_soon_threadsafe(self._set, trouble)

    def _set(self, trouble: Trouble) -> None:
        self._trouble, self._left = trouble, trouble.times
        if trouble.times is None:
            for link in self._links:
                # What a hole has swallowed would be missing: it stays one.
                if not link.trouble.is_black_hole:
                    link.trouble = trouble

    def heal(self) -> None:
        """Let everything pass again."""
        self.set(HEALTHY)

    def end_all(self, ending: Ending) -> None:
        """Cut every connection there is."""
        asyncio.run_coroutine_threadsafe(self._end_all(ending), self._loop).result()

    async def _end_all(self, ending: Ending) -> None:
        tasks = [link.task for link in self._links if link.task is not None]
        for link in list(self._links):
            link.end(ending)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self) -> Trouble:
        if self._left is None:
            return self._trouble
        if self._left == 0:
            return HEALTHY
        self._left -= 1
        return self._trouble

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        trouble, port = self._take(), self._upstream()
        if trouble.is_refusing or port is None:
            abort(writer)
            return
        try:
            there = await asyncio.open_connection("127.0.0.1", port, limit=CHUNK)
        except OSError:
            abort(writer)
            return
        link = Link(trouble, (reader, writer), there)
        self._links.add(link)
        with suppress(asyncio.CancelledError):
            await link.run()
        self._links.discard(link)
