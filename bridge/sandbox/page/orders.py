"""The failure switches: what each of them orders from the emulators."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.green_api.magic import NO_ACCOUNT, YELLOW_CARD
from bridge.sandbox.log import EventLog
from bridge.sandbox.page.fields import Mistake, chat_id_of
from bridge.sandbox.slack import SlackSandbox
from bridge.sandbox.slack.faults import EVERY

Order = dict[str, Any]

_POST: Final = "chat.postMessage"
_SLOW: Final = 2.0  # seconds; Slack itself gives the app three to answer

_NO_SCOPE: Final = {
    "ok": False,
    "error": "missing_scope",
    "needed": "chat:write",
    "provided": "commands",
}

_CALLS: Final[dict[str, dict[str, Any]]] = {
    "429": {"status": 429},
    "no_answer": {"hold": True},
    "not_authorized": {"message": "instance account not authorized"},
    "466": {"status": 466},
    "500": {"status": 500},
    "answer_lost": {"drop": "after"},
}
_ENDS: Final = {"no_whatsapp": NO_ACCOUNT, "yellowCard": YELLOW_CARD}
_METHODS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "slow": (EVERY, {"delay": _SLOW}),
    "429": (_POST, {"retry_after": 1}),
    "missing_scope": (_POST, {"body": _NO_SCOPE}),
    "not_in_channel": (_POST, {"error": "not_in_channel"}),
    "outage": (EVERY, {"status": 503}),
}
KINDS: Final = {
    "green": ("healthy", *_CALLS, *_ENDS),
    "slack": ("healthy", *_METHODS, "socket_drop", "redelivery"),
}
APPLY: Final = ("next", "times", "always", "number")


class Orders:
    """The failure that is ordered on each side; a new one takes its place.

    Attributes:
        current: What the log last said of each side; None while it is healthy.
    """

    def __init__(
        self, slack: SlackSandbox, green: GreenApiSandbox, log: EventLog
    ) -> None:
        self._slack = slack
        self._green = green
        self._log = log
        self._guard = threading.Lock()
        self.current: dict[str, Order | None] = {}
        self.forget()

    def forget(self) -> None:
        """Say that both sides are healthy: the emulators were reset."""
        self.current = dict.fromkeys(KINDS)

    def place(
        self,
        side: str,
        kind: str,
        apply: str = "next",
        times: int | None = None,
        number: str | None = None,
    ) -> None:
        """Order a failure in place of the one before.

        Args:
            side: ``green`` or ``slack``.
            kind: One of ``KINDS``; ``healthy`` just ends the one before.
            apply: ``next`` call, next ``times``, ``always``, or ``number``: every
                call for one telephone number, at GREEN-API only.
            times: How many calls.
            number: Which number.

        Raises:
            Mistake: these don't go together.
        """
        left = check_order(side, kind, apply, times, number)
        order = {
            "side": side,
            "kind": kind,
            "apply": apply,
            "number": number,
            "left": 0 if kind in ("healthy", "socket_drop") else left,
        }
        (self._green if side == "green" else self._slack).clear_faults()
        self._note(order)
        if kind == "healthy":
            return
        if side == "green":
            self._order_from_green(order, left)
        else:
            self._order_from_slack(order, left)

    def _note(self, order: Order) -> None:
        with self._guard:
            is_over = order["left"] == 0
            self.current[order["side"]] = None if is_over else order
        self._log.append("fault", **order)

    def _counting(self, order: Order) -> Callable[[int | None], None]:
        return lambda left: self._note({**order, "left": left})

    def _order_from_green(self, order: Order, left: int | None) -> None:
        number, kind = order["number"], order["kind"]
        chat_id = chat_id_of(number) if number else None
        on_use = self._counting(order)
        if kind in _ENDS:
            self._green.instance.order_end(_ENDS[kind], left, chat_id, on_use)
        else:
            self._green.fault(
                times=left, chat_id=chat_id, on_use=on_use, **_CALLS[kind]
            )

    def _order_from_slack(self, order: Order, left: int | None) -> None:
        kind = order["kind"]
        if kind == "socket_drop":
            self._slack.disconnect("rst")
        elif kind in _METHODS:
            method, fault = _METHODS[kind]
            self._slack.fault(method, left, on_use=self._counting(order), **fault)

    def take_redelivery(self) -> bool:
        """Whether the next command or message is to arrive twice; counts it."""
        with self._guard:
            order = self.current["slack"]
        if order is None or order["kind"] != "redelivery":
            return False
        left = order["left"]
        self._note({**order, "left": None if left is None else left - 1})
        return True


def check_order(
    side: str, kind: str, apply: str, times: int | None, number: str | None
) -> int | None:
    """Return for how many calls an order holds; None for no end.

    Raises:
        Mistake: its parts don't go together.

    >>> check_order("green", "429", "times", 3, None)
    3
    """
    _one_of(side, "side", tuple(KINDS))
    _one_of(kind, "kind", KINDS[side])
    _one_of(apply, "apply", APPLY)
    if (apply == "times") is (times is None):
        raise Mistake("“times” goes with “apply”: “times”, and only with that.")
    if (apply == "number") is (number is None):
        raise Mistake("“number” goes with “apply”: “number”, and only with that.")
    if number is not None and side == "slack":
        raise Mistake("Slack knows no telephone numbers.")
    if number is not None:
        chat_id_of(number)
    if times is not None and times < 1:
        raise Mistake("“times” must be 1 or more.")
    return {"next": 1, "times": times}.get(apply)


def _one_of(value: str, name: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise Mistake(f"“{value}” is no {name}. Known: {', '.join(known)}.")
