"""Webhook mode: notifications pushed to ``webhookUrl``, strictly one after another.

Only HTTP 200 takes a notification off the queue. After anything else the same one
is sent again a minute later, and nothing overtakes it.

Source: https://green-api.com/en/docs/api/receiving/technology-webhook-endpoint/
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from bridge.sandbox.green_api.notifications import NotificationQueue, Waiting
from bridge.sandbox.green_api.records import Switches
from bridge.sandbox.green_api.timeline import Timeline
from bridge.sandbox.log import EventLog

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class WebhookSender:
    """Pushes the head of the queue, in a thread that lives while there is one.

    Args:
        timeline: For pauses and time-outs.
        queue: What to push.
        switches: How long to wait and to pause.
        target: Returns ``webhookUrl`` and ``webhookUrlToken``.
        log: Where each attempt is written.
    """

    def __init__(
        self,
        timeline: Timeline,
        queue: NotificationQueue,
        switches: Switches,
        target: Callable[[], tuple[str, str]],
        log: EventLog,
    ) -> None:
        self._timeline = timeline
        self._queue = queue
        self._switches = switches
        self._target = target
        self._log = log
        self._thread: threading.Thread | None = None
        self._connection: http.client.HTTPConnection | None = None

    def go_on(self) -> None:
        """Push what waits, if a URL is set."""
        with self._timeline.changed:
            if self._thread is None and self._next() is not None:
                self._thread = threading.Thread(
                    target=self._run, name="green-api-webhook", daemon=True
                )
                self._thread.start()

    def _next(self) -> Waiting | None:
        if self._timeline.is_closed or not self._target()[0]:
            return None
        return self._queue.head()

    def _run(self) -> None:
        while True:
            with self._timeline.changed:
                head = self._next()
                if head is None:
                    self._thread = None
                    return
                url, token = self._target()
            if self._deliver(url, token, head.body):
                with self._timeline.changed:
                    self._queue.remove(head)
            else:
                self._timeline.wait(self._switches.webhook_pause_seconds)

    def _deliver(self, url: str, token: str, body: object) -> bool:
        """Make one attempt; return whether the notification was taken."""
        began = time.monotonic()
        status = self._push(url, token, body)
        is_taken = status == http.HTTPStatus.OK
        kind = body.get("typeWebhook") if isinstance(body, dict) else None
        self._log.append(
            "delivery",
            side="green",
            direction="in",
            method=str(kind or "webhook"),
            status=status,
            ms=round((time.monotonic() - began) * 1000, 1),
            request=body,
            response=None,
            outcome="acked" if is_taken else "dispatch_failed",
        )
        return is_taken

    def _push(self, url: str, token: str, body: object) -> int | None:
        """Return the status of the answer; None when there was none."""
        if not is_local(url):
            return None  # the emulator never leaves this machine
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(
            parts.hostname or "",
            parts.port or 80,
            timeout=self._timeline.real(self._switches.webhook_wait_seconds),
        )
        self._connection = connection
        path = parts.path or "/"
        try:
            connection.connect()
            if self._timeline.is_closed:
                return None
            connection.request(
                "POST",
                f"{path}?{parts.query}" if parts.query else path,
                json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace"),
                _headers(token),
            )
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            self._connection = None
            connection.close()

    def close(self) -> None:
        """End the thread; the timeline must be closed already."""
        thread = self._thread
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        if thread is not None:
            thread.join()


def is_local(url: str) -> bool:
    """Return whether a URL is on this machine.

    >>> [is_local(f"http://{host}/hook") for host in ("[::1]:80", "example.com")]
    [True, False]
    """
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def _headers(token: str) -> dict[str, str]:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if token:
        has_scheme = token.startswith(("Bearer ", "Basic "))
        headers["Authorization"] = token if has_scheme else f"Bearer {token}"
    return headers
