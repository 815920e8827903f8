"""The figures: counted where the open work is, never over the whole history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    bindparam,
    case,
    func,
    literal,
    select,
    text,
    type_coerce,
    union_all,
)

from bridge.figures import OPEN, Flow, Standing
from bridge.model import Status
from bridge.reasons import Reason
from bridge.store.database import Database
from bridge.store.tables import (
    IS_SENDING,
    IS_UNKNOWN,
    WAITING,
    Moment,
    attempts,
    dead_letters,
    deliveries,
)

UNTOLD = "untold"
DEAD_LETTERS = "dead_letters"


def _counted(what: Any, oldest: Any, condition: str) -> Select[Any]:
    # The conditions stand there in words, not in parameters: only then does SQLite
    # see that a partial index fits.
    columns = (
        type_coerce(what, deliveries.c.status.type).label("what"),
        func.count().label("how_many"),
        type_coerce(func.min(oldest), Moment).label("oldest"),
    )
    return select(*columns).where(text(condition))


# One statement: a delivery that changes its state meanwhile is counted once.
_STANDING = union_all(
    _counted(deliveries.c.status, deliveries.c.created_at, WAITING).group_by(
        deliveries.c.status
    ),
    _counted(literal(Status.SENDING.value), deliveries.c.created_at, IS_SENDING),
    _counted(
        literal(Status.UNKNOWN.value),
        func.coalesce(deliveries.c.left_at, deliveries.c.updated_at),
        IS_UNKNOWN,
    ),
    _counted(
        literal(Status.UNCONFIRMED.value),
        deliveries.c.updated_at,
        "status = 'unconfirmed'",
    ),
    _counted(literal(UNTOLD), deliveries.c.updated_at, "report_at IS NOT NULL"),
    _counted(literal(DEAD_LETTERS), dead_letters.c.received_at, "1 = 1"),
)

_IS_SINCE = deliveries.c.created_at >= bindparam("since", type_=Moment)
_BY_STATUS = (
    select(deliveries.c.status, func.count())
    .where(_IS_SINCE)
    .group_by(deliveries.c.status)
)
# Asked for one delivery after the other: for a join, SQLite reads all attempts ever.
_ACCEPTED_AT = (
    select(type_coerce(func.max(attempts.c.ended_at), BigInteger))
    .where(attempts.c.delivery_id == deliveries.c.id, attempts.c.outcome == "accepted")
    .scalar_subquery()
)
_TIMES = (
    select(
        (_ACCEPTED_AT - type_coerce(deliveries.c.created_at, BigInteger)).label(
            "microseconds"
        )
    )
    .where(_IS_SINCE)
    .subquery()
)
_TOOK = _TIMES.c["microseconds"]
_RANKED = (
    select(
        _TOOK.label("took"),
        func.row_number().over(order_by=_TOOK).label("rank"),
        func.count().over().label("how_many"),
    )
    .where(_TOOK.is_not(None))
    .subquery()
)


def _percentile(percent: int) -> ColumnElement[Any]:
    """The nearest rank: a time that was really taken, also of two or three."""
    rank = (_RANKED.c.how_many * percent + 99) // 100
    return func.max(case((_RANKED.c.rank == rank, _RANKED.c.took)))


_PERCENTILES = select(_percentile(50), _percentile(95))


_REFUSED = select(func.count(), func.max(deliveries.c.updated_at)).where(
    _IS_SINCE, deliveries.c.reason == bindparam("why")
)


class Figures:
    """How the work stands; cheap also beside a million finished deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now_standing(self) -> Standing:
        """Return what is open now.

        An unconfirmed delivery counts as long as late evidence is waited for.
        """
        with self._database.read() as connection:
            rows = {row.what: row for row in connection.execute(_STANDING)}
        waiting = [rows[s] for s in (Status.QUEUED, Status.HELD) if s in rows]
        return Standing(
            open={s: rows[s].how_many if s in rows else 0 for s in OPEN},
            oldest_waiting_at=min((row.oldest for row in waiting), default=None),
            oldest_unknown_at=rows[Status.UNKNOWN].oldest,
            slack_untold=rows[UNTOLD].how_many,
            oldest_untold_at=rows[UNTOLD].oldest,
            dead_letters=rows[DEAD_LETTERS].how_many,
        )

    def since(self, moment: datetime) -> Flow:
        """Return what became of the deliveries stored at ``moment`` or later."""
        values = {"since": moment}
        with self._database.read() as connection:
            found = connection.execute(_BY_STATUS, values).all()
            by_status = {Status(status): count for status, count in found}
            median, p95 = connection.execute(_PERCENTILES, values).one()
        return Flow(by_status, _seconds(median), _seconds(p95))

    def refused(self, reason: Reason, moment: datetime) -> tuple[int, datetime | None]:
        """Return how many stored since ``moment`` have a reason, and the last time.

        Reads every delivery stored since then: not for a page that is asked often.
        """
        values = {"since": moment, "why": str(reason)}
        with self._database.read() as connection:
            count, last = connection.execute(_REFUSED, values).one()
        return int(count), last


def _seconds(microseconds: int | None) -> float | None:
    # Below zero: the clock was set back in between.
    return None if microseconds is None else max(0, microseconds) / 1e6
