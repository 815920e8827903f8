"""From Slack's payloads to nouns: parse, commit, ack, return.

A listener makes no call to any network, so nothing slow can delay an ack. What is
slow is a lane.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slack_bolt import Ack, App, BoltContext

from bridge import command as typed
from bridge.command import Help, SendText, parse_command
from bridge.errors import Code, CommandError, NotStored, StoreError
from bridge.flows.decide import Decisions, decide
from bridge.flows.outbound import request_delivery
from bridge.model import Caller, Member, NewDelivery
from bridge.ports import Clock
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.slack.cards import escape
from bridge.slack.presses import PRESSED, Pressed, parse_press
from bridge.store.accounts import Account
from bridge.store.outbox import Outbox
from bridge.wording import deliveries as wording

log = logging.getLogger(__name__)

# Slack shows an error after 3 s. What is not stored by then must never be stored: the
# user was told that it failed and will type it again.
ACK_SECONDS = 2.2

ANYTHING = re.compile("")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the listeners need."""

    outbox: Outbox
    clock: Clock
    schedule: Schedule
    max_text: int
    known_member: Callable[[str], Member | None]
    decisions: Decisions
    whisper: Callable[[str, str], None]  # response_url, text; said after the ack
    account: Callable[[], Account]


def listen(app: App, desk: Desk) -> None:
    """Register every listener of the product."""

    @app.command(ANYTHING)  # the manifest decides on the name
    def on_command(ack: Ack, command: dict[str, Any], context: BoltContext) -> None:
        received_at = context.get("received_at", time.monotonic())
        ack(text=answer(desk, command, received_at), response_type="ephemeral")

    @app.action(PRESSED)
    def on_press(ack: Ack, body: dict[str, Any]) -> None:
        pressed = parse_press(body)
        said = settle(desk, pressed) if pressed else None
        ack()
        if pressed and said and pressed.response_url:
            desk.whisper(pressed.response_url, said)

    # Bolt answers 404 to what nobody listens for. Slack then sends an event again and
    # again, and shows an error to whoever pressed a button.
    @app.event(ANYTHING)
    @app.action(ANYTHING)
    @app.shortcut(ANYTHING)
    @app.options(ANYTHING)
    @app.view(ANYTHING)
    @app.view_closed(ANYTHING)
    def on_anything_else(ack: Ack) -> None:
        ack()


def answer(desk: Desk, command: dict[str, Any], received_at: float) -> str:
    """Do what a slash command asks and return what its author reads, as mrkdwn.

    Args:
        desk: the bridge.
        command: Slack's payload, ``{"text": str, "user_id": str, "team_id": str,
            "channel_id": str, "trigger_id": str, "response_url": str, …}``.
        received_at: ``time.monotonic()`` of its arrival.
    """
    try:
        parsed = parse_command(str(command.get("text", "")), desk.max_text)
    except CommandError as err:
        if err.code is Code.EMPTY:
            return wording.HELP
        return escape(str(err))
    match parsed:
        case SendText():
            return _send(desk, parsed, command, received_at)
        case typed.Status(word):
            return _status(desk, str(command.get("user_id", "")), word)
        case Help():
            return wording.HELP


def _send(
    desk: Desk, asked: SendText, command: dict[str, Any], received_at: float
) -> str:
    caller = Caller(
        user_id=str(command["user_id"]),
        team_id=str(command["team_id"]),
        channel_id=str(command["channel_id"]),
        response_url=command.get("response_url"),
    )
    member = desk.known_member(caller.user_id)
    if member is not None and not member.may_send:
        return f"Nothing was sent. {wording.REASONS[Reason.NOT_A_MEMBER]}"
    # Slack gives every command its own trigger_id and repeats it when it repeats the
    # command; without one, every arrival is a command of its own.
    trigger = command.get("trigger_id") or secrets.token_hex(16)
    new = NewDelivery(
        source=f"slack:{caller.team_id}:{trigger}",
        chat_id=asked.chat_id,
        text=asked.text,
        markup=asked.markup,
        caller=caller,
    )
    deadline = received_at + ACK_SECONDS  # Slack's, so no scale changes it
    try:
        stored = request_delivery(desk.outbox, new, desk.clock, desk.schedule, deadline)
    except (NotStored, StoreError) as err:
        log.warning("a command was not stored: %s", err)
        return wording.not_stored(err)
    return wording.queued(new.chat_id, stored.is_new)


def _status(desk: Desk, user_id: str, word: str | None) -> str:
    now = desk.clock()
    if word is not None:
        # Only one's own: an id is not a permission.
        found = desk.outbox.find(word, user_id)
        if len(found) != 1:
            return wording.unknown_delivery()
        return wording.details(found[0], now)
    hold = desk.account().hold
    latest = desk.outbox.latest(5, user_id)
    return wording.status(latest, *desk.outbox.waiting(), now, hold)


def settle(desk: Desk, pressed: Pressed) -> str | None:
    """Do what a button asks; return what only its presser should read, if anything."""
    try:
        return decide(desk.decisions, pressed.choice, pressed.delivery_id, pressed.by)
    except (NotStored, StoreError) as err:
        log.warning("a decision was not stored: %s", err)
        return wording.NOT_DECIDED
