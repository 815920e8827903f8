"""The settings that an instance needs for the bridge, against those it has: pure.

Source: https://green-api.com/en/docs/api/account/SetSettings/
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

WEBHOOK_PATH = "/green-api/webhook"
SLOWEST_MS = 300_000  # of a queue that GREEN-API recommends

# What each notification is for. Whatever is off is missing in the journal, too.
NOTIFICATIONS = {
    "outgoingWebhook": "no ticks will ever arrive",
    "outgoingAPIMessageWebhook": "lost answers are found late or not at all",
    "incomingWebhook": "what customers write is not seen",
    "outgoingMessageWebhook": "what is typed on the phone is not seen",
    "stateWebhook": "a logged-out phone is noticed a minute late",
}
_JOURNAL = "outgoingAPIMessageWebhook"
_URL = "webhookUrl"
_TOKEN = "webhookUrlToken"  # noqa: S105 - a name
_DELAY = "delaySendMessagesMilliseconds"


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the bridge is set to receive."""

    receive: str  # polling, webhook or off
    webhook_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that should be another.

    ``wanted`` is None where only a person knows the right value.
    """

    key: str
    found: object = field(repr=False)  # may be a token
    wanted: object = field(repr=False)
    why: str  # what does not work as it is
    is_broken: bool = False  # nothing arrives at all

    def fact(self) -> str:
        """Say what is wrong, secrets hidden."""
        if self.wanted == "yes":
            return f"{self.key} is off: {self.why}"
        return f"{self.key} is {self._shown(self.found)}: {self.why}"

    def __str__(self) -> str:
        """Say what would change, secrets hidden."""
        arrow = f"{self._shown(self.found)} → {self._shown(self.wanted)}"
        return f"{self.key}: {arrow} ({self.why})"

    def _shown(self, value: object) -> str:
        if value in ("", None):
            return "(empty)"
        if self.key == _TOKEN:
            return "(hidden)"
        # The path of a foreign address may hold a secret of its own.
        return site(str(value)) if self.key == _URL else str(value)[:40]


def differences(found: Mapping[str, object], wishes: Wishes) -> list[Difference]:
    """Return what should be changed, what is broken first.

    Args:
        found: what ``getSettings`` answered. A setting that it does not show is one
            that this instance does not have.
        wishes: how the bridge is set to receive.
    """
    all_of_them = [
        *_address(found, wishes),
        *_notifications(found, wishes),
        *_delay(found),
    ]
    return sorted(all_of_them, key=lambda each: not each.is_broken)


def changes(wanted: Iterable[Difference]) -> dict[str, object]:
    """Return what ``setSettings`` has to be given; empty if only a person can help."""
    return {each.key: each.wanted for each in wanted if each.wanted is not None}


def site(address: str) -> str:
    """Return as much of an address as may be shown.

    >>> site("https://hooks.example.com:8443/secret?x=1")
    'https://hooks.example.com:8443/…'
    """
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an unreadable address"
    return f"{parts.scheme}://{parts.hostname or '?'}{port}/…"


def _address(found: Mapping[str, object], wishes: Wishes) -> list[Difference]:
    url = str(found.get(_URL) or "")
    if wishes.receive == "polling" and url:
        why = "another program gets the notifications; polling gets none"
        return [Difference(_URL, url, "", why, is_broken=True)]
    if wishes.receive != "webhook":
        return []
    if not url:
        why = f"it must be your public address, ending in {WEBHOOK_PATH}"
        return [Difference(_URL, url, None, why, is_broken=True)]
    if not urlsplit(url).path.endswith(WEBHOOK_PATH):
        why = f"the bridge listens at {WEBHOOK_PATH}"
        return [Difference(_URL, url, None, why, is_broken=True)]
    token = str(found.get(_TOKEN) or "")
    if wishes.webhook_token and not _is_same_token(token, wishes.webhook_token):
        why = "it is not GREEN_API_WEBHOOK_TOKEN; every notification is refused"
        return [Difference(_TOKEN, token, wishes.webhook_token, why, is_broken=True)]
    return []


def _is_same_token(found: str, wanted: str) -> bool:
    """Compare tokens; what is stored may have a scheme in front.

    >>> [_is_same_token(found, "t") for found in ("Bearer t", "t", "")]
    [True, True, False]
    """
    last = found.split()[-1:] or [""]
    return hmac.compare_digest(last[0].encode(), wanted.encode())


def _notifications(found: Mapping[str, object], wishes: Wishes) -> list[Difference]:
    return [
        Difference(key, found[key], "yes", why)
        for key, why in NOTIFICATIONS.items()
        if key in found and found[key] not in ("yes", True)
        # The journal is read also where notifications are not.
        if wishes.receive != "off" or key == _JOURNAL
    ]


def _delay(found: Mapping[str, object]) -> list[Difference]:
    delay = found.get(_DELAY)
    if not isinstance(delay, int) or delay <= SLOWEST_MS:
        return []
    why = "milliseconds between two messages: most will be too old to be of use"
    return [Difference(_DELAY, delay, None, why)]
