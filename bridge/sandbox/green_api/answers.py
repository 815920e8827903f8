"""One request to the emulated GREEN-API and its answer, before they are HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Json = Mapping[str, object]

MAX_JSON: Final = 100 * 1024  # bytes
NGINX_TITLES: Final = {
    301: "301 Moved Permanently",
    302: "302 Found",
    307: "307 Temporary Redirect",
    308: "308 Permanent Redirect",
    404: "404 Not Found",
    499: "499 Client Closed Request",
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request to ``/waInstance{id}/{method}/{token}[/{receiptId}]``."""

    verb: str
    path: str
    id_instance: str
    method: str  # as GREEN-API spells it, whatever the request wrote
    token: str
    receipt_id: str | None
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, object] | None:
        """The JSON object sent; ``{}`` for an empty body, None for anything else."""
        if not self.raw:
            return {}
        try:
            parsed = json.loads(self.raw.decode("utf-8"))
        except ValueError:  # not UTF-8, a BOM in front, or not JSON
            return None
        return parsed if isinstance(parsed, dict) else None

    @property
    def chat_id(self) -> str | None:
        """The chat the request names, by ``chatId`` or ``phoneNumber``."""
        body = self.body or {}
        if "chatId" in body:
            return str(body["chatId"])
        phone = body.get("phoneNumber")
        return f"{phone}@c.us" if phone is not None else None


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and headers; a ``str`` body is text, anything else is JSON."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> tuple[bytes, str]:
        """Return the body as bytes, and its content type."""
        if isinstance(self.body, bytes):
            return self.body, "application/json; charset=utf-8"
        if isinstance(self.body, str):
            kind = "html" if self.body.startswith("<") else "plain"
            return self.body.encode(), f"text/{kind}; charset=utf-8"
        text = json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))
        # Half an emoji goes out as JSON's escape for it, as JavaScript writes it.
        kind = "application/json; charset=utf-8"
        return text.encode(errors="backslashreplace"), kind


class Refused(Exception):
    """The emulated GREEN-API says no, with a status and a text.

    How the text is wrapped (JSON with the token in ``path``, or plain) is a switch.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Rejected(Exception):
    """The emulated GREEN-API says no, with a body of its own form."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def invalid(details: str) -> Refused:
    """Return the refusal of a request that breaks a documented rule."""
    return Refused(400, f"Validation failed. Details: {details}")


def json_body(call: Call) -> Json:
    """Return the JSON object of a POST.

    Raises:
        Refused: it is too large (with 500, not 413), or not a JSON object; the
            wording of the latter is a guess.
    """
    if len(call.raw) > MAX_JSON:
        raise Refused(500, "request entity too large")
    body = call.body
    if body is None:
        raise Refused(400, "bad request data")
    return body


def nginx_page(status: int) -> str:
    """Return the page the proxy in front of GREEN-API shows for a status."""
    title = NGINX_TITLES.get(status, f"{status} Error")
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
