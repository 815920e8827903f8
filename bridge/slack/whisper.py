"""What only one person should read, said after the ack."""

from __future__ import annotations

import logging
import queue
import threading

from bridge.errors import SlackError
from bridge.ports import Slack

log = logging.getLogger(__name__)

MOST = 1000  # more than that is no conversation


class Whisper:
    """Says sentences through response URLs, in a thread of its own.

    Nothing depends on them: they are lost if the bridge dies.
    """

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._waiting: queue.Queue[tuple[str, str] | None] = queue.Queue(MOST)
        self._thread = threading.Thread(target=self._run, name="whisper", daemon=True)

    def __call__(self, response_url: str, text: str) -> None:
        """Say ``text`` soon; never blocks."""
        try:
            self._waiting.put_nowait((response_url, text))
        except queue.Full:
            log.warning("too many whispers; one was dropped")

    def start(self) -> None:
        """Begin to speak."""
        self._thread.start()

    def stop(self) -> None:
        """Say what is waiting and end."""
        self._waiting.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        while (next_one := self._waiting.get()) is not None:
            try:
                self._slack.respond(*next_one)
            except SlackError as err:
                log.info("a whisper was lost: %s", err.code)
