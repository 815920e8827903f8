"""Both emulators with one log: what a person at the page, or a test, can do there."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any, Final

from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.green_api.instance import STATES
from bridge.sandbox.page.fields import Mistake, chat_id_of
from bridge.sandbox.page.orders import Orders, check_order
from bridge.sandbox.page.standing import CHANNEL, ME, setup
from bridge.sandbox.slack import SlackSandbox

Json = dict[str, Any]

COMMANDS: Final = frozenset({"/whatsapp"})
CUSTOMER: Final = "Jane"
_IN_A_GROUP: Final = "14155550100@c.us"  # who writes there

_COMMAND = re.compile(r"(/\S+)\s?(.*)", re.DOTALL)


class Sandbox:
    """The workspace, the phones and the network between them.

    What somebody does here is a ``step`` in the log, so that it can be seen, and
    copied as a test.

    Args:
        slack: The emulated Slack.
        green: The emulated GREEN-API; both write to the same log.

    Attributes:
        url: Where a server answers for both; empty before the first start.
        speed: How fast the phones are; see ``clock``.
    """

    def __init__(self, slack: SlackSandbox, green: GreenApiSandbox) -> None:
        if slack.log is not green.log:
            raise ValueError("the emulators must share one log")
        self.slack = slack
        self.green = green
        self.log = slack.log
        self.orders = Orders(slack, green, self.log)
        self.url = ""
        self.speed = green.timeline.speed

    def started(self, url: str) -> None:
        """Take note that a server answers at ``url``; the story begins."""
        self.url = url
        self.log.append("setup", **setup(self))

    def say(
        self,
        text: str,
        user: str = ME,
        channel: str = CHANNEL,
        thread_ts: str | None = None,
        typed_on_a_phone: bool = False,
    ) -> Json:
        """Type a command, if the text begins with a slash, or else a message.

        Returns:
            ``{"command": {…}}`` when its user knows the outcome, or
            ``{"message": {…}}``.

        Raises:
            Mistake: there is no such user, channel or thread, or no text.
        """
        self._check_place(user, channel, thread_ts)
        if not text.strip():
            raise Mistake("“text” is empty.")
        self._step(
            "say",
            {"text": text},
            {"user": ME, "channel": CHANNEL},
            user=user,
            channel=channel,
            thread_ts=thread_ts,
            typed_on_a_phone=typed_on_a_phone or None,
        )
        if command := _COMMAND.fullmatch(text):
            name, rest = command.groups()
            return {
                "command": self._command(
                    user, channel, name, rest, thread_ts, typed_on_a_phone
                )
            }
        attempts = (0, 1) if self.orders.take_redelivery() else None
        return {
            "message": self.slack.write(
                user,
                channel,
                text,
                thread_ts,
                on_a_phone=typed_on_a_phone,
                attempts=attempts,
            )
        }

    def _command(
        self,
        user: str,
        channel: str,
        name: str,
        text: str,
        thread_ts: str | None,
        on_a_phone: bool,
    ) -> Json:
        if name not in COMMANDS:
            return self._refuse(user, channel, name)
        is_twice = thread_ts is None and self.orders.take_redelivery()
        command = self.slack.command(
            user,
            channel,
            text,
            name,
            thread_ts=thread_ts,
            on_a_phone=on_a_phone,
        )
        if is_twice:  # one after the other: which comes first is no matter of luck
            command = self.slack.redeliver(command.id)
        shown = asdict(command)
        del shown["response_url"]  # as good as a token
        return shown

    def _refuse(self, user: str, channel: str, name: str) -> Json:
        """Say what Slack says of a command that no app has."""
        notice = (
            f"{name} is not a valid command. In Slack, all messages that start with "
            "the “/” character are interpreted as commands."
        )
        self.log.append(
            "refusal", id=None, user=user, channel=channel, thread_ts=None, text=notice
        )
        return {"outcome": "refused", "notice": notice}

    def reply(self, chat_id: str, text: str) -> str:
        """Have a customer write; return the ``idMessage``.

        Raises:
            Mistake: it is no chat, its phone is off, or there is no text.
        """
        chat_id = chat_id_of(chat_id)
        if not text.strip():
            raise Mistake("“text” is empty.")
        if not self.green.instance.phones.is_on(chat_id):
            raise Mistake("That phone is off. Switch it on first.")
        self._step("reply", {"chat_id": chat_id, "text": text})
        sender = _IN_A_GROUP if chat_id.endswith("@g.us") else None
        return self.green.receive(chat_id, text, CUSTOMER, sender)

    def click(
        self, message_ts: str, action_id: str, user: str = ME, channel: str = CHANNEL
    ) -> Json:
        """Press a button; return what comes of it.

        Raises:
            Mistake: there is no such button.
        """
        self._check_place(user, channel, None)
        if not self.slack.has_button(channel, message_ts, action_id):
            raise Mistake("There is nothing to press: no such button on that message.")
        self._step(
            "click",
            {"message_ts": message_ts, "action_id": action_id},
            {"user": ME, "channel": CHANNEL},
            user=user,
            channel=channel,
        )
        shown = asdict(self.slack.press(user, channel, message_ts, action_id))
        del shown["response_url"]
        return shown

    def phone(self, is_on: bool, chat_id: str | None = None) -> None:
        """Switch a phone on or off, or all; what has waited then arrives.

        Raises:
            Mistake: it is no chat.
        """
        chat = None if chat_id is None else chat_id_of(chat_id)
        self._step("phone", {"is_on": is_on}, chat_id=chat)
        self.green.instance.switch_phone(chat, is_on)

    def status(self, state: str) -> None:
        """Change the state of the GREEN-API instance.

        Raises:
            Mistake: there is no such state.
        """
        if state not in STATES:
            raise Mistake(f"“{state}” is no state. Known: {', '.join(STATES)}.")
        self._step("status", {"state": state})
        self.green.set_state(state)

    def fault(
        self,
        side: str,
        kind: str,
        apply: str = "next",
        times: int | None = None,
        number: str | None = None,
    ) -> None:
        """Order a failure; see ``Orders.place``."""
        check_order(side, kind, apply, times, number)
        self._step(
            "fault",
            {"side": side, "kind": kind, "apply": apply},
            times=times,
            number=number,
        )
        self.orders.place(side, kind, apply, times, number)

    def clock(self, speed: float) -> None:
        """Change the pace of the phones: 1 is as in life, 0 loses no time.

        Only the ticks and the answers: the bridge has one time scale for all of its
        life, and the networks keep to that.

        Raises:
            Mistake: it is negative.
        """
        if speed < 0:
            raise Mistake("“speed” must be 0 or more.")
        self._step("clock", {"speed": speed})
        self.speed = speed
        pace = self.green.timeline.speed / speed if speed else 0.0
        self.green.switches.phone_pace = pace
        self.log.append("clock", speed=speed)

    def reset(self) -> None:
        """Begin again: nothing was said, nothing goes wrong, every phone is on."""
        with self.green.instance.changed, self.slack.workspace.lock:
            self.orders.forget()
            self.green.reset()
            self.slack.reset()  # empties the log, which both share
        self.log.append("setup", **setup(self))

    def _check_place(self, user: str, channel: str, thread_ts: str | None) -> None:
        workspace = self.slack.workspace
        if user not in workspace.users:
            raise Mistake(f"There is no user {user}.")
        if channel not in workspace.channels:
            raise Mistake(f"There is no channel {channel}.")
        if thread_ts and thread_ts not in workspace.channels[channel].messages:
            raise Mistake(f"There is no message {thread_ts} in {channel} to answer.")

    def _step(
        self,
        action: str,
        body: Json,
        usual: Json | None = None,
        **more: str | int | bool | None,
    ) -> None:
        """Log what is about to be done, without what is as usual."""
        usual = usual or {}
        rest = {
            name: value
            for name, value in more.items()
            if value is not None and usual.get(name) != value
        }
        self.log.append("step", action=action, body=body | rest)
