"""Response URLs and the messages in acks: an app's answers to commands and presses."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.sandbox.slack.call import ApiError, Call, Grant
from bridge.sandbox.slack.chat import BOT_PROFILE, Chat, content_of, thread_for
from bridge.sandbox.slack.clock import Clock
from bridge.sandbox.slack.faults import Answer
from bridge.sandbox.slack.workspace import (
    APP_ID,
    BOT_ID,
    TEAM_ID,
    Channel,
    Json,
    Workspace,
)

_MAX_USES = 5
_LIFETIME = 30 * 60.0  # seconds


@dataclass(eq=False, slots=True)
class Interaction:
    """The chain of answers to one command, or to one press of a button."""

    id: str
    secret: str
    began: float  # in the sandbox clock's seconds
    channel: Channel
    user: str
    typed: str = ""  # the command that was run, shown when the answer is public
    message_ts: str = ""  # of the message whose button was pressed
    uses: int = 0
    last_note: Json | None = None  # the ephemeral that replace_original replaces

    @property
    def path(self) -> str:
        """The path of the response URL."""
        kind = "actions" if self.message_ts else "commands"
        return f"/{kind}/{TEAM_ID}/{self.id}/{self.secret}"


class ResponseUrls:
    """All interactions, by id. Neither membership nor pace matters here."""

    def __init__(self, workspace: Workspace, chat: Chat, clock: Clock) -> None:
        self.base = "http://localhost"  # where response URLs begin
        self._workspace = workspace
        self._chat = chat
        self._clock = clock
        self._interactions: dict[str, Interaction] = {}
        self._numbers = itertools.count(9_000_000_001)

    def open(
        self, channel: Channel, user: str, *, typed: str = "", message_ts: str = ""
    ) -> Interaction:
        """Begin the chain of a command that was typed, or of a message's button."""
        number = str(next(self._numbers))
        interaction = Interaction(
            number,
            secrets.token_hex(12),
            self._clock.now(),
            channel,
            user,
            typed,
            message_ts,
        )
        self._interactions[number] = interaction
        return interaction

    def url_of(self, interaction: Interaction) -> str:
        """Return the response URL."""
        return f"{self.base}{interaction.path}"

    def forget(self) -> None:
        """Make every response URL unknown."""
        self._interactions.clear()

    def post(self, interaction_id: str, secret: str, payload: Any) -> Answer:
        """Answer one POST to a response URL. ``payload``: its JSON, None if none."""
        interaction = self._interactions.get(interaction_id)
        if interaction is None or not secrets.compare_digest(
            interaction.secret, secret
        ):
            return _refusal("no_such_url", 404)
        if self._clock.now() - interaction.began > _LIFETIME:
            return _refusal("expired_url", 404)
        if not isinstance(payload, dict):
            return Answer("invalid_payload", 400)
        with self._workspace.lock:
            if interaction.uses >= _MAX_USES:
                return _refusal("used_url", 404)
            try:
                self.show(interaction, payload)
            except ApiError as error:
                return Answer(str(error), 400)
            interaction.uses += 1
        return Answer("ok")

    def show(self, interaction: Interaction, payload: Json) -> str | None:
        """Show the app's message; return its text if only the user sees it.

        Raises:
            ApiError: Slack would refuse the message.
        """
        call = Call("response_url", payload, Grant(False), self._workspace, "")
        if call.flag("delete_original"):
            self._chat.delete(interaction.channel, interaction.message_ts)
            return None
        if call.flag("replace_original") and interaction.message_ts:
            self._chat.rewrite(interaction.channel, interaction.message_ts, call)
            return None
        content = content_of(call) | thread_for(
            interaction.channel, call.text("thread_ts")
        )
        if call.flag("replace_original") and interaction.last_note:
            content["replaces"] = interaction.last_note["ts"]
        elif payload.get("response_type") == "in_channel":
            self._show_to_all(interaction, content)
            return None
        note = self._chat.show(interaction.channel.id, interaction.user, content)
        interaction.last_note = note
        return str(note["text"])

    def _show_to_all(
        self, interaction: Interaction, content: Mapping[str, Any]
    ) -> None:
        author = {
            "subtype": "bot_message",
            "bot_id": BOT_ID,
            "app_id": APP_ID,
            "bot_profile": BOT_PROFILE,
        }
        if interaction.typed and "thread_ts" not in content:
            self.echo(interaction)
        self._chat.post(interaction.channel, author | dict(content))

    def echo(self, interaction: Interaction) -> None:
        """Show everybody the command as it was typed; a public answer does that."""
        echo = {"user": interaction.user, "text": interaction.typed}
        self._chat.post(interaction.channel, echo)


def _refusal(error: str, status: int) -> Answer:
    return Answer({"ok": False, "error": error}, status)
