"""The wire to a PostgreSQL server, which can be cut at any word."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

CHUNK = 65_536
Moment = Literal["before", "during", "after"]


class Cable:
    """A way over TCP to a server that listens on a socket of the file system.

    Args:
        address: of a database, ``postgresql://…/name?host=/folder``.

    Attributes:
        url: the address of the same database at the end of this cable.
        is_down: nobody can connect.
        cuts: how often it was cut at a word.
        on_cut: called at that moment.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        folder = parse_qs(parts.query)["host"][0]
        self._server = str(next(Path(folder).glob(".s.PGSQL.*[0-9]")))
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}"
        self.is_down = False
        self.cuts = 0
        self.on_cut: Callable[[], None] = lambda: None
        self._order: tuple[bytes, Moment] | None = None
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut_at(self, word: bytes, moment: Moment) -> None:
        """Cut the connection over which ``word`` goes to the server next.

        Before it has arrived, when it has, or when the answer comes.
        """
        self._order = (word, moment)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(here,), daemon=True).start()

    def _serve(self, here: socket.socket) -> None:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as there:
            if not self.is_down:
                there.connect(self._server)
                self._pass_on(here, there)
        _reset(here)

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        """Move bytes until one side has ended, or the cable is to be cut."""
        moment: Moment | None = None
        while True:
            for end in select.select([here, there], [], [])[0]:
                piece = end.recv(CHUNK)
                if end is here:
                    moment = self._take(piece)
                if not piece:
                    return
                if moment != "before" and (end is here or moment != "after"):
                    (there if end is here else here).sendall(piece)
                if moment in ("before", "during") or (moment and end is there):
                    self.cuts += 1
                    self.on_cut()
                    return

    def _take(self, piece: bytes) -> Moment | None:
        with self._guard:
            if self._order is None or self._order[0] not in piece:
                return None
            moment, self._order = self._order[1], None
            return moment


def _reset(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
