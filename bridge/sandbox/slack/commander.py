"""Runs slash commands: type, deliver, wait three seconds, show what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.sandbox.log import EventLog
from bridge.sandbox.slack.call import ApiError
from bridge.sandbox.slack.command import (
    Command,
    escape,
    new_trigger_id,
    notice_of,
    payload_of,
)
from bridge.sandbox.slack.courier import Courier
from bridge.sandbox.slack.delivery import Envelope, Outcome, Reply
from bridge.sandbox.slack.handheld import as_a_phone_types, link_numbers
from bridge.sandbox.slack.response_url import Interaction, ResponseUrls
from bridge.sandbox.slack.workspace import Channel, User, Workspace


@dataclass(eq=False, slots=True)
class _Run:
    """A command that was sent, kept so that it can be sent again."""

    command: Command
    envelope: Envelope
    interaction: Interaction


class Commander:
    """All commands ever run, by id."""

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
        self._runs: dict[str, _Run] = {}
        self._refused: dict[str, Command] = {}

    def find(self, command_id: str) -> Command:
        """Return a command as it stands; KeyError for an unknown id."""
        if refused := self._refused.get(command_id):
            return refused
        return self._runs[command_id].command

    def refuse(
        self, user: User, channel: Channel, name: str, text: str, thread_ts: str
    ) -> Command:
        """Do what the client does in a thread: say no and send nothing."""
        notice = notice_of(Outcome.REFUSED, name)
        command_id = f"cmd-{new_trigger_id()}"
        command = Command(
            command_id, user.id, channel.id, text, "", "", Outcome.REFUSED, None, notice
        )
        self._refused[command_id] = command
        self._log.append(
            "refusal",
            id=command_id,
            user=user.id,
            channel=channel.id,
            thread_ts=thread_ts,
            text=notice,
        )
        return command

    def run(
        self,
        user: User,
        channel: Channel,
        name: str,
        text: str,
        *,
        raw: bool,
        on_a_phone: bool,
        attempts: Sequence[int],
    ) -> Command:
        """Send a command and wait for its outcome."""
        interaction = self._response_urls.open(
            channel, user.id, typed=f"{name} {text}".strip()
        )
        sent = text if raw else self._encode(text, on_a_phone)
        trigger_id = new_trigger_id()
        url = self._response_urls.url_of(interaction)
        envelope = Envelope(
            "slash_commands", payload_of(name, sent, user, channel, trigger_id, url)
        )
        # Until the three seconds are over, the outcome is the one of silence.
        command = Command(
            f"cmd-{trigger_id}",
            user.id,
            channel.id,
            sent,
            trigger_id,
            url,
            Outcome.OPERATION_TIMEOUT,
        )
        run = _Run(command, envelope, interaction)
        self._runs[command.id] = run
        self._log.append(
            "command",
            id=command.id,
            user=user.id,
            channel=channel.id,
            command=name,
            typed=text,
            text=sent,
        )
        return self._conclude(run, self._deliver(run, attempts))

    def _encode(self, typed: str, on_a_phone: bool) -> str:
        if not on_a_phone:
            return escape(typed, self._workspace)
        return link_numbers(escape(as_a_phone_types(typed), self._workspace))

    def redeliver(self, command_id: str, attempt: int = 1) -> Command:
        """Send the very same envelope again; return what comes of that."""
        run = self._runs[command_id]
        return self._conclude(run, self._deliver(run, [attempt]))

    def _deliver(self, run: _Run, attempts: Sequence[int]) -> Reply:
        return self._courier.deliver(run.envelope, attempts, command_id=run.command.id)

    def _conclude(self, run: _Run, reply: Reply) -> Command:
        """Record and show what the user sees at the end of the three seconds."""
        name = str(run.envelope.payload["command"])
        run.command = replace(
            run.command,
            outcome=reply.outcome,
            ephemeral=self._show_ack(run, reply),
            notice=notice_of(reply.outcome, name),
        )
        self._log.append(
            "outcome",
            id=run.command.id,
            user=run.command.user,
            channel=run.command.channel,
            outcome=reply.outcome,
            text=run.command.notice,
        )
        return run.command

    def _show_ack(self, run: _Run, reply: Reply) -> str | None:
        payload = reply.payload
        if not isinstance(payload, dict):
            return None
        if payload == {"response_type": "in_channel"}:
            self._response_urls.echo(run.interaction)
            return None
        if not (payload.get("text") or payload.get("blocks")):
            return None
        try:
            with self._workspace.lock:
                return self._response_urls.show(run.interaction, payload)
        except ApiError as error:
            self._log.append("invalid_ack", id=run.command.id, error=str(error))
            return None
