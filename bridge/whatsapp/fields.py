"""The fields of a notification, read strictly: a wrong one is ``Wrong``. Pure.

What passes can be stored and shown on every database and screen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

MAX_ID = 256  # characters of an idMessage; real ones have 16 to 32
MAX_CHAT = 64  # characters of a chat; real ones have up to 31
MAX_TEXT = 65_536  # characters; WhatsApp's longest text has as many

Body = Mapping[str, object]

# PostgreSQL refuses NUL, and UTF-8 can't carry half an emoji.
_NOT_TO_BE_STORED = re.compile("[\0\ud800-\udfff]")


class Wrong(Exception):
    """A field that can't be used; the text becomes ``Odd.why``."""


def id_of(body: Body, key: str, longest: int) -> str:
    """Return an id as it is; one that could be neither shown nor stored is wrong."""
    value = body.get(key)
    if not isinstance(value, str) or not value or value.isspace():
        raise Wrong(f"without {key}")
    if len(value) > longest or not value.isprintable():
        raise Wrong(f"its {key} is too long or unprintable")
    return value


def inner(body: Body, key: str) -> Body:
    """Return the object in a field."""
    value = body.get(key)
    if not isinstance(value, Mapping):
        raise Wrong(f"without {key}")
    return value


def moment_of(body: Body) -> datetime | None:
    """Return when it happened, or None if it does not say."""
    seconds = body.get("timestamp")
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise Wrong("its time is no number")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise Wrong("its time is out of range") from None


def seconds_of(body: Body) -> str:
    """Return when it happened in Unix seconds, for what has no id."""
    moment = moment_of(body)
    if moment is None:
        raise Wrong("without an id or a time")
    return str(int(moment.timestamp()))


def text_of(message: Body) -> str:
    """Return a message's text, of whichever of the two kinds it is.

    Args:
        message: ``{"textMessageData"?: {"textMessage": str},
            "extendedTextMessageData"?: {"text": str}}``.
    """
    plain = message.get("textMessageData")
    text = plain.get("textMessage") if isinstance(plain, Mapping) else None
    if text is None:
        extended = message.get("extendedTextMessageData")
        text = extended.get("text") if isinstance(extended, Mapping) else None
    if not isinstance(text, str):
        raise Wrong("its text is missing")
    if len(text) > MAX_TEXT:
        raise Wrong("its text is too long")
    return _NOT_TO_BE_STORED.sub("", text)
