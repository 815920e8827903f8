"""One emulated instance: messages out, messages in, state and settings.

    accept -> ledger -> outgoing queue -> journal, echo -> statuses -> notifications

Every method may be called from any thread; all of them take the one lock.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from bridge.sandbox.green_api.answers import Json
from bridge.sandbox.green_api.journal import Entry, Journal
from bridge.sandbox.green_api.limits import Quota
from bridge.sandbox.green_api.magic import USUAL, Outcome, Step, outcome
from bridge.sandbox.green_api.notifications import NotificationQueue, Writer
from bridge.sandbox.green_api.phones import PhoneOff, Phones
from bridge.sandbox.green_api.queue import OutgoingQueue, Queued
from bridge.sandbox.green_api.records import Accepted, Switches
from bridge.sandbox.green_api.rules import OnUse, Rules
from bridge.sandbox.green_api.settings import check_settings, new_settings
from bridge.sandbox.green_api.timeline import Timeline
from bridge.sandbox.green_api.webhook import WebhookSender
from bridge.sandbox.log import EventLog

STATES: Final = (
    "authorized",
    "notAuthorized",
    "starting",
    "blocked",
    "sleepMode",
    "yellowCard",
    "suspended",
)
OWN_WID: Final = "14155550199@c.us"  # the account the instance is linked to
_MESSAGE: Final = "sendMessage"
ON_THE_PHONE: Final = frozenset({"delivered", "read"})  # once it is on
ALWAYS_TOLD: Final = frozenset({"noAccount", "failed"})  # even with statuses off


class Instance:
    """The account behind the emulated GREEN-API."""

    def __init__(
        self, id_instance: str, speed: float, notifications: bool, log: EventLog
    ) -> None:
        self.changed = threading.Condition()
        self.log = log
        self.switches = Switches()
        self.timeline = Timeline(speed, self.changed)
        self.journal = Journal(self.timeline)
        self.notifications = NotificationQueue(self.timeline)
        self.phones = Phones()
        self.ends: Rules[Outcome] = Rules()  # ordered for the next messages
        self.quota = Quota()
        self.queue = OutgoingQueue(
            self.timeline,
            pace=self._pace,
            is_open=lambda: self.state == "authorized",
            release=self._release,
            expire=lambda message: self._log(
                "expired", id=message.id, chat_id=message.chat_id
            ),
        )
        self.webhook = WebhookSender(
            self.timeline,
            self.notifications,
            self.switches,
            self._webhook_target,
            log,
        )
        self._writer = Writer(id_instance, self.timeline)
        self._all_on = notifications
        self._begin()

    def _begin(self) -> None:
        self.settings = new_settings(self._all_on)
        self.ledger: list[Accepted] = []
        self.scripts: dict[str, Outcome] = {}
        self._after_restart = "authorized"
        self._enter("authorized")

    def reset(self) -> None:
        """Forget all messages; settings and state are as new."""
        with self.change():
            self.timeline.forget()
            self.queue.clear()
            self.notifications.clear()
            self.journal.clear()
            self.quota.clear()
            self.phones.reset()
            self.ends.clear()
            self._begin()

    # Out

    def accept(self, chat_id: str, text: str, options: Json) -> str:
        """Take a message into the outgoing queue; return its ``idMessage``."""
        with self.change():
            id_message = f"3EB0{secrets.token_hex(8).upper()}"
            self.ledger.append(
                Accepted(
                    len(self.ledger) + 1,
                    id_message,
                    chat_id,
                    text,
                    accepted_at=self.timeline.now(),
                )
            )
            self._log("accepted", id=id_message, chat_id=chat_id, text=text)
            self.queue.add(
                Queued(id_message, chat_id, text, options, self.timeline.seconds())
            )
        return id_message

    def _pace(self) -> float:
        return int(str(self.settings["delaySendMessagesMilliseconds"])) / 1000

    def _release(self, message: Queued) -> None:
        self._log("released", id=message.id, chat_id=message.chat_id, text=message.text)
        if self._is_on("outgoingAPIMessageWebhook"):
            self.journal.add(
                Entry(
                    message.id,
                    message.chat_id,
                    message.text,
                    timestamp=self.timeline.timestamp(),
                    since=self.timeline.seconds(),
                    status="pending" if self._is_on("outgoingWebhook") else "",
                )
            )
            self.notify(self._writer.echo(message.id, message.chat_id, message.text))
        end = self.ends.take(_MESSAGE, message.chat_id) or self.outcome(message.chat_id)
        self._reach_later(message, end.steps)
        if end.answer is not None:
            self._answer_later(message.chat_id, end.answer, end.answer_after)

    def order_end(
        self,
        end: Outcome,
        times: int | None,
        chat_id: str | None,
        on_use: OnUse | None = None,
    ) -> None:
        """Have the next messages end so, as ``fault`` has calls go wrong."""
        with self.changed:
            self.ends.add(end, _MESSAGE, times, chat_id, on_use)

    def outcome(self, chat_id: str) -> Outcome:
        """Return how messages to a chat end: by order, script or magic, or as usual."""
        if ordered := self.ends.look(_MESSAGE, chat_id):
            return ordered
        if chat_id in self.scripts:
            return self.scripts[chat_id]
        return outcome(chat_id) if self.switches.magic_numbers else USUAL

    def _reach_later(self, message: Queued, steps: Sequence[Step]) -> None:
        if not steps:
            return

        def reach() -> None:
            self._reach(message, steps[0])
            self._reach_later(message, steps[1:])

        def fall_due() -> None:
            if steps[0].status in ON_THE_PHONE:
                self.phones.when_on(message.chat_id, reach)
            else:
                reach()

        self.timeline.call_later(steps[0].after * self.switches.phone_pace, fall_due)

    def _reach(self, message: Queued, step: Step) -> None:
        self._log("status", id=message.id, chat_id=message.chat_id, status=step.status)
        is_on = self._is_on("outgoingWebhook")
        if is_on:
            self.journal.set_status(message.id, step.status)
        if is_on or step.status in ALWAYS_TOLD:
            self.notify(self._writer.status(message.id, message.chat_id, step))

    def _answer_later(self, chat_id: str, text: str, after: float) -> None:
        def answer() -> None:
            self.receive(chat_id, text, "Jane")

        self.timeline.call_later(
            after * self.switches.phone_pace,
            lambda: self.phones.when_on(chat_id, answer),
        )

    def switch_phone(self, chat_id: str | None, is_on: bool) -> None:
        """Switch a phone on or off, or all; then what has waited arrives."""
        with self.change():
            due = self.phones.switch(chat_id, is_on)
            self._log("phone", chat_id=chat_id, is_on=is_on)
            for action in due:
                action()

    # In

    def receive(
        self, chat_id: str, text: str, sender_name: str = "", sender: str | None = None
    ) -> str:
        """Have somebody write a text; return its ``idMessage``.

        Raises:
            PhoneOff: the phone of this chat is off.
        """
        id_message = secrets.token_hex(16).upper()
        with self.change():
            if not self.phones.is_on(chat_id):
                raise PhoneOff("That phone is off. Switch it on first.")
            self._log(
                "incoming",
                id=id_message,
                chat_id=chat_id,
                text=text,
                sender=sender or chat_id,
                sender_name=sender_name,
            )
            if self._has_place(chat_id) and self._is_on("incomingWebhook"):
                entry = Entry(
                    id_message,
                    chat_id,
                    text,
                    timestamp=self.timeline.timestamp(),
                    since=self.timeline.seconds(),
                    sender=sender or chat_id,
                    sender_name=sender_name,
                )
                self.journal.add(entry)
                self.notify(self._writer.incoming_text(entry))
        return id_message

    def _has_place(self, chat_id: str) -> bool:
        if self.quota.allows(chat_id, self.timeline.now()):
            return True
        self.notify(self._writer.quota_exceeded(self.quota.limit or 0))
        return self.switches.delivers_over_quota

    def notify(self, body: object) -> None:
        """Put a notification into the queue, well formed or not."""
        with self.change():
            self.notifications.put(body)
            self._log("notification", body=body)
            self.webhook.go_on()

    def _webhook_target(self) -> tuple[str, str]:
        return str(self.settings["webhookUrl"]), str(self.settings["webhookUrlToken"])

    # State and settings

    def set_state(self, state: str) -> None:
        """Change the state; queued messages leave only while ``authorized``.

        Raises:
            ValueError: no such state.
        """
        if state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}")
        with self.change():
            if state == self.state:
                return
            self._enter(state)
            self._log("state", state=state)
            if self._is_on("stateWebhook"):
                self.notify(self._writer.state(state))
            self.queue.go_on()

    def _enter(self, state: str) -> None:
        self.state = state
        self._writer.wid = self.wid

    @property
    def wid(self) -> str:
        """The linked account; empty while there is none."""
        return "" if self.state == "notAuthorized" else OWN_WID

    def apply_settings(self, changes: Json) -> None:
        """Change settings at once.

        Raises:
            Refused: an unknown key or a wrong value.
        """
        check_settings(changes)
        with self.change():
            self.settings.update(changes)
            self.webhook.go_on()

    def restart(self, changes: Json) -> None:
        """Be ``starting`` for a while, then go on with the changed settings.

        A restart is also what ends a ``yellowCard``.
        """
        with self.change():
            if self.state != "starting":
                before = self.state
                self._after_restart = "authorized" if before == "yellowCard" else before
            self.set_state("starting")
            self.timeline.call_later(
                self.switches.restart_seconds, lambda: self._restarted(changes)
            )

    def _restarted(self, changes: Json) -> None:
        if changes:
            self.apply_settings(changes)
        if self.state == "starting":
            self.set_state(self._after_restart)

    def _is_on(self, setting: str) -> bool:
        return self.settings[setting] == "yes"

    def _log(self, kind: str, **data: object) -> None:
        self.log.append(kind, **data)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Hold the lock; tell everybody who waits afterwards."""
        with self.changed:
            yield
            self.changed.notify_all()

    def open(self) -> None:
        """Go on after ``close``."""
        self.timeline.open()
        self.webhook.go_on()

    def close(self) -> None:
        """End every wait and every thread; what is due stays due."""
        self.timeline.close()
        self.webhook.close()
