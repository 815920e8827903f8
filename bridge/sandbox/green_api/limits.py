"""How many requests a second, and how many chats a month, GREEN-API allows.

Source: https://green-api.com/en/docs/api/ratelimiter/
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from bridge.sandbox.green_api.answers import Answer, Rejected
from bridge.sandbox.green_api.faults import plan_limit_body

PER_SECOND: Final = {
    "receiveNotification": 100,
    "deleteNotification": 100,
    "sendMessage": 50,
    "getMessage": 10,
    "checkWhatsapp": 10,
    "getSettings": 1,
    "setSettings": 1,
    "getStateInstance": 1,
    "getWaSettings": 1,
    "reboot": 1,
    "getAuthorizationCode": 1,
    "qr": 3,
    "lastIncomingMessages": 1,
    "lastOutgoingMessages": 1,
    "showMessagesQueue": 1,
    "clearMessagesQueue": 1,
    "getMessagesCount": 1,
    "getWebhooksCount": 1,
}
LOOKUPS_PER_MONTH: Final = 100  # checkWhatsapp on the plan with a chat limit


class RateLimit:
    """A token bucket for each method: a second's worth of requests at once."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}  # (tokens, as of)

    def count(self, method: str, at: float) -> dict[str, str]:
        """Count a request and return the headers that tell what is left.

        The names of the headers are what live answers were seen to start with
        (``X-RateLimit-``); the rest is a guess, and there is no ``Retry-After``.

        Raises:
            Rejected: 429 with an empty body; the request is not executed.
        """
        limit = PER_SECOND[method]
        tokens, as_of = self._buckets.get(method, (float(limit), at))
        tokens = min(limit, tokens + (at - as_of) * limit)
        is_allowed = tokens >= 1
        tokens -= is_allowed
        self._buckets[method] = (tokens, at)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(int(tokens)),
            "X-RateLimit-Reset": "1",
        }
        if not is_allowed:
            raise Rejected(Answer(429, "", headers))
        return headers

    def clear(self) -> None:
        """Forget every request."""
        self._buckets.clear()


class Quota:
    """The chats of this month; the first ``limit`` ones take the places.

    Source: https://green-api.com/en/docs/api/466-error-example-body/
    """

    def __init__(self) -> None:
        self.limit: int | None = None
        self._month = ""
        self._chats: list[str] = []
        self._lookups = 0

    def allows(self, chat_id: str, now: datetime) -> bool:
        """Count a chat; return whether it has a place this month."""
        self._turn_page(now)
        if self.limit is None or chat_id in self._chats:
            return True
        if len(self._chats) >= self.limit:
            return False
        self._chats.append(chat_id)
        return True

    def _turn_page(self, now: datetime) -> None:
        month = f"{now:%Y-%m}"
        if month != self._month:
            self._month = month
            self._chats.clear()
            self._lookups = 0

    def check_send(self, chat_id: str, now: datetime) -> None:
        """Refuse a message to a chat without a place.

        Raises:
            Rejected: 466, with the chats that have one.
        """
        if not self.allows(chat_id, now):
            raise Rejected(Answer(466, plan_limit_body(tuple(self._chats))))

    def check_lookup(self, now: datetime) -> None:
        """Count a ``checkWhatsapp``.

        Raises:
            Rejected: 466 after 100 of them in a month.
        """
        self._turn_page(now)
        if self.limit is None:
            return
        if self._lookups >= LOOKUPS_PER_MONTH:
            raise Rejected(Answer(466, _lookups_used_up()))
        self._lookups += 1

    def clear(self) -> None:
        """Begin the month again; the limit stays."""
        self._month = ""


def _lookups_used_up() -> dict[str, object]:
    return {
        "invokeStatus": {
            "method": "checkwhatsapp",
            "used": LOOKUPS_PER_MONTH,
            "total": LOOKUPS_PER_MONTH,
            "status": "QUOTE_EXCEEDED",
            "description": (
                "Monthly quota has been exceeded. Please go to your personal account "
                "and change the tariff to business https://console.green-api.com"
            ),
        }
    }
