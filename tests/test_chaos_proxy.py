"""The fault proxy: each way in which it lets a connection fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from chaos.proxy import Proxy
from chaos.wire import Trouble

PATIENCE = 10.0
ASKED = b"x" * 100
ANSWER = b"y" * 100


class Server:
    """Reads one request of 100 bytes a connection and answers with as many."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(
                target=self._serve, args=(connection,), daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            got = b""
            while len(got) < len(ASKED):
                try:
                    piece = connection.recv(1000)
                except OSError:
                    break
                if not piece:
                    break
                got += piece
            with self.changed:
                self.received.append(got)
                self.changed.notify_all()
            if got == ASKED:
                with suppress(OSError):
                    connection.sendall(ANSWER)
                    connection.recv(1)  # until the other side ends it

    def wait_for_request(self) -> bytes:
        with self.changed:
            assert self.changed.wait_for(lambda: self.received, PATIENCE)
            return self.received[0]

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(lambda: server.port) as running:
        yield running


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)


def ask(proxy: Proxy) -> bytes:
    """Send a request; return all that comes back before the connection ends."""
    with connect(proxy) as connection:
        connection.sendall(ASKED)
        return read(connection, len(ANSWER))


def read(connection: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (piece := connection.recv(1000)):
        got += piece
    return got


def test_a_healthy_proxy_changes_nothing(proxy, server):
    assert ask(proxy) == ANSWER
    assert server.received == [ASKED]


def test_a_slow_wire_passes_everything(proxy):
    proxy.set(Trouble(delay=0.01, rate=10_000))

    assert ask(proxy) == ANSWER


def test_an_answer_can_be_cut_after_some_bytes(proxy, server):
    proxy.set(Trouble(cut_after=40, ending="fin"))

    assert ask(proxy) == ANSWER[:40]
    assert server.received == [ASKED]


def test_a_request_can_be_cut_after_some_bytes_and_is_never_sent_twice(proxy, server):
    proxy.set(Trouble(cut="up", cut_after=40))

    with pytest.raises(ConnectionResetError):
        ask(proxy)

    assert server.wait_for_request() in (b"", ASKED[:40])


def test_a_trouble_may_be_for_so_many_connections_only(proxy):
    proxy.set(Trouble(cut_after=40, ending="fin", times=1))

    assert [len(ask(proxy)), len(ask(proxy))] == [40, 100]


def test_somebody_else_can_answer(proxy, server):
    proxy.set(Trouble(swap=b"please sign in", ending="fin"))

    assert ask(proxy) == b"please sign in"
    assert server.received == [ASKED]


def test_a_black_hole_swallows_everything_and_stays_one(proxy, server):
    proxy.set(Trouble(is_black_hole=True))
    with connect(proxy) as connection:
        connection.sendall(ASKED)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        proxy.heal()

        with pytest.raises(TimeoutError):
            connection.recv(1)

        assert server.received == []
        assert proxy.holes == 1
        assert ask(proxy) == ANSWER


def test_nobody_can_connect_to_a_refusing_proxy(proxy, server):
    proxy.set(Trouble(is_refusing=True))

    with pytest.raises(ConnectionResetError):
        ask(proxy)

    assert server.received == []


def test_nobody_can_connect_where_no_server_is():
    with Proxy(lambda: None) as proxy, pytest.raises(ConnectionResetError):
        ask(proxy)


@pytest.mark.parametrize(("ending", "is_reset"), [("rst", True), ("fin", False)])
def test_open_connections_can_be_cut(proxy, server, ending, is_reset):
    with connect(proxy) as connection:
        connection.sendall(ASKED)
        assert read(connection, len(ANSWER)) == ANSWER

        proxy.end_all(ending)

        if is_reset:
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        else:
            assert connection.recv(1) == b""
