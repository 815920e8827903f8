"""What no log, page or copied test may hold: tokens, tickets, secret addresses."""

from __future__ import annotations

import re
from typing import Any, Final

MASK: Final = "…"
_DEEPEST: Final = 64  # levels; JSON made to hurt goes deeper

# Whatever looks like one of Slack's tokens, whoever wrote it; a ticket for a socket;
# and the secret end of a response URL.
_SECRETS: Final = re.compile(
    r"(xox[a-z]-|xapp-|ticket=|/(?:commands|actions)/\w+/\d+/)[\w.-]+"
)


class Mask:
    """Takes secrets out of JSON; a callable.

    >>> mask = Mask()
    >>> mask.hide("d75b3a66")
    >>> mask({"path": "/d75b3a66", "texts": ["is xoxb-12-ab a secret?", 7]})
    {'path': '/…', 'texts': ['is xoxb-… a secret?', 7]}
    """

    def __init__(self) -> None:
        self._known: tuple[str, ...] = ()

    def hide(self, *secrets: str) -> None:
        """Hide these strings from now on, wherever they occur."""
        self._known += tuple(filter(None, secrets))

    def __call__(self, value: Any, levels: int = _DEEPEST) -> Any:
        """Return a value without secrets: itself, or a masked copy.

        What is nested deeper than ``levels`` is left out.
        """
        if isinstance(value, str):
            return self._in_text(value)
        if not isinstance(value, dict | list | tuple):
            return value
        if not levels:
            return MASK
        if isinstance(value, dict):
            return {self(k): self(each, levels - 1) for k, each in value.items()}
        return [self(each, levels - 1) for each in value]

    def _in_text(self, text: str) -> str:
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, MASK)
        return _SECRETS.sub(rf"\1{MASK}", text) if _SECRETS.search(text) else text


def clipped(value: Any, limit: int) -> Any:
    """Return a value, cut off if it is a longer text.

    >>> clipped("abcdef", 3), clipped("abc", 3), clipped(None, 3)
    ('abc…', 'abc', None)
    """
    if isinstance(value, str) and len(value) > limit:
        return value[:limit] + MASK
    return value
