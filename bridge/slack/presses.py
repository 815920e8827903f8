"""Slack's ``block_actions`` payload → the press of one of our buttons."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bridge.model import Caller, Choice

PRESSED = re.compile(rf"\A(?:{'|'.join(Choice)})\Z")
"""The ``action_id`` of a button that decides on a delivery."""

_DELIVERY_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button of ours, and who pressed it."""

    choice: Choice
    delivery_id: str
    by: Caller
    response_url: str | None


def is_readable(body: dict[str, Any]) -> bool:
    """Whether Bolt can read a payload; it raises on ids and actions of odd shapes.

    >>> is_readable({"type": "block_actions", "actions": []})
    False
    """
    owners = (body.get(name) for name in ("enterprise", "team", "user", "channel"))
    if not all(isinstance(each, dict | str | None) for each in owners):
        return False
    if body.get("type") != "block_actions":
        return True
    actions = body.get("actions")
    return (
        isinstance(actions, list)
        and len(actions) > 0
        and all(isinstance(each, dict) for each in actions)
        and all(isinstance(each.get("action_id"), str) for each in actions)
    )


def parse_press(body: dict[str, Any]) -> Pressed | None:
    """Return the press in a payload; None if it makes no sense.

    Source: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload

    Args:
        body: a readable one, ``{"user": {"id": str, …}, "team": {"id": str, …},
            "channel": {"id": str, …}, "response_url"?: str, "actions":
            [{"action_id": str, "value": str, …}], …}``.
    """
    try:
        action = body["actions"][0]
        choice = Choice(action["action_id"])
        delivery_id = action["value"]
        who = [body[part]["id"] for part in ("user", "team", "channel")]
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    if not all(isinstance(each, str) and each for each in (delivery_id, *who)):
        return None
    if not _DELIVERY_ID.fullmatch(delivery_id):
        return None
    url = body.get("response_url")
    return Pressed(
        choice, delivery_id, Caller(*who), url if isinstance(url, str) else None
    )
