"""Magic numbers: telephone numbers that always end in the same way.

They are reserved for fiction (+1 415 555 0100 to 0199, +44 20 7946 0100 to 0199), so
nobody can be reached.

Example:
    >>> [step.status for step in outcome("14155550111@c.us").steps]
    ['sent']
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.sandbox.green_api.answers import Call
from bridge.sandbox.green_api.faults import Fault


@dataclass(frozen=True, slots=True)
class Step:
    """One status a message reaches, ``after`` emulated seconds from the last one."""

    status: str
    after: float
    description: str | None = None


READ: Final = (Step("sent", 0.2), Step("delivered", 0.5), Step("read", 0.7))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How messages to one number end."""

    steps: tuple[Step, ...] = READ
    fault: Fault | None = None
    fault_times: int | None = None  # per text; None means every time
    has_account: bool = True
    answer: str | None = None  # what the customer writes back
    answer_after: float = 2.0


USUAL: Final = Outcome()
NO_ACCOUNT: Final = Outcome(steps=(Step("noAccount", 0.2),), has_account=False)
YELLOW_CARD: Final = Outcome(steps=(Step("yellowCard", 0.2),))

_MAGIC: Final = {
    "0110": Outcome(steps=READ[:2]),
    "0111": Outcome(steps=READ[:1]),
    "0120": NO_ACCOUNT,
    "0129": Outcome(fault=Fault(status=429), fault_times=2),
    "0140": Outcome(fault=Fault(message="instance account not authorized")),
    "0146": Outcome(fault=Fault(status=466)),
    "0150": Outcome(fault=Fault(status=500)),
    "0151": Outcome(fault=Fault(status=502, executes=True)),
    "0160": Outcome(fault=Fault(hold=True)),
    "0161": Outcome(fault=Fault(hold=True, executes=True)),
    "0170": YELLOW_CARD,
    "0180": Outcome(answer="Thank you! When will it arrive?"),
}

FICTIONAL: Final = {"1415555": 11, "44207946": 12}  # prefix: digits in all

MAGIC: Final = {
    "0100": "sent, delivered, read",
    "0110": "delivered, never read",
    "0111": "sent, never delivered",
    "0120": "not on WhatsApp",
    "0129": "429 twice, then accepted",
    "0140": "instance not authorized",
    "0146": "466, the plan's limit",
    "0150": "500, not accepted",
    "0151": "502 after it was accepted",
    "0160": "no answer, not accepted",
    "0161": "no answer, but accepted",
    "0170": "yellowCard",
    "0180": "read, and answered after 2 s",
}
"""The last four digits of the magic numbers, and how messages to them end."""


def outcome(chat_id: str) -> Outcome:
    """Return how messages to this chat end; ordinary ones are sent and read."""
    number, _, kind = chat_id.partition("@")
    for prefix, length in FICTIONAL.items():
        if kind == "c.us" and number.startswith(prefix) and len(number) == length:
            return _MAGIC.get(number[-4:], USUAL)
    return USUAL


class MagicFaults:
    """Faults of magic numbers, some of which end after a few calls per text."""

    def __init__(self) -> None:
        self._used: dict[tuple[str | None, str], int] = {}

    def take(self, call: Call, end: Outcome) -> Fault | None:
        """Use up and return the fault of this call, if there is one."""
        if end.fault is None or end.fault_times is None:
            return end.fault
        key = (call.chat_id, str((call.body or {}).get("message")))
        self._used[key] = self._used.get(key, 0) + 1
        return end.fault if self._used[key] <= end.fault_times else None

    def clear(self) -> None:
        """Begin counting again."""
        self._used.clear()
