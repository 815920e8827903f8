"""An emulated Slack workspace with our app installed, on loopback.

``SlackSandbox`` is what people at the keyboard, tests and the control API use;
the app reaches it through the routes of ``web``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any, Literal, TypeVar

from flask import Blueprint

from bridge.sandbox.log import Entry
from bridge.sandbox.slack.api import Hook
from bridge.sandbox.slack.chat import thread_for
from bridge.sandbox.slack.command import Command, escape
from bridge.sandbox.slack.control import control_blueprint
from bridge.sandbox.slack.events import EventDelivery, message_event
from bridge.sandbox.slack.faults import Answer, Fault, OnUse
from bridge.sandbox.slack.handheld import as_a_phone_types, link_numbers
from bridge.sandbox.slack.parts import DEFAULT_SCOPES, SlackParts
from bridge.sandbox.slack.pressing import Press
from bridge.sandbox.slack.web import web_blueprint
from bridge.sandbox.slack.workspace import (
    BOT_USER,
    Channel,
    Json,
    Kind,
    User,
    thread_of,
    top_level,
)

_T = TypeVar("_T")

__all__ = ["DEFAULT_SCOPES", "Kind", "SlackSandbox", "User"]


class SlackSandbox(SlackParts):
    """One workspace and everything that can be done in it, to it and about it."""

    def blueprint(self) -> Blueprint:
        """Return the routes: the Web API, ``/link/``, response URLs, control."""
        blueprint = web_blueprint(self)
        blueprint.register_blueprint(control_blueprint(self))
        return blueprint

    # -- people ---------------------------------------------------------------

    def command(
        self,
        user: str = "U0DANA",
        channel: str = "C0SUPPORT",
        text: str = "",
        name: str = "/whatsapp",
        *,
        thread_ts: str | None = None,
        raw: bool = False,
        on_a_phone: bool = False,
        attempts: Sequence[int] = (0,),
    ) -> Command:
        """Run a slash command as ``user``; return when its user knows the outcome.

        Args:
            user: The id of who types it.
            channel: The id of the conversation it is typed in.
            text: What comes after the command's name.
            name: The command, with its slash.
            thread_ts: Typed in a thread: the client refuses and nothing is sent.
            raw: ``text`` is sent as it is; otherwise as the client encodes it with
                ``should_escape``.
            on_a_phone: Typed on a phone: with its own quotes and dashes, and with
                numbers as links.
            attempts: Which deliveries reach the app, all at once: ``(0, 1)`` is
                the same envelope twice, ``(1,)`` a redelivery whose first was lost.
        """
        who, where = self.workspace.users[user], self.workspace.channels[channel]
        if thread_ts:
            return self._commander.refuse(who, where, name, text, thread_ts)
        return self._commander.run(
            who, where, name, text, raw=raw, on_a_phone=on_a_phone, attempts=attempts
        )

    def redeliver(self, command_id: str, attempt: int = 1) -> Command:
        """Deliver a command's envelope once more; return the new outcome."""
        return self._commander.redeliver(command_id, attempt)

    def press(
        self,
        user: str,
        channel: str,
        message_ts: str,
        action_id: str,
        *,
        attempts: Sequence[int] = (0,),
        blocks: list[Json] | None = None,
    ) -> Press:
        """Press a button and say yes if it asks; return what its user then sees.

        Args:
            user: The id of who presses.
            channel: The id of the conversation.
            message_ts: The ``ts`` of the message with the button.
            action_id: Which of its buttons.
            attempts: As of ``command``.
            blocks: What this person's client still shows of the message; None is
                what it shows now.

        Raises:
            LookupError: there is no such message, or no such button on it.
        """
        who, where = self.workspace.users[user], self.workspace.channels[channel]
        return self._pressing.press(
            who, where, message_ts, action_id, attempts=attempts, blocks=blocks
        )

    def has_button(self, channel: str, message_ts: str, action_id: str) -> bool:
        """Whether such a message is there and shows such a button."""
        return self._pressing.has_button(
            self.workspace.channels[channel], message_ts, action_id
        )

    def say(
        self, user: str, channel: str, text: str, thread_ts: str | None = None
    ) -> Json:
        """Post a message as a person; return it. The app is not told.

        Args:
            user: The id of who writes.
            channel: The id of the conversation.
            text: As Slack stores it: ``& < >`` escaped, mentions and links as tokens.
            thread_ts: The ``ts`` of any message of the thread it is a reply in.
        """
        where = self.workspace.channels[channel]
        with self.workspace.lock:
            thread = thread_for(where, thread_ts or "")
            return self.chat.post(where, {"user": user, "text": text} | thread)

    def write(
        self,
        user: str,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        *,
        on_a_phone: bool = False,
        attempts: Sequence[int] | None = None,
    ) -> Json:
        """Type a message as a person; return it. The app gets the event.

        An app gets no event of a conversation it is not in.

        Args:
            user: The id of who types.
            channel: The id of the conversation.
            text: As it is typed.
            thread_ts: As of ``say``.
            on_a_phone: As of ``command``.
            attempts: As of ``send_event``.
        """
        typed = as_a_phone_types(text) if on_a_phone else text
        sent = escape(typed, self.workspace)
        message = self.say(
            user, channel, link_numbers(sent) if on_a_phone else sent, thread_ts
        )
        where = self.workspace.channels[channel]
        if where.has_bot:
            self.send_event(message_event(where, message), attempts)
        return message

    def send_event(
        self, event: Json, attempts: Sequence[int] | None = None
    ) -> EventDelivery:
        """Send the app an event, in the background.

        Args:
            event: The inner event: ``{"type": "message", …}``.
            attempts: Make just these deliveries one by one, acked or not; None is
                Slack's way: retries 1, 2 and 3 until one is acked.
        """
        return self._events.send(event, attempts)

    def verify_request_url(self) -> bool:
        """Send ``url_verification``; return whether the app passed."""
        return self._request_url().verify()

    # -- the workspace --------------------------------------------------------

    def add_user(self, user: User) -> None:
        """Add a user, or replace the one with the same id."""
        self.workspace.users[user.id] = user

    def add_channel(
        self, channel_id: str, name: str, kind: Kind, members: Iterable[str] = ()
    ) -> None:
        """Add a conversation; the app is in it if ``members`` has its bot user."""
        channel = Channel(channel_id, name, kind, set(members))
        self.workspace.channels[channel_id] = channel

    def dm(self, user: str) -> str:
        """Return the id of the app's DM with a user."""
        return self.workspace.conversation({user, BOT_USER})[0].id

    def invite(self, channel: str, user: str = BOT_USER) -> None:
        """Let a user, or our app, into a channel."""
        self._set_member(channel, user, True)

    def kick(self, channel: str, user: str = BOT_USER) -> None:
        """Take a user, or our app, out of a channel."""
        self._set_member(channel, user, False)

    def _set_member(self, channel: str, user: str, is_member: bool) -> None:
        with self.workspace.lock:
            members = self.workspace.channels[channel].members
            (members.add if is_member else members.discard)(user)
        self.log.append("membership", channel=channel, user=user, is_member=is_member)

    def archive(self, channel: str, archived: bool = True) -> None:
        """Archive a channel, or bring it back."""
        self.workspace.channels[channel].is_archived = archived

    def set_scopes(self, scopes: Iterable[str]) -> None:
        """Give the bot token other scopes, as reinstalling the app does."""
        self.api.grants[self.bot_token].scopes = set(scopes)

    def revoke(self, token: str | None = None, error: str = "token_revoked") -> None:
        """Make a token (the bot's by default) fail with ``error`` from now on."""
        self.api.grants[token or self.bot_token].error = error

    def reset(self) -> None:
        """Go back to the first day; connections stay, the log begins anew."""
        with self.workspace.lock:
            self.workspace.seed()
            self.api.faults.clear()
            self.response_urls.forget()
            self._pace.forget()
            self._grant_all()
            self.socket_mode.mute_pongs = False
            self.log.clear()
            self.log.append("reset")

    # -- the app's requests ---------------------------------------------------

    def respond(self, interaction_id: str, secret: str, payload: Any) -> Answer:
        """Answer a POST to a response URL; faults know it as ``response_url``."""
        return self.api.guard(
            "response_url",
            payload if isinstance(payload, dict) else {},
            lambda: self.response_urls.post(interaction_id, secret, payload),
            path="response_url",
            replay_of=None,
        )

    # -- failures -------------------------------------------------------------

    def fault(
        self,
        method: str,
        times: int | None = 1,
        *,
        status: int | None = None,
        body: str | Json | None = None,
        error: str | None = None,
        retry_after: int | None = None,
        delay: float | None = None,
        drop: Literal["before", "after"] | None = None,
        on_use: OnUse | None = None,
    ) -> None:
        """Order a failure; see ``Fault``. ``method`` may be ``"*"``.

        ``on_use`` is called at each use with how many are left.
        """
        self.api.faults.add(
            Fault(method, times, status, body, error, retry_after, delay, drop),
            on_use,
        )

    def disconnect(
        self, reason: str = "refresh_requested", *, only_one: bool = False
    ) -> None:
        """End all of the app's sockets, or lose one.

        Args:
            reason: One of Slack's (``warning``, ``refresh_requested``,
                ``link_disabled``), announced; or ``rst`` or ``fin``, not announced;
                or ``half_open``: one of them is dead and neither side knows.
            only_one: An announced end is that of the oldest socket alone.
        """
        match reason:
            case "rst":
                self.socket_mode.reset()
            case "fin":
                self.socket_mode.hang_up()
            case "half_open":
                self.socket_mode.lose_one()
            case "warning" | "refresh_requested" | "link_disabled":
                self.socket_mode.disconnect(reason, only_one=only_one)
            case _:
                raise ValueError(f"unknown reason to disconnect: {reason}")

    def mute_pongs(self, is_muted: bool = True) -> None:
        """Stop answering the client's pings, as a half-open link does."""
        self.socket_mode.mute_pongs = is_muted

    def clear_faults(self) -> None:
        """Cancel ordered failures and end an outage."""
        self.api.faults.clear()

    def outage(self, is_on: bool = True) -> None:
        """Let every method answer 503 with a page of HTML, or end that."""
        self.api.faults.outage = is_on

    @property
    def on_request(self) -> Hook | None:
        """``hook(method, args)``, called when a request came in."""
        return self.api.on_request

    @on_request.setter
    def on_request(self, hook: Hook | None) -> None:
        self.api.on_request = hook

    @property
    def on_reply(self) -> Hook | None:
        """``hook(method, args)``, called after executing, before replying."""
        return self.api.on_reply

    @on_reply.setter
    def on_reply(self, hook: Hook | None) -> None:
        self.api.on_reply = hook

    # -- what people saw ------------------------------------------------------

    def thread(self, channel: str, ts: str) -> list[Json]:
        """Return a thread, parent first; [] when there is no such message."""
        with self.workspace.lock:
            return thread_of(self.workspace.channels[channel], ts)

    def messages(self, channel: str) -> list[Json]:
        """Return what the channel shows outside of threads, oldest first."""
        with self.workspace.lock:
            return top_level(self.workspace.channels[channel])

    def ephemerals(self, user: str) -> list[Json]:
        """Return what only ``user`` saw, with replaced texts in their old place."""
        shown: dict[str, Json] = {}
        for entry in self.log.since(kind="ephemeral"):
            note = deepcopy(entry.data)
            if note["user"] == user:
                shown[_first_of(note, shown)] = note
        return list(shown.values())

    def outcome(self, command_id: str) -> Command:
        """Return a command as it stands; KeyError for an unknown id."""
        return self._commander.find(command_id)

    def wait_for(self, condition: Callable[[], _T | None], timeout: float = 5.0) -> _T:
        """Return the first true answer of ``condition``; TimeoutError if none."""
        return self.log.wait_for(condition, timeout)

    def wait(
        self, predicate: Callable[[Entry], bool], timeout: float = 5.0, since: int = 0
    ) -> Entry:
        """Return the first log entry that satisfies ``predicate``; TimeoutError."""
        return self.log.wait(predicate, timeout, since)


def _first_of(note: Json, shown: dict[str, Json]) -> str:
    """Return the key of the note this one replaces, or its own."""
    replaced = note.get("replaces")
    same = (key for key, each in shown.items() if each["ts"] == replaced)
    return next(same, str(note["ts"]))
