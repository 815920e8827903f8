"""PostgreSQL's word that another replica has stored something to send."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

CHANNEL = "bridge_outbox"
LOOK_SECONDS = 1.0  # how soon a stop is noticed
PAUSE_SECONDS = 5.0


class Wakeup:
    """Listens in a thread of its own; without it the lanes look once a second.

    Args:
        url: ``postgresql://…``.
        on_news: called for every notification; must not block.
    """

    def __init__(self, url: str, on_news: Callable[[], None]) -> None:
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._on_news = on_news
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wakeup", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopping.set()
        self._thread.join(2 * LOOK_SECONDS)

    def _run(self) -> None:
        import psycopg

        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._listen(connection)
            except psycopg.Error as err:
                log.info("no word from the database: %s", type(err).__name__)
                self._stopping.wait(PAUSE_SECONDS)

    def _listen(self, connection: object) -> None:
        import psycopg

        assert isinstance(connection, psycopg.Connection)  # noqa: S101 - from _run
        while not self._stopping.is_set():
            for _ in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                self._on_news()
