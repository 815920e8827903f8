"""One request to GREEN-API, and nothing about it that must not be told.

The token is part of every address, and the libraries below put addresses into their
exceptions and log lines. None of those leaves this room.
"""

from __future__ import annotations

import http.client
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote

import requests
from requests.structures import CaseInsensitiveDict

from bridge.errors import Retryable, SendError, Unknown
from bridge.reasons import Reason
from bridge.whatsapp.answers import Answer, clock_ahead, sent_id
from bridge.whatsapp.connection import CURRENT, Attempt, Clock, TooLong
from bridge.whatsapp.route import checked, open_session

log = logging.getLogger(__name__)

MAX_REPLY = 256 * 1024  # bytes, status line and headers included

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # what is not packed can't be a bomb
    "User-Agent": "whatsapp-slack-bridge",
}
_TALKATIVE = ("connection", "connectionpool", "poolmanager", "response", "util.retry")


@dataclass(frozen=True, slots=True)
class Times:
    """How long one request may take, in seconds."""

    connect: float = 5.0  # for each address of the host
    read: float = 30.0  # until the next byte
    guard: float = 40.0  # everything together; no byte leaves after it


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a GREEN-API method."""

    verb: Literal["GET", "POST", "DELETE"]
    method: str
    body: bytes | None = field(default=None, repr=False)  # JSON in UTF-8
    tail: str = ""  # what follows the token: ``/<receiptId>`` or ``?<query>``
    patience: float = 0.0  # seconds the server may wait before it answers
    room: int = MAX_REPLY  # bytes that may come back
    since: datetime | None = None  # from when on its time counts; None: from now


Observer = Callable[[str, str], None]
"""Told of each request: its method, and the kind of answer (``_kind``)."""


def unobserved(_method: str, _kind: str) -> None:
    """Observe nothing."""


class Transport:
    """Makes requests to one GREEN-API instance; threads may share it."""

    __slots__ = (
        "_clock",
        "_head",
        "_now",
        "_observe",
        "_session",
        "_times",
        "_token",
        "ahead",
    )

    def __init__(
        self,
        id_instance: str,
        token: str,
        api_url: str,
        *,
        times: Times,
        pool: int,
        clock: Clock | None = None,
        observe: Observer = unobserved,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        base = checked(api_url)
        self._head = f"{base}/waInstance{quote(id_instance, safe='')}"
        self._token = quote(token, safe="")
        self._times = times
        self._clock = clock or _uptime
        self._observe = observe
        self._now = now or _wall_clock
        self.ahead = timedelta(0)  # GREEN-API's clock against ours, when last told
        self._session = open_session(base, pool)
        for name in _TALKATIVE:
            logging.getLogger(f"urllib3.{name}").addFilter(_may_be_logged)

    def exchange(self, call: Call) -> Answer:
        """Make exactly one request and return what was answered, whatever it says.

        Raises:
            Retryable: no byte of the request has left.
            Unknown: it may have arrived, and no whole answer came.
        """
        gone = (self._now() - call.since).total_seconds() if call.since else 0.0
        attempt = Attempt(
            self._clock,
            pause=self._times.read + call.patience,
            guard=self._times.guard + call.patience - max(0.0, gone),
            room=call.room,
        )
        mine = CURRENT.set(attempt)
        try:
            answer: Answer | SendError = self._ask(call)
        except Exception as err:  # noqa: BLE001  # its text may hold the token
            answer = _lost(call, attempt, err)
        finally:
            CURRENT.reset(mine)
        with suppress(Exception):  # whoever counts must not change what came of it
            self._observe(call.method, _kind(call, answer))
        if isinstance(answer, SendError):
            raise answer  # out here, so that nothing is chained to it
        return answer

    def close(self) -> None:
        """Close all idle connections; no request can be made after this."""
        self._session.close()

    def _ask(self, call: Call) -> Answer:
        reply = self._session.send(
            self._prepare(call),
            stream=True,
            timeout=(self._times.connect, self._times.read),
            allow_redirects=False,
            proxies={},
        )
        try:
            body = _read(reply)
        finally:
            reply.close()  # gives the connection back, or closes it if bytes remain
        answer = Answer(reply.status_code, reply.headers, body, self._now())
        self.ahead = clock_ahead(answer) or self.ahead
        return answer

    def _prepare(self, call: Call) -> requests.PreparedRequest:
        # By hand: ``Request.prepare`` costs more than all the rest of a request.
        request = requests.PreparedRequest()
        request.method = call.verb
        request.url = f"{self._head}/{call.method}/{self._token}{call.tail}"
        request.headers = CaseInsensitiveDict(_HEADERS)
        if call.body is not None:
            request.body = call.body
            request.headers["Content-Type"] = "application/json; charset=utf-8"
            request.headers["Content-Length"] = str(len(call.body))
        return request


def _read(reply: requests.Response) -> bytes | None:
    if reply.headers.get("Content-Encoding", "identity").lower() != "identity":
        return None
    try:
        return b"".join(reply.raw.stream(64 * 1024, decode_content=False))
    except TooLong:
        return None


def _lost(call: Call, attempt: Attempt, err: BaseException) -> SendError:
    root = err
    while (deeper := root.__cause__ or root.__context__) is not None:
        root = deeper
    if attempt.untouched:
        error: SendError = Retryable(Reason.UNREACHABLE)
    elif isinstance(root, OSError | http.client.IncompleteRead):
        error = Unknown(Reason.NO_ANSWER)
    else:
        error = Unknown(Reason.GARBLED)
    log.warning("%s: %s (%s)", call.method, error.reason, type(root).__name__)
    return error


def _kind(call: Call, answer: Answer | SendError) -> str:
    """Return the word under which the end of a request is counted.

    ``accepted`` is a send that was given an ``idMessage``; ``2xx`` is any other 200,
    also one to a send that makes no sense.
    """
    if isinstance(answer, SendError):
        return "no_connection" if isinstance(answer, Retryable) else "no_answer"
    if answer.status in (429, 466):
        return str(answer.status)
    if call.method.startswith("send") and answer.status == 200:
        with suppress(SendError):
            sent_id(answer)
            return "accepted"
    return f"{answer.status // 100}xx"


def _wall_clock() -> datetime:
    return datetime.now(UTC)


def _uptime() -> float:
    """Return seconds that go on while the machine sleeps: connections age then too."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _may_be_logged(record: logging.LogRecord) -> bool:
    is_warning = record.levelno >= logging.WARNING
    return is_warning and "/waInstance" not in record.getMessage()
