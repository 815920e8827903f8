"""The demo's terminal: who, what, and a note on the right, in plain text."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import IO

WIDTH = 98
_WHO = 11  # columns before the text
_NOTE = 75  # the column a note begins in, unless the text is longer


class Screen:
    """Writes lines that every terminal, pipe and log can show.

    No colour and no cursor movement, so ``NO_COLOR`` holds by itself.

    >>> import sys
    >>> screen = Screen(sys.stdout)
    >>> screen.line("only you", "word " * 20)
    only you   word word word word word word word word word word word word word word word word word
               word word word
    """  # noqa: E501 - a line as long as the screen is wide

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def say(self, text: str = "") -> None:
        """Write a paragraph."""
        self._write(_wrapped(text, WIDTH) or [""])

    def line(self, who: str, what: str, note: str = "") -> None:
        """Write what somebody typed or sees; ``what`` may have several lines."""
        room = WIDTH - _WHO
        lines = [part for each in what.splitlines() for part in _wrapped(each, room)]
        heads = [who, *[""] * len(lines)]
        shown = [f"{h:<{_WHO}}{part}" for h, part in zip(heads, lines, strict=False)]
        self._write(_with_note(shown, note) if note else shown)

    def _write(self, lines: list[str]) -> None:
        text = "".join(f"{line.rstrip()}\n" for line in lines)
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        # A console of 8 bits shows a question mark for what it has no letter for.
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()


def _wrapped(text: str, width: int) -> list[str]:
    # A path or an id stays whole, so that it can be copied.
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _with_note(lines: list[str], note: str) -> list[str]:
    """Put a note at the end of the last line, or below it where it has no room."""
    end = _width(lines[-1])
    column = max(_NOTE, end + 3)
    if column + len(note) > WIDTH:
        return [*lines, " " * _NOTE + note]
    return [*lines[:-1], lines[-1] + " " * (column - end) + note]


def _width(text: str) -> int:
    """Return how many columns a terminal takes for a text.

    >>> _width("hi"), _width("🎉"), _width("⚠️")
    (2, 2, 2)
    """
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide
