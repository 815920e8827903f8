"""The promises of the bridge, and what it is called when one is broken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ACK_SECONDS = 3.0  # then Slack shows an error of its own
FINAL = frozenset(
    {"accepted", "sent", "delivered", "read", "undelivered", "failed", "expired"}
    | {"unconfirmed", "closed"}
)


# A receipt, and the status it gives; the first one that came counts.
TICKS = {
    "read": "read",
    "delivered": "delivered",
    "noAccount": "undelivered",
    "notInGroup": "undelivered",
    "yellowCard": "undelivered",
    "failed": "undelivered",
    "sent": "sent",
}


class Kind(StrEnum):
    """The ways in which a promise can be broken; the number is the invariant's."""

    LOST = "lost"  # I1: queued, and no final answer in the thread
    REPLIED_TWICE = "replied twice"  # I1
    STORED_THOUGH_REFUSED = "stored though refused"  # I1
    DOUBLED = "doubled"  # I2
    FALSE_CLAIM = "false claim"  # I3
    UNSEEN_EVIDENCE = "evidence ignored"  # I3
    WRONG_TICK = "wrong tick"  # I3
    OUT_OF_ORDER = "out of order"  # I4
    INBOUND_LOST = "inbound lost"  # I5
    LEFT_OVER = "left over"  # I6
    LEAK = "leak"  # I7
    DAMAGED = "damaged database"  # I8
    LATE_ACK = "late ack"  # I9
    POST_WITHOUT_ATTEMPT = "POST without an attempt"  # I11
    BUG = "bug"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise and where to look."""

    kind: Kind
    what: str
