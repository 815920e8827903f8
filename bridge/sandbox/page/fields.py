"""What a body of the control API must look like, and what is said if it does not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

Body = dict[str, Any]

_WORDS: Final = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "a JSON object",
}


class Mistake(ValueError):
    """A request that makes no sense; its text is a sentence for whoever sent it."""


def check(
    body: Body, required: Mapping[str, type], optional: Mapping[str, type]
) -> Body:
    """Return a body without the fields that are null.

    Raises:
        Mistake: a field is missing, unknown, or of another type.

    >>> check({"text": "hi", "user": None}, {"text": str}, {"user": str})
    {'text': 'hi'}
    >>> check({}, {"text": str}, {})
    Traceback (most recent call last):
        ...
    bridge.sandbox.page.fields.Mistake: “text” is missing.
    """
    known = {**required, **optional}
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        if name not in known:
            raise Mistake(f"There is no “{name}” here, only {', '.join(known)}.")
        if not _fits(value, known[name]):
            raise Mistake(f"“{name}” must be {_WORDS[known[name]]}.")
    for name in required:
        if name not in given:
            raise Mistake(f"“{name}” is missing.")
    return given


def _fits(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is kind


def chat_id_of(number: str) -> str:
    """Return the chat of a telephone number; a chat id is returned as it is.

    Raises:
        Mistake: it is neither.

    >>> chat_id_of("+1 415 555 0100"), chat_id_of("120363043968066561@g.us")
    ('14155550100@c.us', '120363043968066561@g.us')
    """
    if re.fullmatch(r"[0-9-]{7,40}@(c|g)\.us", number):
        return number
    digits = re.sub(r"[ +().-]", "", number)
    if not re.fullmatch("[0-9]{7,15}", digits):
        raise Mistake(f"“{number}” is neither a telephone number nor a chat id.")
    return f"{digits}@c.us"
