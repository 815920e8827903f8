"""The ``conversations.*`` and ``users.*`` methods."""

from __future__ import annotations

import base64
import binascii
from copy import deepcopy
from dataclasses import dataclass

from bridge.sandbox.log import EventLog
from bridge.sandbox.slack.call import ApiError, Call
from bridge.sandbox.slack.workspace import (
    BOT_USER,
    Channel,
    Json,
    Kind,
    Workspace,
    thread_of,
    top_level,
)

READ_SCOPES = tuple(f"{kind}:read" for kind in Kind)
HISTORY_SCOPES = tuple(f"{kind}:history" for kind in Kind)
_MAX_PAGE = 1000  # messages
_MAX_OPEN = 8  # people in a group DM besides the app


@dataclass(frozen=True, slots=True)
class Conversations:
    """The methods' collaborators; one instance per sandbox."""

    workspace: Workspace
    log: EventLog

    def info(self, call: Call) -> Json:
        """``conversations.info``."""
        channel = call.channel()
        call.need_scope(f"{channel.kind}:read")
        shown = channel.to_json()
        if call.flag("include_num_members"):
            shown["num_members"] = len(channel.members)
        return {"channel": shown}

    def join(self, call: Call) -> Json:
        """``conversations.join``."""
        channel = call.channel()
        if channel.kind is not Kind.PUBLIC:
            raise ApiError("method_not_supported_for_channel_type")
        if channel.is_archived:
            raise ApiError("is_archived")
        if channel.has_bot:
            warning = "already_in_channel"
            return {
                "channel": channel.to_json(),
                "warning": warning,
                "response_metadata": {"warnings": [warning]},
            }
        self.add_member(channel, BOT_USER)
        return {"channel": channel.to_json()}

    def add_member(self, channel: Channel, user: str) -> None:
        """Let a user into a channel, for everybody to see."""
        channel.members.add(user)
        self.log.append("membership", channel=channel.id, user=user, is_member=True)

    def open(self, call: Call) -> Json:
        """``conversations.open``."""
        if call.text("channel"):
            channel, is_new = call.channel(), False
        else:
            users = _user_ids(call)
            for user in users:
                self._check_reachable(user)
            if len(users) > 1:
                call.need_scope("mpim:write")
            channel, is_new = self.workspace.conversation({*users, BOT_USER})
        shown = channel.to_json() if call.flag("return_im") else {"id": channel.id}
        known = {} if is_new else {"no_op": True, "already_open": True}
        return known | {"channel": shown}

    def _check_reachable(self, user_id: str) -> None:
        user = self.workspace.users.get(user_id)
        if user is None:
            raise ApiError("user_not_found")
        if user.deleted:
            raise ApiError("user_disabled")
        if user.is_stranger:
            raise ApiError("user_not_visible")
        if user.is_bot:
            raise ApiError("cannot_dm_bot")

    def replies(self, call: Call) -> Json:
        """``conversations.replies``."""
        channel = _readable(call)
        thread = thread_of(channel, call.required("ts"))
        if not thread:
            raise ApiError("thread_not_found")
        return _page(call, thread)

    def history(self, call: Call) -> Json:
        """``conversations.history``, newest first."""
        channel = _readable(call)
        return _page(call, top_level(channel)[::-1])

    def user_info(self, call: Call) -> Json:
        """``users.info``."""
        user = self.workspace.users.get(call.required("user"))
        if user is None:
            raise ApiError("user_not_found")
        return {"user": user.to_json()}


def _user_ids(call: Call) -> list[str]:
    """Return the ids in ``users``: a list in JSON, ``U1,U2`` in a form."""
    users = call.args.get("users")
    parts = users if isinstance(users, list) else call.text("users").split(",")
    ids = [str(part).strip() for part in parts if part]
    if not ids:
        raise ApiError("users_list_not_supplied")
    if len(ids) > _MAX_OPEN:
        raise ApiError("too_many_users")
    return ids


def _readable(call: Call) -> Channel:
    channel = call.channel()
    call.need_scope(f"{channel.kind}:history")
    if not channel.has_bot:
        raise ApiError("not_in_channel")
    return channel


def _page(call: Call, messages: list[Json]) -> Json:
    """Return the asked-for part of ``messages`` with the cursor to the next."""
    wanted = [deepcopy(each) for each in messages if _is_between(call, each["ts"])]
    start = _offset(call.text("cursor"))
    end = start + max(1, min(call.number("limit", _MAX_PAGE), _MAX_PAGE))
    if not call.flag("include_all_metadata"):
        for message in wanted:
            message.pop("metadata", None)
    has_more = end < len(wanted)
    return {
        "messages": wanted[start:end],
        "has_more": has_more,
        "response_metadata": {"next_cursor": _cursor(end) if has_more else ""},
    }


def _is_between(call: Call, ts: str) -> bool:
    oldest, latest = call.text("oldest", "0"), call.text("latest") or "9" * 10
    if ts in (oldest, latest):
        return call.flag("inclusive")
    return _micros(oldest) < _micros(ts) < _micros(latest)


def _micros(ts: str) -> int:
    seconds, _, fraction = ts.partition(".")
    try:
        return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
    except ValueError:
        raise ApiError("invalid_arguments") from None


def _cursor(offset: int) -> str:
    return base64.b64encode(f"next:{offset}".encode()).decode()


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("next:"))
    except (binascii.Error, ValueError):
        raise ApiError("invalid_cursor") from None
