"""One loopback server for all parts of the sandbox.

A part is a Flask blueprint. One that must know the server's address, or end its
own connections when the server stops, finds the server in
``app.extensions["sandbox"]`` while it is registered.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, request
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class SandboxServer:
    """A threaded Werkzeug server on loopback; a context manager.

    ``port=0`` takes a free port at the first start and keeps it, so that a stopped
    server can come back at the same address.
    """

    def __init__(
        self, parts: Iterable[Blueprint], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        if host not in _LOCAL_NAMES:
            raise ValueError(f"the sandbox listens on loopback only, not on {host}")
        self._host = host
        self._port = port
        self._on_start: list[Callable[[str], None]] = []
        self._on_stop: list[Callable[[], None]] = []
        self._running: tuple[_Server, threading.Thread] | None = None
        self.app = Flask("bridge.sandbox", static_folder=None)
        self.app.extensions["sandbox"] = self
        self.app.before_request(_refuse_foreign_hosts)
        for part in parts:
            self.app.register_blueprint(part)

    @property
    def url(self) -> str:
        """The base address, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def on_start(self, callback: Callable[[str], None]) -> None:
        """Have ``callback`` called with the server's URL at every start."""
        self._on_start.append(callback)

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called before a stop waits for open requests."""
        self._on_stop.append(callback)

    def start(self) -> Self:
        """Listen and serve in the background; OSError when the port is taken."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with socket.create_server((self._host, self._port), family=family) as listener:
            self._port = listener.getsockname()[1]
            server = _Server(
                self._host, self._port, self.app, _QuietHandler, fd=listener.fileno()
            )
        for callback in self._on_start:
            callback(self.url)
        thread = threading.Thread(
            target=server.serve_forever, args=(0.01,), name="sandbox", daemon=True
        )
        thread.start()
        self._running = (server, thread)
        return self

    def stop(self) -> None:
        """Close every connection and wait until no thread of ours is left."""
        if self._running is None:
            return
        (server, thread), self._running = self._running, None
        server.shutdown()
        thread.join()
        for callback in self._on_stop:
            callback()
        server.drop_connections()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class NoAnswer(Response):
    """Returned by a view whose connection ends without an HTTP answer.

    Args:
        reset: End with a TCP RST instead of a FIN.
    """

    def __init__(self, reset: bool = True) -> None:
        super().__init__()
        self._reset = reset

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """End the connection as a WSGI application."""
        if self._reset:
            _send_reset(environ["werkzeug.socket"])
        # Werkzeug takes this for a client that went away, and writes nothing.
        raise ConnectionAbortedError("no answer, on purpose")


def _send_reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # close() would wait for the handler's file objects; the server's own clean-up
    # would send a FIN first.
    os.close(sock.detach())


def _refuse_foreign_hosts() -> Response | None:
    """Answer 403 unless addressed as this machine: no DNS rebinding."""
    if urlsplit(f"//{request.host}").hostname in _LOCAL_NAMES:
        return None
    return Response("The sandbox answers to localhost only.\n", 403)


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Keep the terminal for the product; the event log has every request."""

    def connection_dropped(
        self, error: BaseException, environ: WSGIEnvironment | None = None
    ) -> None:
        self.close_connection = True


class _Server(ThreadedWSGIServer):
    """Remembers its connections, so that a stop leaves none behind."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._open: dict[threading.Thread, socket.socket] = {}
        self._guard = threading.Lock()
        super().__init__(*args, **options)

    def get_request(self) -> tuple[socket.socket, Any]:
        sock, address = super().get_request()
        # Headers and body leave in two writes; Nagle would hold back the second.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock, address

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self._serve_one, args=(request, client_address), daemon=True
        )
        with self._guard:
            self._open[thread] = request
        thread.start()

    def _serve_one(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._guard:
                del self._open[threading.current_thread()]

    def drop_connections(self) -> None:
        with self._guard:
            still_open = dict(self._open)
        for thread, sock in still_open.items():
            with suppress(OSError):  # it has ended by itself
                sock.shutdown(socket.SHUT_RDWR)
            thread.join()
