"""A logged call once more: sent to the emulator again, or written as ``curl``."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import quote, urlsplit

from bridge.sandbox.log import Entry, EventLog
from bridge.sandbox.masking import MASK, clipped
from bridge.sandbox.page.fields import Mistake
from bridge.sandbox.page.sandbox import Sandbox

Json = dict[str, Any]

_PATIENCE: Final = 10.0  # seconds, then there was no answer
_SHOWN: Final = 8000  # characters of an answer that is no JSON
_APP_LEVEL: Final = "apps.connections.open"


@dataclass(frozen=True, slots=True)
class _Call:
    """A request of the bridge; the ``path`` has a mask where a token belongs."""

    side: str
    method: str
    verb: str
    path: str
    body: object

    @property
    def variable(self) -> str:
        """The setting that holds the token."""
        if self.side == "green":
            return "GREEN_API_TOKEN_INSTANCE"
        return "SLACK_APP_TOKEN" if self.method == _APP_LEVEL else "SLACK_BOT_TOKEN"


def _find(log: EventLog, seq: int) -> _Call:
    entry = next(iter(log.since(seq - 1)), None)
    if entry is None or entry.seq != seq or entry.kind != "api_call":
        raise Mistake(f"Entry {seq} is no call of the bridge.")
    return _call(entry)


def _call(entry: Entry) -> _Call:
    data = entry.data
    if data["method"] == "response_url":
        raise Mistake("The secret address of a response is not kept in the log.")
    return _Call(
        data["side"], data["method"], data["verb"], data["path"], data["request"]
    )


def replay(sandbox: Sandbox, seq: int, body: Json | None = None) -> Json:
    """Send a logged call again, perhaps with another body; return what came back.

    Returns:
        ``{"status": int | None, "response": JSON, text or None}``; the status is None
        when there was no answer.

    Raises:
        Mistake: the entry is no call, or none that can be repeated.
    """
    call = _find(sandbox.log, seq)
    asked = call.body if body is None else body
    if call.verb == "POST" and not isinstance(asked, dict):
        raise Mistake("Its body was no JSON object. Give it one to send it again.")
    headers = {"X-Sandbox-Replay": str(seq)}
    if call.verb == "POST":
        headers["Content-Type"] = "application/json"
    if call.side == "slack":
        headers["Authorization"] = f"Bearer {_token(sandbox, call)}"
    path = quote(_with_token(call, sandbox.green.token), safe="/?=&%")
    content = json.dumps(asked).encode() if call.verb == "POST" else None
    return _exchange(sandbox.url, call.verb, path, content, headers)


def _token(sandbox: Sandbox, call: _Call) -> str:
    slack = sandbox.slack
    return slack.app_token if call.method == _APP_LEVEL else slack.bot_token


def _with_token(call: _Call, token: str) -> str:
    return call.path.replace(f"/{call.method}/{MASK}", f"/{call.method}/{token}", 1)


def _exchange(
    url: str, verb: str, path: str, content: bytes | None, headers: dict[str, str]
) -> Json:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE)
    try:
        connection.request(verb, path, content, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, HTTPException):
        return {"status": None, "response": None}
    finally:
        connection.close()
    try:
        shown = json.loads(text)
    except ValueError:
        shown = clipped(text, _SHOWN) or None
    return {"status": answer.status, "response": shown}


def as_curl(sandbox: Sandbox, seq: int) -> str:
    """Return a logged call as a line for a shell, the token as a variable.

    Raises:
        Mistake: the entry is no call, or none that can be repeated.
    """
    call = _find(sandbox.log, seq)
    before, _, after = _with_token(call, "\0").partition("\0")
    address = shlex.quote(f"{sandbox.url}{before}")
    if "\0" in _with_token(call, "\0"):
        address += f'"${call.variable}"' + (shlex.quote(after) if after else "")
    words = ["curl", "-sS", "-X", call.verb, address]
    if call.side == "slack":
        words += ["-H", f'"Authorization: Bearer ${call.variable}"']
    if call.verb == "POST":
        body = json.dumps(call.body, ensure_ascii=False)
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(body)]
    return " ".join(words)
