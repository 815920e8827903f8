"""What is logged: no secret, one line an event."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from bridge.logs import JsonFormatter, TextFormatter

TOKEN = "d75b3a66374942c5b3c019c698abc2067e151558acbd412345"


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("bridge", logging.INFO, "", 0, message, args, None)


@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        "xoxb-123-456-abcDEF",
        "xoxe.xoxp-1-abc",
        "xapp-1-A0B1-2-abc",
        f"https://api.green-api.com/waInstance1101000001/sendMessage/{TOKEN}",
        "https://hooks.slack.com/commands/T1/2/abc",
        "my own secret",
    ],
)
@pytest.mark.parametrize("form", [TextFormatter, JsonFormatter])
def test_t7_t8_no_line_holds_a_secret(
    form: type[TextFormatter | JsonFormatter], secret: str
) -> None:
    formatter = form(["my own secret"])

    line = formatter.format(record("it says %s here", secret))

    assert secret.rsplit("/", 1)[-1] not in line
    assert "(hidden)" in line


@pytest.mark.parametrize("form", [TextFormatter, JsonFormatter])
def test_t7_no_traceback_holds_a_secret(
    form: type[TextFormatter | JsonFormatter],
) -> None:
    try:
        int(TOKEN)
    except ValueError:
        entry = record("bad")
        entry.exc_info = sys.exc_info()

    line = form([]).format(entry)

    assert "ValueError" in line
    assert TOKEN not in line


def test_t4_a_foreign_line_break_starts_no_second_line() -> None:
    entry = record("said: %s", "hi\r\n12:00:00 ERROR all is lost\x1b[2J\u202e")

    line = TextFormatter([]).format(entry)

    assert "\n" not in line
    assert "\x1b" not in line
    assert "\u202e" not in line


def test_json_lines_are_json() -> None:
    line = JsonFormatter([]).format(record('a "quoted"\nword'))

    assert json.loads(line)["message"] == 'a "quoted"\nword'
    assert "\n" not in line
