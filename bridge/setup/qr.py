"""A QR code in the terminal, drawn again whenever GREEN-API has a new one.

Not the page that GREEN-API offers for this: its address holds the instance's token.
"""

from __future__ import annotations

import os
import sys

from bridge.doctor.green_api import CONSOLE
from bridge.errors import SendError
from bridge.setup.dialogue import Dialogue
from bridge.setup.png import Modules, NoCode, read_code
from bridge.setup.waits import Waits
from bridge.whatsapp.console import Console, NoQr

POLL_SECONDS = 1.0
PATIENCE = 60.0  # that one answer may take: for months it was that slow
LIMIT = 300.0
MARGIN = 2  # modules of white around the code
_BLACK_ON_WHITE = "\x1b[30;107m"
_NORMAL = "\x1b[0m"


def show_qr(dialogue: Dialogue, console: Console, waits: Waits) -> bool:
    """Show the code until a phone has scanned it; return whether one has."""
    dialogue.say(
        "On the phone: WhatsApp, Settings, Linked devices, Link a device. Then point "
        "it at the code, which changes every 20 seconds."
    )
    screen = _Screen(dialogue)
    for _ in waits.beats(POLL_SECONDS, LIMIT):
        try:
            png = console.qr(PATIENCE * waits.scale)
        except NoQr as why:
            if not screen.explain(str(why)):
                return False
            continue
        except SendError:
            continue  # slow or limited: the next look brings it
        if png is None:
            dialogue.gap()
            return True
        screen.draw(png)
    dialogue.say("Nobody scanned the code within five minutes.")
    return False


class _Screen:
    """What was shown last; the same is not shown twice."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._shown = b""
        self._said = ""

    def draw(self, png: bytes) -> None:
        """Show the code, or say why that can't be."""
        if png == self._shown:
            return
        lines = _drawn(png)
        if lines is None:
            self._say(
                "The code can't be drawn in this terminal. Scan it on the instance's "
                f"page instead: {CONSOLE}"
            )
            return
        columns, rows = self._dialogue.room()
        needed = len(lines[0]), len(lines) + 1
        if columns < needed[0] or rows < needed[1]:
            self._say(
                f"The code needs a window of {needed[0]} columns and {needed[1]} "
                f"lines; this one has {columns} and {rows}. Make it larger."
            )
            return
        if not self._shown:
            self._dialogue.gap()
        self._dialogue.picture([_coloured(line) for line in lines])
        self._shown = png

    def explain(self, why: str) -> bool:
        """Say why there is no code; return whether there may be one later."""
        if "log out" in why.lower() or "logout" in why.lower():
            self._say(
                "GREEN-API still holds an older link of this instance. Log it out in "
                f"the console, then run bridge init --qr again: {CONSOLE}"
            )
            return False
        if not self._shown:
            self._say("GREEN-API prepares the code. That can take a minute or more.")
        return True

    def _say(self, text: str) -> None:
        if text != self._said:
            self._dialogue.say(text)
            self._said = text


def draw(modules: Modules) -> list[str]:
    """Return the code as lines of half blocks: two rows of modules in each line.

    What is printed is the white, so that on a dark terminal it looks as on paper.

    >>> draw([[True, False], [False, True]])[1]
    '██▄▀██'
    """
    size = len(modules) + 2 * MARGIN
    white = [[True] * size for _ in range(size + size % 2)]
    for y, row in enumerate(modules):
        for x, is_dark in enumerate(row):
            white[y + MARGIN][x + MARGIN] = not is_dark
    blocks = {(True, True): "█", (True, False): "▀", (False, True): "▄"}
    return [
        "".join(blocks.get(pair, " ") for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(white[::2], white[1::2], strict=True)
    ]


def _coloured(line: str) -> str:
    """Have a light terminal show dark modules dark as well."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return line
    swapped = line.translate(str.maketrans("█▀▄ ", " ▄▀█"))
    return f"{_BLACK_ON_WHITE}{swapped}{_NORMAL}"


def _drawn(png: bytes) -> list[str] | None:
    try:
        lines = draw(read_code(png))
        "".join(lines).encode(sys.stderr.encoding or "ascii")
    except (NoCode, UnicodeEncodeError):
        return None
    return lines
