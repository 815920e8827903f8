"""Instance settings: their names, what they accept, and what a new instance has.

Source: https://green-api.com/en/docs/api/account/SetSettings/
"""

from __future__ import annotations

from typing import Final

from bridge.sandbox.green_api.answers import Json, invalid

NUMBERS: Final = {"delaySendMessagesMilliseconds": range(500, 600_001)}
TEXTS: Final = frozenset({"webhookUrl", "webhookUrlToken"})
NOTIFICATIONS: Final = (
    "incomingWebhook",
    "outgoingWebhook",
    "outgoingMessageWebhook",
    "outgoingAPIMessageWebhook",
    "stateWebhook",
    "pollMessageWebhook",
    "incomingCallWebhook",
    "incomingBlockWebhook",
    "editedMessageWebhook",
    "deletedMessageWebhook",
)
SWITCHES: Final = frozenset(
    {
        *NOTIFICATIONS,
        "outgoingCallWebhook",
        "markIncomingMessagesReaded",
        "markIncomingMessagesReadedOnReply",
        "keepOnlineStatus",
        "enableLidMode",
    }
)


def new_settings(notifications: bool) -> dict[str, object]:
    """Return the settings of a new instance: no notification is on by itself."""
    settings: dict[str, object] = {
        "webhookUrl": "",
        "webhookUrlToken": "",
        "delaySendMessagesMilliseconds": 500,
    }
    settings.update(dict.fromkeys(sorted(SWITCHES), "no"))
    if notifications:
        settings.update(dict.fromkeys(NOTIFICATIONS, "yes"))
    return settings


def check_settings(changes: Json) -> None:
    """Refuse changes that ``setSettings`` would refuse.

    Raises:
        Refused: an unknown key, a value of the wrong kind, or nothing at all.
            The wording for values is a guess.
    """
    if not changes:
        raise invalid("'value' must have at least 1 key")
    for key, value in changes.items():
        _check(key, value)


def _check(key: str, value: object) -> None:
    if key in SWITCHES:
        if value not in {"yes", "no"}:
            raise invalid(f"'{key}' must be one of [yes, no]")
    elif key in TEXTS:
        if not isinstance(value, str):
            raise invalid(f"'{key}' must be a string")
    elif key in NUMBERS:
        if isinstance(value, bool) or value not in NUMBERS[key]:
            low, high = NUMBERS[key][0], NUMBERS[key][-1]
            raise invalid(f"'{key}' must be a number from {low} to {high}")
    else:
        raise invalid(f"'{key}' is not allowed")
