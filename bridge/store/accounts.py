"""The WhatsApp account: its state, and whether anything may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from bridge.model import Status, ThreadRef
from bridge.reasons import Reason
from bridge.store.database import Database
from bridge.store.lanes import CHANGE, IS_WAITING, NOW, one_by_one
from bridge.store.tables import Moment, accounts, deliveries, lanes

_HEAR = update(accounts).values(state=bindparam("word"), state_at=NOW)
_HOLD = (
    update(accounts)
    .where(accounts.c.hold.is_distinct_from(bindparam("why")))
    .values(hold=bindparam("why"), hold_at=NOW)
)
_HOLD_ALL = (
    update(deliveries)
    .where(IS_WAITING, deliveries.c.reason.is_distinct_from(bindparam("why")))
    .values(status=Status.HELD, reason=bindparam("why"), **CHANGE)
)
_RELEASE = update(accounts).values(hold=None, hold_at=None, wid=bindparam("number"))
_RELEASE_ALL = (
    update(deliveries)
    .where(text("status = 'held'"))
    .values(status=Status.QUEUED, reason=None, due_at=NOW, **CHANGE)
)
_OPEN_LANES = (
    update(lanes)
    .where(text("due_at IS NOT NULL"))
    .values(due_at=bindparam("now", type_=Moment))
)
_TOLD = update(accounts).values(
    told=bindparam("why"),
    told_in=bindparam("channel"),
    told_ts=bindparam("ts"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of the WhatsApp account behind a GREEN-API instance.

    ``told`` and ``line`` are the hold that admins were told of, and where.
    """

    state: str | None  # GREEN-API's word; None: it was never asked
    state_at: datetime | None
    wid: str | None  # the account's own chat
    hold: Reason | None  # why nothing is sent
    hold_at: datetime | None
    told: Reason | None
    line: ThreadRef | None

    @property
    def is_usable(self) -> bool:
        """Whether messages leave: then what is not found was probably not sent."""
        return self.hold is None and self.state == "authorized"


class Accounts:
    """The one account that this bridge sends from: a table of one row."""

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect = sqlite if database.is_sqlite else postgresql
        self._make = dialect.insert(accounts).on_conflict_do_nothing()

    def use(self, id_instance: str) -> None:
        """Say which GREEN-API instance it is; another one's row is forgotten."""
        others = accounts.c.id_instance != id_instance
        with self._database.write() as connection:
            connection.execute(delete(accounts).where(others))
            connection.execute(self._make, {"id_instance": id_instance})

    def get(self) -> Account:
        """Return what is known."""
        with self._database.read() as connection:
            row: Any = connection.execute(select(accounts)).one_or_none()
        if row is None:
            return Account(None, None, None, None, None, None, None)
        line = ThreadRef(row.told_in, row.told_ts) if row.told_ts else None
        return Account(
            state=row.state,
            state_at=row.state_at,
            wid=row.wid,
            hold=Reason(row.hold) if row.hold else None,
            hold_at=row.hold_at,
            told=Reason(row.told) if row.told else None,
            line=line,
        )

    def hear(self, state: str, now: datetime) -> None:
        """Store GREEN-API's word on the account's state."""
        with self._database.write() as connection:
            connection.execute(_HEAR, {"word": state[:32], "now": now})

    def hold(self, reason: Reason, now: datetime) -> None:
        """Let nothing leave; every waiting delivery is held, and says why."""
        row = {"why": reason, "now": now}
        with self._database.write() as connection:
            one_by_one(connection)
            connection.execute(_HOLD, row)
            connection.execute(_HOLD_ALL, row)

    def release(self, wid: str | None, now: datetime) -> None:
        """Let everything that was held leave, in its order."""
        row = {"number": wid}
        with self._database.write() as connection:
            one_by_one(connection)
            connection.execute(_RELEASE, row)
            connection.execute(_OPEN_LANES, {"now": now})
            connection.execute(_RELEASE_ALL, {"now": now})

    def told(self, reason: Reason | None, line: ThreadRef | None) -> None:
        """Store which hold the admins were told of; None: that it is over."""
        row = {
            "why": reason,
            "channel": line.channel_id if line else None,
            "ts": line.thread_ts if line else None,
        }
        with self._database.write() as connection:
            connection.execute(_TOLD, row)
