"""The people, conversations and messages of one Slack workspace."""

from __future__ import annotations

import threading
import time
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

TEAM_ID = "T0SANDBOX"
TEAM_NAME = "Sandbox"
TEAM_DOMAIN = "sandbox"
APP_ID = "A0BRIDGE"
BOT_ID = "B0BRIDGE"
BOT_USER = "U0BRIDGE"
BOT_NAME = "whatsapp-bridge"
_CREATED = 1_700_000_000  # Unix seconds; when the workspace was set up


class Kind(StrEnum):
    """The four kinds of conversation; each has its own family of scopes."""

    PUBLIC = "channels"
    PRIVATE = "groups"
    IM = "im"
    MPIM = "mpim"


@dataclass(slots=True)
class User:
    """A member, guest, bot or stranger."""

    id: str
    name: str
    real_name: str
    team_id: str = TEAM_ID
    is_bot: bool = False
    deleted: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False

    def to_json(self) -> Json:
        """Return the user as ``users.info`` shows it."""
        shown = {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "deleted": self.deleted,
            "is_bot": self.is_bot,
            "profile": {"display_name": self.name, "real_name": self.real_name},
        }
        if self.is_stranger:  # of another workspace: little is known
            return shown | {"is_stranger": True}
        return shown | {
            "real_name": self.real_name,
            "tz": "Europe/London",
            "is_admin": False,
            "is_restricted": self.is_restricted or self.is_ultra_restricted,
            "is_ultra_restricted": self.is_ultra_restricted,
        }


@dataclass(slots=True)
class Channel:
    """A conversation of any kind; ``messages`` are Slack's JSON by their ``ts``."""

    id: str
    name: str
    kind: Kind
    members: set[str]
    is_archived: bool = False
    messages: dict[str, Json] = field(default_factory=dict)

    @property
    def has_bot(self) -> bool:
        """Whether our app's bot user is a member."""
        return BOT_USER in self.members

    @property
    def payload_name(self) -> str:
        """The ``channel_name`` of a slash command's payload."""
        match self.kind:
            case Kind.IM:
                return "directmessage"
            case Kind.PRIVATE:
                return "privategroup"
            case _:
                return self.name

    def to_json(self) -> Json:
        """Return the conversation as ``conversations.info`` shows it."""
        shown: Json = {
            "id": self.id,
            "created": _CREATED,
            "is_im": self.kind is Kind.IM,
            "is_org_shared": False,
            "is_archived": self.is_archived,
            "context_team_id": TEAM_ID,
        }
        if self.kind is Kind.IM:
            return shown | {"user": min(self.members - {BOT_USER}, default=BOT_USER)}
        return shown | {
            "name": self.name,
            "is_channel": self.kind is Kind.PUBLIC,
            "is_group": self.kind is Kind.PRIVATE,
            "is_mpim": self.kind is Kind.MPIM,
            "is_private": self.kind is not Kind.PUBLIC,
            "is_general": False,
            "is_member": self.has_bot,
            "is_shared": False,
            "is_ext_shared": False,
            "is_pending_ext_shared": False,
            "creator": "U0DANA",
            "topic": {"value": "", "creator": "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
        }


class Workspace:
    """Users and channels by id. Hold ``lock`` to read or change several things."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self._last_ts = 0  # microseconds
        self._dms = 0
        self.seed()

    def seed(self) -> None:
        """Go back to the people and channels of the first day."""
        with self.lock:
            self.users = {user.id: user for user in _people()}
            self.channels = {channel.id: channel for channel in _rooms()}
            self._dms = 0

    def find_channel(self, name_or_id: str) -> Channel | None:
        """Return the channel with this id, or named so (``#`` optional)."""
        name = name_or_id.removeprefix("#")
        by_name = (c for c in self.channels.values() if name and c.name == name)
        return self.channels.get(name_or_id) or next(by_name, None)

    def find_user(self, name: str) -> User | None:
        """Return the user with this name, in any case."""
        wanted = name.lower()
        return next((u for u in self.users.values() if u.name.lower() == wanted), None)

    def conversation(self, users: set[str]) -> tuple[Channel, bool]:
        """Return the DM of exactly these people and whether it is new."""
        with self.lock:
            for channel in self.channels.values():
                if channel.kind in (Kind.IM, Kind.MPIM) and channel.members == users:
                    return channel, False
            self._dms += 1
            channel = self._new_conversation(users)
            self.channels[channel.id] = channel
            return channel, True

    def _new_conversation(self, users: set[str]) -> Channel:
        if len(users) == 2:
            return Channel(f"D0APP{self._dms}", "", Kind.IM, users)
        names = "--".join(sorted(self.users[user].name for user in users))
        return Channel(f"G0APP{self._dms}", f"mpdm-{names}-1", Kind.MPIM, users)

    def add_message(self, channel: Channel, message: Json) -> Json:
        """Store a message under a ``ts`` of its own; return it as it is stored.

        A ``thread_ts`` in it must be that of an existing parent.
        """
        with self.lock:
            stored = {"type": "message", "team": TEAM_ID} | message
            stored["ts"] = self.next_ts()
            if parent := channel.messages.get(str(message.get("thread_ts"))):
                _count_reply(parent, stored)
            channel.messages[stored["ts"]] = stored
            return stored

    def next_ts(self) -> str:
        """Return a message timestamp nobody had before: ``1700000000.000100``."""
        with self.lock:
            now = time.time_ns() // 1000
            self._last_ts = max(now, self._last_ts + 1)
            return f"{self._last_ts // 1_000_000:d}.{self._last_ts % 1_000_000:06d}"


def thread_of(channel: Channel, ts: str) -> list[Json]:
    """Return copies of a thread's parent and its replies, oldest first.

    ``ts`` may be that of any message of the thread; none such gives [].
    """
    asked = channel.messages.get(ts)
    if asked is None:
        return []
    parent_ts = asked.get("thread_ts", ts)
    return [
        deepcopy(message)
        for message in channel.messages.values()
        if parent_ts in (message["ts"], message.get("thread_ts"))
    ]


def top_level(channel: Channel) -> list[Json]:
    """Return copies of what the channel itself shows, oldest first."""
    return [
        deepcopy(message)
        for message in channel.messages.values()
        if message.get("thread_ts", message["ts"]) == message["ts"]
        or message.get("subtype") == "thread_broadcast"
    ]


def _count_reply(parent: Json, reply: Json) -> None:
    parent["thread_ts"] = parent["ts"]
    parent["reply_count"] = parent.get("reply_count", 0) + 1
    parent["latest_reply"] = reply["ts"]
    users = parent.setdefault("reply_users", [])
    if reply.get("user") not in (None, *users):
        users.append(reply["user"])
    parent["reply_users_count"] = len(users)
    reply["parent_user_id"] = parent.get("user")


def _people() -> list[User]:
    return [
        User("U0DANA", "dana", "Dana"),
        User("U0SAM", "sam", "Sam"),
        User("U0GUEST", "guest", "Gil Guest", is_restricted=True),
        User("U0ULTRA", "ultra", "Uma Ultra", is_ultra_restricted=True),
        User("U0STRANGER", "stranger", "Stan", team_id="T0OTHER", is_stranger=True),
        User("U0GONE", "gone", "Gus Gone", deleted=True),
        User("U0BOT2", "otherbot", "Other Bot", is_bot=True),
        User(BOT_USER, BOT_NAME, "WhatsApp Bridge", is_bot=True),
    ]


def _rooms() -> list[Channel]:
    staff = {"U0DANA", "U0SAM"}
    everyone = staff | {"U0GUEST", "U0ULTRA", "U0STRANGER", "U0BOT2"}
    return [
        Channel("C0SUPPORT", "support", Kind.PUBLIC, everyone | {BOT_USER}),
        Channel("C0RANDOM", "random", Kind.PUBLIC, set(everyone)),
        Channel("C0PRIVATE", "private", Kind.PRIVATE, set(staff)),
        Channel("C0TEAM", "team", Kind.PRIVATE, staff | {BOT_USER}),
        Channel("C0OLD", "old", Kind.PUBLIC, set(staff), is_archived=True),
        Channel("D0HUMANS", "", Kind.IM, set(staff)),
        Channel("G0MPIM", "mpdm-dana--sam--guest-1", Kind.MPIM, staff | {"U0GUEST"}),
    ]
