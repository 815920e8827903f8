"""The ``chat.*`` methods, and what they share with response URLs."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from bridge.sandbox.log import EventLog
from bridge.sandbox.slack.blocks import check_blocks
from bridge.sandbox.slack.call import ApiError, Call
from bridge.sandbox.slack.clock import Clock, Pace
from bridge.sandbox.slack.workspace import (
    APP_ID,
    BOT_ID,
    BOT_NAME,
    BOT_USER,
    TEAM_ID,
    Channel,
    Json,
    Kind,
    Workspace,
)

_MAX_TEXT = 40_000  # characters; what is over is cut off
_MAX_UPDATE = 4_000  # characters; more is refused
_MAX_ATTACHMENTS = 100

BOT_PROFILE: Json = {
    "id": BOT_ID,
    "app_id": APP_ID,
    "name": BOT_NAME,
    "team_id": TEAM_ID,
    "deleted": False,
    "updated": 1_700_000_000,
    "icons": {},
}
_AUTHOR: Json = {
    "user": BOT_USER,
    "bot_id": BOT_ID,
    "app_id": APP_ID,
    "bot_profile": BOT_PROFILE,
}


@dataclass(slots=True)
class Chat:
    """The methods' collaborators; one instance per sandbox."""

    workspace: Workspace
    log: EventLog
    clock: Clock
    pace: Pace
    messages_tab: bool = True  # App Home lets people read and write to the app

    def post_message(self, call: Call) -> Json:
        """``chat.postMessage``."""
        channel = self._destination(call)
        content = content_of(call)
        thread = thread_for(channel, call.text("thread_ts"))
        self._keep_pace(channel)
        broadcast = (
            {"subtype": "thread_broadcast"} if call.flag("reply_broadcast") else {}
        )
        message = self.post(
            channel, _AUTHOR | content | thread | (thread and broadcast)
        )
        answer = {"channel": channel.id, "ts": message["ts"], "message": message}
        return answer | _truncation(call)

    def post(self, channel: Channel, message: Json) -> Json:
        """Add a message for everybody in the channel to see; return a copy."""
        stored = deepcopy(self.workspace.add_message(channel, message))
        self.log.append("message", channel=channel.id, message=stored)
        return stored

    def update(self, call: Call) -> Json:
        """``chat.update``."""
        channel = call.channel()
        message = channel.messages.get(call.required("ts"))
        if message is None:
            raise ApiError("message_not_found")
        if message.get("bot_id") != BOT_ID:
            raise ApiError("cant_update_message")
        if channel.is_archived:
            raise ApiError("is_inactive")
        if len(call.text("text")) > _MAX_UPDATE:
            raise ApiError("msg_too_long")
        shown = self.rewrite(channel, message["ts"], call)
        return {
            "channel": channel.id,
            "ts": shown["ts"],
            "text": shown["text"],
            "message": shown,
        }

    def rewrite(self, channel: Channel, ts: str, call: Call) -> Json:
        """Change a message for everybody to see; return a copy.

        Raises:
            ApiError: there is no such message, or Slack would refuse the new one.
        """
        message = channel.messages.get(ts)
        if message is None:
            raise ApiError("message_not_found")
        content = content_of(call)
        _apply(message, content, call, edited_at=self.workspace.next_ts())
        shown = deepcopy(message)
        self.log.append("update", channel=channel.id, message=shown)
        return shown

    def delete(self, channel: Channel, ts: str) -> None:
        """Take a message away if it is there: a command's own can't be deleted."""
        if channel.messages.pop(ts, None) is not None:
            self.log.append("deletion", channel=channel.id, ts=ts)

    def post_ephemeral(self, call: Call) -> Json:
        """``chat.postEphemeral``."""
        channel, user = call.channel(), call.required("user")
        if not channel.has_bot:
            raise ApiError("not_in_channel")
        if channel.is_archived:
            raise ApiError("is_archived")
        if user not in channel.members:
            raise ApiError("user_not_in_channel")
        thread = thread_for(channel, call.text("thread_ts"))
        shown = self.show(channel.id, user, content_of(call) | thread)
        return {"message_ts": shown["ts"]}

    def show(self, channel_id: str, user: str, content: Json) -> Json:
        """Show one person an ephemeral message; return it."""
        note = {"channel": channel_id, "user": user, "text": ""} | content
        note["ts"] = self.workspace.next_ts()
        self.log.append("ephemeral", **note)
        return note

    def get_permalink(self, call: Call) -> Json:
        """``chat.getPermalink``."""
        channel, ts = call.channel(), call.required("message_ts")
        message = channel.messages.get(ts)
        if message is None:
            raise ApiError("message_not_found")
        link = f"{call.base_url}/archives/{channel.id}/p{ts.replace('.', '')}"
        if message.get("thread_ts", ts) != ts:
            link += f"?thread_ts={message['thread_ts']}&cid={channel.id}"
        return {"channel": channel.id, "permalink": link}

    def _destination(self, call: Call) -> Channel:
        """Return where to post, by the matrix of who may post where."""
        user = self.workspace.users.get(call.required("channel"))
        if user is not None:  # a user's id stands for the app's DM with them
            channel, _ = self.workspace.conversation({user.id, BOT_USER})
        else:
            channel = call.channel()
        if channel.is_archived:
            raise ApiError("is_archived")
        if not channel.has_bot and "chat:write.public" not in call.grant.scopes:
            raise ApiError("not_in_channel")
        if channel.kind is Kind.IM and not self.messages_tab:
            raise ApiError("messages_tab_disabled")
        return channel

    def _keep_pace(self, channel: Channel) -> None:
        if missing := self.pace.take(channel.id):
            seconds = max(1, math.ceil(self.clock.real(missing)))
            raise ApiError("ratelimited", status=429, retry_after=seconds)


def content_of(call: Call) -> Json:
    """Return text, blocks, attachments and metadata of a message to be.

    Keys are absent where the call has no such argument; ``text`` is always there.

    Raises:
        ApiError: there is nothing to show, or Slack would refuse a part.
    """
    blocks = check_blocks(call.structure("blocks", "invalid_blocks_format"))
    attachments = call.structure("attachments", "invalid_attachments")
    metadata = call.structure("metadata", "invalid_metadata_format")
    if not (call.text("text") or blocks or attachments):
        raise ApiError("no_text")
    if attachments and len(attachments) > _MAX_ATTACHMENTS:
        raise ApiError("too_many_attachments")
    if metadata and not _is_metadata(metadata):
        raise ApiError("invalid_metadata_format")
    parts = {"blocks": blocks, "attachments": attachments, "metadata": metadata}
    present = {name: deepcopy(part) for name, part in parts.items() if part is not None}
    return {"text": call.text("text")[:_MAX_TEXT]} | present


def thread_for(channel: Channel, ts: str) -> Json:
    """Return ``{"thread_ts": …}`` of the thread that ``ts`` is in; {} for no ts.

    A reply to a reply goes to the parent: threads have one level.
    """
    if not ts:
        return {}
    message = channel.messages.get(ts)
    if message is None:
        raise ApiError("thread_not_found")
    return {"thread_ts": message.get("thread_ts", ts)}


def _apply(message: Json, content: Json, call: Call, *, edited_at: str) -> None:
    """Change a message in place as ``chat.update`` documents it."""
    if "text" in call.args and "blocks" not in content:
        message.pop("blocks", None)  # a new text without blocks replaces them
    if "text" not in call.args:
        del content["text"]
    message.update(content)
    for part in ("blocks", "attachments", "metadata"):
        if part in message and not message[part]:
            del message[part]  # an empty one was sent to remove it
    if "blocks" not in message:  # Slack marks only text messages as edited
        message["edited"] = {"user": BOT_USER, "ts": edited_at}


def _is_metadata(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("event_type"), str)
        and isinstance(value.get("event_payload"), dict)
    )


def _truncation(call: Call) -> Json:
    if len(call.text("text")) <= _MAX_TEXT:
        return {}
    warning = "message_truncated"
    return {"warning": warning, "response_metadata": {"warnings": [warning]}}
