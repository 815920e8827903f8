"""Presses buttons: find the button, deliver, wait three seconds for the ack."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from bridge.sandbox.log import EventLog
from bridge.sandbox.slack.command import new_trigger_id
from bridge.sandbox.slack.courier import Courier
from bridge.sandbox.slack.delivery import Envelope, Outcome
from bridge.sandbox.slack.response_url import ResponseUrls
from bridge.sandbox.slack.workspace import (
    APP_ID,
    TEAM_DOMAIN,
    TEAM_ID,
    Channel,
    Json,
    User,
    Workspace,
)


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed, and what came of it.

    Slack shows a warning beside the button for any outcome but ``acked``. What the
    app says through ``response_url`` is in the event log.
    """

    id: str
    user: str
    channel: str
    message_ts: str
    action_id: str
    value: str | None
    trigger_id: str
    response_url: str
    outcome: Outcome


class Pressing:
    """The hand of everybody in the workspace."""

    def __init__(
        self,
        workspace: Workspace,
        log: EventLog,
        response_urls: ResponseUrls,
        courier: Courier,
    ) -> None:
        self._workspace = workspace
        self._log = log
        self._response_urls = response_urls
        self._courier = courier

    def press(
        self,
        user: User,
        channel: Channel,
        message_ts: str,
        action_id: str,
        *,
        attempts: Sequence[int],
        blocks: list[Json] | None,
    ) -> Press:
        """Press a button; see ``SlackSandbox.press``."""
        message = self._shown(channel, message_ts, blocks)
        block_id, button = _find(message, action_id)
        interaction = self._response_urls.open(channel, user.id, message_ts=message_ts)
        press = Press(
            f"press-{interaction.id}",
            user.id,
            channel.id,
            message_ts,
            action_id,
            button.get("value"),
            new_trigger_id(),
            self._response_urls.url_of(interaction),
            Outcome.OPERATION_TIMEOUT,
        )
        payload = _around(press, user, channel, message) | {
            "actions": [_action(button, block_id)]
        }
        return self._deliver(press, Envelope("interactive", payload), attempts)

    def has_button(self, channel: Channel, message_ts: str, action_id: str) -> bool:
        """Whether such a message is there and shows such a button."""
        try:
            _find(self._shown(channel, message_ts, None), action_id)
        except LookupError:
            return False
        return True

    def _shown(self, channel: Channel, ts: str, blocks: list[Json] | None) -> Json:
        """Return the message as the client has it, each block with an id."""
        with self._workspace.lock:
            message = deepcopy(channel.messages.get(ts))
        if message is None:
            raise LookupError(f"there is no message {ts} in {channel.id}")
        if blocks is not None:
            message["blocks"] = deepcopy(blocks)
        for index, block in enumerate(message.get("blocks", [])):
            block.setdefault("block_id", _block_id(ts, index))
        message.pop("metadata", None)  # no page says that it is in here
        return message

    def _deliver(
        self, press: Press, envelope: Envelope, attempts: Sequence[int]
    ) -> Press:
        about = {"id": press.id, "user": press.user, "channel": press.channel}
        self._log.append(
            "press",
            **about,
            message_ts=press.message_ts,
            action_id=press.action_id,
            value=press.value,
        )
        reply = self._courier.deliver(envelope, attempts, press_id=press.id)
        self._log.append("outcome", **about, outcome=reply.outcome, text=None)
        return replace(press, outcome=reply.outcome)


def _block_id(ts: str, index: int) -> str:
    """Return the id that Slack makes up for a block without one."""
    return hashlib.sha256(f"{ts}/{index}".encode()).hexdigest()[:5]


def _find(message: Json, action_id: str) -> tuple[str, Json]:
    """Return a button and the id of its block."""
    for block in message.get("blocks", []):
        for element in _elements(block):
            is_button = element.get("type") == "button"
            if is_button and element.get("action_id") == action_id:
                return block["block_id"], element
    raise LookupError(f"the message has no button {action_id}")


def _elements(block: Json) -> Iterator[Json]:
    if block.get("type") == "actions":
        yield from block["elements"]
    if accessory := block.get("accessory"):
        yield accessory


def _around(press: Press, user: User, channel: Channel, message: Json) -> Json:
    """Return a ``block_actions`` payload without its ``actions``.

    Source: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
    """
    container = {
        "type": "message",
        "message_ts": press.message_ts,
        "channel_id": channel.id,
        "is_ephemeral": False,
    }
    if thread_ts := message.get("thread_ts"):
        container["thread_ts"] = thread_ts
    return {
        "type": "block_actions",
        "user": {
            "id": user.id,
            "username": user.name,
            "name": user.name,
            "team_id": user.team_id,
        },
        "api_app_id": APP_ID,
        "token": "sandbox-verification",
        "container": container,
        "trigger_id": press.trigger_id,
        "team": {"id": TEAM_ID, "domain": TEAM_DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel.id, "name": channel.payload_name},
        "message": message,
        "state": {"values": {}},
        "response_url": press.response_url,
    }


def _action(button: Json, block_id: str) -> Json:
    kept = ("action_id", "text", "value", "style", "type")
    given = {name: button[name] for name in kept if name in button}
    return given | {"block_id": block_id, "action_ts": f"{time.time():.6f}"}
