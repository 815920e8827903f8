"""What the emulated GREEN-API remembers for referees, and its switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message the emulated GREEN-API said yes to: the truth for referees."""

    order: int  # 1 for the first
    id: str
    chat_id: str
    text: str
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Post:
    """A ``sendMessage`` request, accepted or not."""

    order: int  # 1 for the first
    at: datetime
    body: dict[str, object] | None  # None when it was not a JSON object
    chat_id: str | None
    raw: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class Switches:
    """Where the sources disagree, or a server of another age answers differently."""

    magic_numbers: bool = True
    rate_limits: bool = True
    unknown_instance: Literal[401, 403] = 401
    errors: Literal["json", "text"] = "json"
    when_unauthorized: Literal["queue", "refuse", "reason"] = "queue"
    shows_queue_head: bool = False  # else showMessagesQueue hides the next message
    queue_has_ids: bool = True  # else its items look as in 2020
    empty_poll: Literal["null", "empty", "504"] = "null"
    late_delete: Literal["reason", "500"] = "reason"
    delivers_over_quota: bool = False  # a further chat's message comes all the same
    # The seconds until each status and answer, times this: so the people at the phones
    # can be slower or quicker than the network.
    phone_pace: float = 1.0
    restart_seconds: float = 3.0  # after setSettings and reboot; really up to 300
    webhook_wait_seconds: float = 180.0
    webhook_pause_seconds: float = 60.0
