"""What is logged and how: one line an event, ids instead of contents, no secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

# Their lines below these levels hold addresses (GREEN-API's hold the token) and whole
# payloads, and say nothing that an operator can use.
_FOREIGN = {
    "urllib3": logging.WARNING,
    "requests": logging.WARNING,
    "slack_sdk": logging.WARNING,
    "slack_bolt": logging.ERROR,
    "waitress": logging.WARNING,
    "waitress.queue": logging.ERROR,  # else a line for each request of a burst
    "alembic": logging.WARNING,
    "sqlalchemy.pool": logging.CRITICAL,  # else a traceback for a lost connection
}

_SECRETS = re.compile(
    r"xox[a-z](?:\.xox[a-z])?-[\w-]+|xapp-[\w-]+|/waInstance\d+/\w+/[^\s/\"']+"
    r"|\b[0-9a-f]{50}\b|https?://hooks\.slack[^\s\"']*"
)


class Cleaner:
    """Takes secrets out of a text: those it is told of, and whatever looks like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = "|".join(re.escape(s) for s in sorted(secrets, key=len, reverse=True))
        self._known = re.compile(known) if known else None

    def clean(self, text: str) -> str:
        """Return the text without secrets."""
        if self._known is not None:
            text = self._known.sub("(hidden)", text)
        return _SECRETS.sub("(hidden)", text)


class _Redacted(logging.Formatter):
    """Takes secrets out of the finished line, tracebacks included."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self.clean = Cleaner(secrets).clean


class TextFormatter(_Redacted):
    """``14:02:03 INFO    delivery 3f… queued``, one line an event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; foreign line breaks can't start a second one."""
        moment = datetime.fromtimestamp(record.created, UTC)
        head = f"{moment:%H:%M:%S} {record.levelname:<7} "
        line = head + _printable(record.getMessage())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return self.clean(line)


class JsonFormatter(_Redacted):
    """One JSON object an event: ``at``, ``level``, ``logger``, ``message``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        entry = {
            "at": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.clean(record.getMessage()),
        }
        if record.exc_info:
            entry["error"] = self.clean(self.formatException(record.exc_info))
        return json.dumps(entry)


def fill_closed_streams() -> None:
    """Have standard streams that were closed by whoever started us lead nowhere.

    Else the next file to be opened gets their number: the database, say, and what
    anybody prints would be written into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def configure(level: str, form: str, secrets: Iterable[str]) -> None:
    """Set logging up, once, for the whole program.

    Args:
        level: ``INFO``, ``WARNING`` or ``ERROR``.
        form: ``text``, ``json``, or ``auto`` for text on a terminal.
        secrets: values that must never appear, whoever logs them.
    """
    if form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter if form == "json" else TextFormatter
    handler.setFormatter(formatter([s for s in secrets if s]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _FOREIGN.items():
        logging.getLogger(name).setLevel(least)
    # A full disk or a closed terminal must not stop the sending.
    logging.raiseExceptions = False


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
