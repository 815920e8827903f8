"""What the stub GREEN-API answers to all but ``sendMessage``: all is well, no news."""

from __future__ import annotations

from urllib.parse import parse_qs

NUMBER = "14155550000@c.us"
POLL_SECONDS = "5"  # GREEN-API's own default

_ANSWERS: dict[str, object] = {
    "getStateInstance": {"stateInstance": "authorized"},
    "getSettings": {"wid": NUMBER},
    "deleteNotification": {"result": True},
    "showMessagesQueue": [],
    "lastOutgoingMessages": [],
}


def answer(method: str, query: str) -> tuple[object, float]:
    """Return the answer to a question, and for how many seconds GREEN-API waits.

    Source: https://green-api.com/en/docs/api/receiving/technology-http-api/ReceiveNotification/

    >>> answer("receiveNotification", "receiveTimeout=20")
    (None, 20.0)
    """
    if method != "receiveNotification":
        return _ANSWERS.get(method, {}), 0.0
    return None, float(parse_qs(query).get("receiveTimeout", [POLL_SECONDS])[0])
