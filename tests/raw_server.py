"""A web server written by hand: it can break every rule of HTTP."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path

CERTS = Path(__file__).parent / "certs"
"""A test CA with three certificates that last 100 years; their key opens nothing."""

Answer = Callable[["RawServer", socket.socket], object]


class RawServer:
    """Reads requests one by one and lets ``answer`` do what it likes to each.

    ``requests`` holds all that arrived whole; ``connections`` counts those accepted.
    A connection is closed once ``answer`` returns ``CLOSE`` or fails.
    """

    CLOSE = object()

    def __init__(self, answer: Answer, *, cert: str | None = None) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.bytes_sent = 0
        self.stopped = threading.Event()
        self._context = _server_context(cert) if cert else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> RawServer:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(sock):
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
            with contextlib.closing(sock):
                while (request := read_request(sock)) is not None:
                    self.requests.append(request)
                    if self.answer(self, sock) is self.CLOSE:
                        return

    def send(self, sock: socket.socket, data: bytes) -> None:
        sock.sendall(data)
        self.bytes_sent += len(data)


def _server_context(cert: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / cert)
    return context


def read_request(sock: socket.socket) -> bytes | None:
    """Return one whole request, or None if the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    while len(body) < sum(lengths):
        more = sock.recv(65536)
        if not more:
            return None
        body += more
    return head + b"\r\n\r\n" + body


def reply(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def says(data: bytes, *, close: bool = False) -> Answer:
    """Answer with these bytes, whatever was asked."""

    def answer(server: RawServer, sock: socket.socket) -> object:
        server.send(sock, data)
        return RawServer.CLOSE if close else None

    return answer


def resets(after: bytes = b"") -> Answer:
    """Send these bytes, then RST."""

    def answer(server: RawServer, sock: socket.socket) -> object:
        server.send(sock, after)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return RawServer.CLOSE

    return answer


def drips(start: bytes, piece: bytes, every: float = 0.02) -> Answer:
    """Send a start, then for ever one piece after the other."""

    def answer(server: RawServer, sock: socket.socket) -> object:
        server.send(sock, start)
        while not server.stopped.wait(every):
            server.send(sock, piece)
        return RawServer.CLOSE

    return answer


def floods(start: bytes, piece: bytes) -> Answer:
    """Send a start, then for ever pieces as fast as they are taken."""

    def answer(server: RawServer, sock: socket.socket) -> object:
        server.send(sock, start)
        while not server.stopped.is_set():
            server.send(sock, piece)
        return RawServer.CLOSE

    return answer


def says_nothing(server: RawServer, _sock: socket.socket) -> object:
    server.stopped.wait(10)
    return RawServer.CLOSE
