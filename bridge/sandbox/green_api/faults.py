"""Faults: how a request can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from bridge.sandbox.green_api.answers import Answer, Refused, nginx_page

Drop = Literal["before", "after"]

LOGIN_PAGE: Final = "<html><body><h1>Sign in to the network</h1></body></html>"
QUOTE_ALLOWED: Final = {
    "method": "sendmessage",
    "used": 67,
    "total": 0,
    "status": "QUOTE_ALLOWED",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What one request gets instead of, or after, being executed.

    Durations are emulated seconds. With nothing but ``delay`` or ``drop="after"`` the
    request is executed; with a status, body, message or ``hold`` it is not, unless
    ``executes`` says so.
    """

    status: int | None = None
    body: object = None  # str: text; bytes: as they are; else JSON
    message: str | None = None  # a text in GREEN-API's own error form
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0  # before answering
    delay_execution: float = 0  # before executing, even if the client has gone
    drop: Drop | None = None  # reset the connection before or after executing
    hold: bool = False  # never answer
    truncate: bool = False  # half of the body, then the connection closes
    drip: float = 0  # seconds between two bytes of the body
    raw: bytes | None = None  # instead of any HTTP, then the connection closes
    executes: bool | None = None

    def is_executed(self) -> bool:
        """Whether the request has its effect."""
        if self.executes is not None:
            return self.executes
        return not (self._replaces() or self.hold or self.drop == "before")

    def _replaces(self) -> bool:
        given = (self.status, self.body, self.message, self.raw)
        return any(value is not None for value in given)

    def answer(self, true_answer: Answer | None) -> Answer:
        """Return what to send: the fault's own answer, or else the true one.

        Raises:
            Refused: the answer is an error in GREEN-API's own form.
        """
        if true_answer is not None and not self._replaces():
            return replace(true_answer, headers={**true_answer.headers, **self.headers})
        status = self.status or (400 if self.message is not None else 200)
        if self.body is not None:
            return Answer(status, self.body, self.headers)
        if self.message is not None:
            raise Refused(status, self.message)
        return _usual_answer(status, self.headers)


HEALTHY: Final = Fault()

SHAPES: Final[dict[str, Fault]] = {
    "truncated": Fault(truncate=True),
    "drip": Fault(drip=5.0),
    "html": Fault(status=200, body=LOGIN_PAGE),
    "empty": Fault(status=200, body=""),
    "no_id": Fault(status=200, body={}),
    "reason": Fault(status=200, body={"reason": "instance account not authorized"}),
    "correspondents": Fault(
        status=200,
        body={
            "invokeStatus": QUOTE_ALLOWED,
            "correspondentsStatus": {
                "method": "correspondents",
                "used": 3,
                "total": 3,
                "status": "CORRESPONDENTS_QUOTE_EXCEEDED",
                "description": "Monthly quota has been exceeded.",
            },
        },
    ),
}
"""Answers that look like a success and are none, by name."""


def _usual_answer(status: int, headers: Mapping[str, str]) -> Answer:
    if status in {401, 429}:
        return Answer(status, "", headers)
    if status == 403:
        return Answer(status, "Forbidden", headers)
    if status == 466:
        return Answer(status, plan_limit_body(DOCUMENTED_CHATS), headers)
    if status >= 300:
        return Answer(status, nginx_page(status), headers)
    return Answer(status, "", headers)


DOCUMENTED_CHATS: Final = (
    "12345678901@c.us",
    "12345678910@c.us",
    "12345678911@c.us",
)


def plan_limit_body(chats: tuple[str, ...]) -> dict[str, object]:
    """Return the 466 body: it lists the chats of other people.

    Source: https://green-api.com/en/docs/api/466-error-example-body/
    """
    return {
        "invokeStatus": QUOTE_ALLOWED,
        "correspondentsStatus": {
            "method": "correspondents",
            "used": len(chats),
            "total": len(chats),
            "status": "CORRESPONDENTS_QUOTE_EXCEEDED",
            "description": (
                "Monthly quota has been exceeded. You can only send or receive "
                f"messages from these numbers: {','.join(chats)}. Please go to your "
                "personal account and change the tariff to business "
                "https://console.green-api.com"
            ),
        },
    }
