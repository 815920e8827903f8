"""The nouns of the figures: what stands open, and what became of the latest texts.

One truth for ``bridge stats``, ``/metrics`` and ``/readyz``. This room is pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.model import ACCEPTED, WAITING, Status

OPEN = (
    Status.QUEUED,
    Status.HELD,
    Status.SENDING,
    Status.UNKNOWN,
    Status.UNCONFIRMED,
)
"""The states that a delivery should leave again; in the order it goes through them."""

ACCOUNT_STATES = (
    "authorized",
    "notAuthorized",
    "starting",
    "blocked",
    "suspended",
    "yellowCard",
    "sleepMode",
)
"""GREEN-API's words for the account's state; new ones come without notice.

Source: https://green-api.com/en/docs/api/account/GetStateInstance/
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is open at one moment. ``…_at`` is None when there is no such delivery."""

    open: Mapping[Status, int]  # of the states of OPEN; one that is missing counts 0
    oldest_waiting_at: datetime | None  # when it was stored
    oldest_unknown_at: datetime | None  # since when it may have been sent
    slack_untold: int  # deliveries of which Slack does not show the last news
    oldest_untold_at: datetime | None  # when that news came
    dead_letters: int  # notifications that could not be understood, as far as kept

    @property
    def waiting(self) -> int:
        """How many deliveries have yet to leave."""
        return sum(self.open.get(status, 0) for status in WAITING)

    @property
    def sending(self) -> int:
        """How many are being handed over right now."""
        return self.open.get(Status.SENDING, 0)

    @property
    def unknown(self) -> int:
        """For how many evidence is being looked for."""
        return self.open.get(Status.UNKNOWN, 0)

    @property
    def unconfirmed(self) -> int:
        """How many wait for a person's decision."""
        return self.open.get(Status.UNCONFIRMED, 0)


@dataclass(frozen=True, slots=True)
class Flow:
    """What became of the deliveries that were stored since a moment.

    >>> flow = Flow({Status.READ: 2, Status.SENT: 1, Status.FAILED: 1}, 0.4, 2.0)
    >>> flow.stored, flow.accepted, flow.sent, flow.delivered, flow.read
    (4, 3, 3, 2, 2)
    """

    by_status: Mapping[Status, int]  # a state that is missing counts 0
    median_seconds: float | None  # stored → idMessage; None: nothing was accepted
    p95_seconds: float | None

    @property
    def stored(self) -> int:
        """All of them."""
        return sum(self.by_status.values())

    @property
    def accepted(self) -> int:
        """Those that GREEN-API certainly has, whatever came of them."""
        return self._count(*ACCEPTED)

    @property
    def sent(self) -> int:
        """Those with one tick or more."""
        return self._count(Status.SENT, Status.DELIVERED, Status.READ)

    @property
    def delivered(self) -> int:
        """Those with two ticks, blue or not."""
        return self._count(Status.DELIVERED, Status.READ)

    @property
    def read(self) -> int:
        """Those with blue ticks."""
        return self._count(Status.READ)

    @property
    def undelivered(self) -> int:
        """Those accepted of which WhatsApp says that they will not arrive."""
        return self._count(Status.UNDELIVERED)

    @property
    def unconfirmed(self) -> int:
        """Those of which nobody can say whether they were sent, decided or not."""
        return self._count(Status.UNCONFIRMED, Status.CLOSED)

    @property
    def failed(self) -> int:
        """Those that were refused."""
        return self._count(Status.FAILED)

    @property
    def expired(self) -> int:
        """Those that were too old to be sent."""
        return self._count(Status.EXPIRED)

    def _count(self, *states: Status) -> int:
        return sum(self.by_status.get(status, 0) for status in states)


class AccountView(Protocol):
    """As much of the WhatsApp account as the figures tell."""

    @property
    def state(self) -> str | None:
        """GREEN-API's word, as last heard; None: it was not asked yet."""

    @property
    def hold(self) -> str | None:
        """The ``Reason`` why nothing is sent; None: all is well."""

    @property
    def hold_at(self) -> datetime | None:
        """Since when nothing is sent."""
