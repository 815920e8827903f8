"""Sort what GREEN-API answers: pure, no I/O.

The table of certainty, for one ``sendMessage``:

=====================================  ==========================================
200 with a usable ``idMessage``        accepted
any other 2xx, or 1xx                  Unknown
400 starting, not authorized, gone     Retryable: the whole account has to wait
other 400 and 4xx                      Permanent
401, 403, 404, any 3xx                 Retryable: somebody must correct a setting
429                                    Retryable
466, and 400 of the old tariff limit   Permanent
408, 499, any 5xx                      Unknown, save two that name a size limit
=====================================  ==========================================

Source: https://green-api.com/en/docs/api/common-errors/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeGuard, TypeVar

from bridge.errors import Permanent, Retryable, SendError, Unknown
from bridge.model import MessageId
from bridge.reasons import Reason

T = TypeVar("T")

MAX_ID = 256  # characters of an idMessage; real ones have 16 to 32

_FOR_THE_ADMIN = {
    401: Reason.REFUSED_TOKEN,
    403: Reason.REFUSED_INSTANCE,
    404: Reason.WRONG_ADDRESS,
}
_NO_VERDICT = {408, 499}  # 408 is what some front proxies say for their own time-out
_GONE = re.compile(r"\b(instance|account)\b.{0,30}\b(expired|deleted|not found)")
_STARTING = re.compile(r"\binstance\b.{0,30}\bstarting\b")
_NO_MESSAGE = re.compile(r"\b(message|chatid) not ?found")


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP reply.

    ``body`` is None if it was packed or too long to be read. Error bodies echo the
    token and other people's numbers, so the repr shows none of it.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)  # any case will do
    body: bytes | None = field(repr=False)
    at: datetime  # when it came, aware UTC


def sent_id(answer: Answer) -> MessageId:
    """Return the id under which a text was accepted.

    Raises:
        Retryable: certainly not accepted; later it may be.
        Permanent: certainly not accepted, and never will be.
        Unknown: the answer says neither.
    """
    if answer.status != 200:
        raise refusal(answer)
    parsed = parse(answer)
    id_message = parsed.get("idMessage") if isinstance(parsed, dict) else None
    if not _is_id(id_message):
        raise Unknown(Reason.GARBLED)
    return MessageId(id_message)


def _is_id(value: object) -> TypeGuard[str]:
    # A blank, endless or unprintable id could be neither shown nor stored.
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_ID
        and value.isprintable()
        and not value.isspace()
    )


def read(answer: Answer) -> object:
    """Return the JSON value that a method which only reads was answered with.

    Raises:
        SendError: as for ``sent_id``; Unknown if it is not JSON.
    """
    if answer.status != 200:
        raise refusal(answer)
    parsed = parse(answer)
    if isinstance(parsed, Unreadable):
        raise Unknown(Reason.GARBLED)
    return parsed


def read_object(answer: Answer) -> dict[str, object]:
    """Return the JSON object a read was answered with.

    Raises:
        SendError: as for ``read``, and also if it is no object, or a refusal.
    """
    parsed = read(answer)
    if not isinstance(parsed, dict) or parsed.get("reason"):
        raise odd(answer)
    return parsed


def told(answer: Answer, key: str, kind: type[T]) -> T:
    """Return one field of the JSON object a read was answered with.

    Raises:
        SendError: as for ``read``, and also if the field is missing or no ``kind``.
    """
    parsed = read(answer)
    value = parsed.get(key) if isinstance(parsed, dict) else None
    if not isinstance(value, kind):
        raise odd(answer)
    return value


def odd(answer: Answer) -> SendError:
    """Return the error for a 200 to a read that lacks what was asked for.

    Some refusals come with 200: ``{"status": false, "reason": "instance is
    starting or not authorized"}``. A read can believe them; a send can't.
    """
    error = _bad_request(_words(answer))
    return error if isinstance(error, Retryable) else Unknown(Reason.GARBLED)


def refusal(answer: Answer) -> SendError:
    """Return the error for an answer whose status is not 200."""
    status = answer.status
    if status == 400:
        return _bad_request(_words(answer))
    if status == 429:
        pause = _pause(answer.headers.get("Retry-After"), answer.at)
        return Retryable(Reason.RATE_LIMITED, retry_after=pause)
    if status == 466:
        return Permanent(Reason.QUOTA)
    if status >= 500 or status in _NO_VERDICT:
        return _server_error(_words(answer))
    if status >= 400 and status not in _FOR_THE_ADMIN:
        return Permanent(Reason.BAD_REQUEST)
    if status >= 300:
        reason = _FOR_THE_ADMIN.get(status, Reason.WRONG_ADDRESS)
        return Retryable(reason, account=True)
    return Unknown(Reason.GARBLED)


def _bad_request(words: str) -> SendError:
    if "not authorized" in words:  # also "is starting or not authorized"
        return Retryable(Reason.NOT_AUTHORIZED, account=True)
    if _STARTING.search(words):
        return Retryable(Reason.STARTING, account=True)
    if _GONE.search(words):
        return Retryable(Reason.INSTANCE_GONE, account=True)
    if "timeout limit exceeded" in words:  # checkWhatsapp
        return Retryable(Reason.RATE_LIMITED)
    if "used up the chat limit" in words:  # the 466 of 2020
        return Permanent(Reason.QUOTA)
    return Permanent(Reason.BAD_REQUEST)


def _server_error(words: str) -> SendError:
    if "exceeded max upload size" in words:
        return Permanent(Reason.FILE_TOO_BIG)
    if "request entity too large" in words:
        return Permanent(Reason.BAD_REQUEST)
    return Unknown(Reason.SERVER_ERROR)


def _pause(value: str | None, now: datetime) -> float | None:
    """Return how long Retry-After asks to wait: 1 to 300 s, None if it doesn't say.

    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> [_pause(v, now) for v in ("7", "-1", "1e9", "soon")]
    [7.0, 1.0, 300.0, None]
    >>> _pause("Thu, 01 Jan 2026 00:00:20 GMT", now)
    20.0
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
        except (ValueError, OverflowError, TypeError, IndexError):
            return None
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    return max(1.0, min(seconds, 300.0))


def clock_ahead(answer: Answer) -> timedelta | None:
    """Return by how much the other side's clock is ahead of ours, if it says so.

    >>> at = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)
    >>> date = {"Date": "Thu, 01 Jan 2026 00:01:05 GMT"}
    >>> clock_ahead(Answer(200, date, b"", at))
    datetime.timedelta(seconds=60)
    """
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return date.replace(tzinfo=date.tzinfo or UTC) - answer.at


def is_no_message(answer: Answer) -> bool:
    """Whether getMessage says that there is no such message."""
    return answer.status == 400 and bool(_NO_MESSAGE.search(_words(answer)))


def is_nothing_to_delete(answer: Answer) -> bool:
    """Whether deleteNotification failed because the notification is gone."""
    return answer.status == 500 and "findunackedmessage" in _words(answer)


class Unreadable:
    """Stands for a body that is not JSON in UTF-8."""


def parse(answer: Answer) -> object:
    """Return the JSON value in a body, or Unreadable; an empty body counts as null."""
    try:
        text = (answer.body or b"").decode("utf-8")  # strict: a BOM is not JSON
        return json.loads(text) if text or answer.body is None else None
    except (ValueError, RecursionError):
        return Unreadable()


def _words(answer: Answer) -> str:
    """Return what an error body tells, in lower case, whatever form it has.

    The forms: plain text, HTML, nothing, or an object with the text under
    ``message``, ``reason`` or ``error``; its ``path`` is our own address.
    """
    parsed = parse(answer)
    if isinstance(parsed, dict):
        told = [str(value) for key, value in parsed.items() if key != "path"]
        return " ".join(told).lower()
    return (answer.body or b"").decode("utf-8", "replace").lower()
