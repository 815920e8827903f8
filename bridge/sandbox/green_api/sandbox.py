"""GREEN-API, played on loopback: what tests and the demo page hold in hand.

It behaves as the public pages describe (links in the modules beside this one). All
durations are emulated seconds, which ``speed`` makes shorter; at 0 only ``advance``
moves them. Emulated are text messages, statuses, journals, settings, states, pairing
codes and QR codes; not files, groups, contacts or edits.

Example:
    >>> green = GreenApiSandbox()
    >>> green.fault(drop="after")  # the next message is sent, its answer lost
    >>> green.ledger
    []
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

from flask import Blueprint

from bridge.sandbox.green_api.answers import Call
from bridge.sandbox.green_api.faults import HEALTHY, SHAPES, Drop, Fault
from bridge.sandbox.green_api.instance import Instance
from bridge.sandbox.green_api.limits import RateLimit
from bridge.sandbox.green_api.magic import MagicFaults, Outcome, Step
from bridge.sandbox.green_api.records import Accepted, Post
from bridge.sandbox.green_api.rules import OnUse, Rules
from bridge.sandbox.green_api.web import make_blueprint
from bridge.sandbox.log import EventLog

_T = TypeVar("_T")
Hook = Callable[[str, dict[str, object] | None], None]

DOCUMENTED_TOKEN = "d75b3a66374942c5b3c019c698abc2067e151558acbd412345"  # noqa: S105


class GreenApiSandbox:
    """One emulated instance and its HTTP face.

    Args:
        id_instance: Digits, as in the console.
        token: ``apiTokenInstance``.
        speed: Emulated seconds per real one; 0 stops the clock.
        profile: ``seed`` (the page this product was ordered against) or ``now``.
        notifications: Begin with every notification on; a new instance has none.
        log: The event log to write to, to share one with other parts.

    Attributes:
        switches: Variants of behaviour; change them at any time.
        journal: Its ``lag`` and ``rewrite`` spoil ``lastOutgoingMessages``.
        quota: Its ``limit`` is the number of chats a month; None: no limit.
        on_request: Called with method and body when a request has come in.
        on_executed: Called with method and body before the answer leaves.
    """

    def __init__(
        self,
        id_instance: str = "1101000001",
        token: str = DOCUMENTED_TOKEN,
        *,
        speed: float = 1.0,
        profile: Literal["seed", "now"] = "seed",
        notifications: bool = False,
        log: EventLog | None = None,
    ) -> None:
        self.id_instance = id_instance
        self.token = token
        self.profile = profile
        self.log = log or EventLog()
        self.log.hide(token)
        self.instance = Instance(id_instance, speed, notifications, self.log)
        self.switches = self.instance.switches
        self.journal = self.instance.journal
        self.quota = self.instance.quota
        self.timeline = self.instance.timeline
        self.rate_limit = RateLimit()
        self.on_request: Hook | None = None
        self.on_executed: Hook | None = None
        self._faults: Rules[Fault] = Rules()
        self._posts: list[Post] = []
        self._magic_faults = MagicFaults()

    @property
    def ledger(self) -> list[Accepted]:
        """The accepted messages, in order."""
        with self.instance.changed:
            return list(self.instance.ledger)

    @property
    def posts(self) -> list[Post]:
        """Every ``sendMessage`` request that came in, in order."""
        with self.instance.changed:
            return list(self._posts)

    @property
    def state(self) -> str:
        """The state of the instance, as ``getStateInstance`` gives it."""
        return self.instance.state

    def wait_for(self, condition: Callable[[], _T], timeout: float = 5.0) -> _T:
        """Return the first true answer of ``condition``, asked after every change.

        Args:
            condition: Called while the emulator stands still.
            timeout: Real seconds.

        Raises:
            TimeoutError: there was none in time.
        """
        with self.instance.changed:
            answer = self.instance.changed.wait_for(condition, timeout)
        if not answer:
            raise TimeoutError(f"nothing within {timeout:g} s")
        return answer

    def fault(
        self,
        method: str = "sendMessage",
        *,
        times: int | None = 1,
        chat_id: str | None = None,
        shape: str | None = None,
        status: int | None = None,
        body: object = None,
        message: str | None = None,
        headers: Mapping[str, str] | None = None,
        delay: float | None = None,
        delay_execution: float | None = None,
        drop: Drop | None = None,
        hold: bool = False,
        raw: bytes | None = None,
        executes: bool | None = None,
        on_use: OnUse | None = None,
    ) -> None:
        """Have the next calls of a method go wrong.

        Args:
            method: As GREEN-API names it.
            times: How many calls; None means all from now on.
            chat_id: Only calls for this chat.
            shape: A broken success, a key of ``SHAPES``.
            status: Answer with this status; without a body, with its usual one.
            body: ``str`` for text, ``bytes`` as they are, else JSON.
            message: A text in GREEN-API's own error form, which holds the token.
            headers: Added to the answer.
            delay: Emulated seconds before the answer.
            delay_execution: Emulated seconds before the effect, which then comes
                even if the client has gone.
            drop: Reset the connection ``before`` or ``after`` executing.
            hold: Never answer.
            raw: Bytes to write instead of HTTP.
            executes: Whether the call has its effect. If not given: not when the
                answer is replaced or withheld, or the drop comes before.
            on_use: Called at each use with how many are left.
        """
        base = SHAPES[shape] if shape is not None else Fault()
        fault = Fault(
            status=base.status if status is None else status,
            body=base.body if body is None else body,
            message=message,
            headers=headers or {},
            delay=delay or 0,
            delay_execution=delay_execution or 0,
            drop=drop,
            hold=hold,
            truncate=base.truncate,
            drip=base.drip,
            raw=raw,
            executes=executes,
        )
        with self.instance.changed:
            self._faults.add(fault, method, times, chat_id, on_use)

    def clear_faults(self) -> None:
        """Make every call, and the end of every message, as usual again."""
        with self.instance.changed:
            self._faults.clear()
            self.instance.ends.clear()

    def script(self, chat_id: str, *steps: tuple[str, float]) -> None:
        """Have messages to a chat go through these statuses.

        Args:
            chat_id: The chat.
            steps: Status and emulated seconds since the step before; in any order,
                as often as wanted, or none at all.
        """
        with self.instance.changed:
            end = Outcome(tuple(Step(status, after) for status, after in steps))
            self.instance.scripts[chat_id] = end

    def set_state(self, state: str) -> None:
        """Change the state of the instance; ValueError when there is no such state."""
        self.instance.set_state(state)

    def apply_settings(self, **changes: object) -> None:
        """Change settings at once, without the restart ``setSettings`` causes.

        Raises:
            Refused: an unknown key or a wrong value.
        """
        self.instance.apply_settings(changes)

    def receive(
        self, chat_id: str, text: str, sender_name: str = "", sender: str | None = None
    ) -> str:
        """Have a customer write a text; return its ``idMessage``.

        Args:
            chat_id: The chat it is written in.
            text: The text.
            sender_name: The name the customer chose.
            sender: Who writes in a group; in a personal chat the chat itself.

        Raises:
            PhoneOff: the phone of this chat is off.
        """
        return self.instance.receive(chat_id, text, sender_name, sender)

    def notify(self, body: object) -> None:
        """Put any notification into the queue: odd, repeated, out of order."""
        self.instance.notify(body)

    def notifications(self) -> list[object]:
        """Return the notifications nobody has deleted yet, oldest first."""
        with self.instance.changed:
            return self.instance.notifications.bodies()

    def advance(self, seconds: float) -> None:
        """Let emulated seconds pass at once, doing all that falls due."""
        self.timeline.advance(seconds)

    def reset(self) -> None:
        """Begin again: no messages, faults or scripts; settings and state as new.

        Switches, hooks, the quota's limit and the journal's ``lag`` stay.
        """
        with self.instance.change():
            self.instance.reset()
            self.rate_limit.clear()
            self._faults.clear()
            self._posts.clear()
            self._magic_faults.clear()
            self.log.append("reset")

    def blueprint(self) -> Blueprint:
        """Return the routes: ``/waInstance…`` and ``/_sandbox/green-api/…``."""
        return make_blueprint(self)

    def open(self) -> None:
        """Go on after ``close``; the server's start does this."""
        self.instance.open()

    def close(self) -> None:
        """End every wait and every thread; the server's stop does this.

        What is due stays due, and happens after ``open``.
        """
        self.instance.close()

    def note_request(self, call: Call) -> None:
        """Remember a request that has come in, and tell the hook."""
        body = call.body
        if call.method == "sendMessage":
            with self.instance.change():
                order = len(self._posts) + 1
                now = self.timeline.now()
                post = Post(order, now, body, call.chat_id, call.raw, call.headers)
                self._posts.append(post)
        if self.on_request is not None:
            self.on_request(call.method, body)

    def take_fault(self, call: Call) -> Fault:
        """Return what goes wrong with this call; an empty fault when nothing does."""
        with self.instance.changed:
            fault = self._faults.take(call.method, call.chat_id)
            if fault is None and call.method == "sendMessage":
                end = self.instance.outcome(call.chat_id or "")
                fault = self._magic_faults.take(call, end)
            return fault or HEALTHY

    def tell_executed(self, call: Call) -> None:
        """Tell the hook that a call had its effect."""
        if self.on_executed is not None:
            self.on_executed(call.method, call.body)
