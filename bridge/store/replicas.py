"""The running copies of the bridge, and what becomes of a dead one's work.

Each copy has an id of its own for each of its lives, and beats. A lane in the hands of
an id that is no replica any more belongs to a dead copy: its delivery may have been
sent, so it is ``unknown``. A copy that was only frozen finds its id gone when it goes
on: it can take no lane, and what it still learns counts as evidence.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    String,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from bridge.model import Status, Step
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store.database import Database
from bridge.store.lanes import CHANGE, one_by_one, release_lane
from bridge.store.mending import mend
from bridge.store.tables import (
    IS_SENDING,
    IS_UNKNOWN,
    Moment,
    attempts,
    deliveries,
    facts,
    lanes,
    replicas,
)

log = logging.getLogger(__name__)

_ME = bindparam("me", type_=String)
_LIVING = select(replicas.c.id)
_LEADER = "leader"
_BEATS = "beats"

_ORPHANED = select(lanes.c.chat_id, lanes.c.owner).where(
    lanes.c.owner.is_not(None), lanes.c.owner.not_in(_LIVING)
)
# In the hands of the living, but no request lasts so long: its thread is gone.
_OVERDUE = (
    select(lanes.c.chat_id, lanes.c.owner)
    .join(deliveries, deliveries.c.chat_id == lanes.c.chat_id)
    .where(text(IS_SENDING), deliveries.c.left_at < bindparam("since", type_=Moment))
)
_IN_LANE = deliveries.c.chat_id == bindparam("chat")
_LOSE_ANSWERS = (
    update(deliveries)
    .where(_IN_LANE, text(IS_SENDING))
    .values(
        status=Status.UNKNOWN,
        reason=Reason.CRASHED,
        looks=0,
        look_at=bindparam("look", type_=Moment),
        **CHANGE,
    )
    .returning(deliveries.c.id)
)
_LOSE_ATTEMPT = (
    update(attempts)
    .where(attempts.c.delivery_id == bindparam("this"), attempts.c.outcome.is_(None))
    .values(outcome="unknown", reason=Reason.CRASHED)
)
_FREE_TELLERS = (
    update(deliveries)
    .where(deliveries.c.teller.is_not(None), deliveries.c.teller.not_in(_LIVING))
    .values(teller=None)
)
_LEADS = select(facts.c.value).where(facts.c.name == _LEADER).with_for_update()
_LEAD = (
    update(facts)
    .where(facts.c.name == _LEADER)
    .where((facts.c.value == _ME) | facts.c.value.not_in(_LIVING))
    .values(value=_ME)
)
_COUNT = cast(facts.c.value, BigInteger)
_COUNT_BEAT = (
    update(facts)
    .where(facts.c.name == _BEATS)
    .values(value=cast(_COUNT + 1, facts.c.value.type))
)
_DOUBT_ALL = (
    update(deliveries)
    .where(text("status IN ('queued', 'held', 'sending')"))
    .values(
        status=Status.UNKNOWN,
        reason=Reason.RESTORED,
        left_at=func.coalesce(deliveries.c.left_at, deliveries.c.created_at),
        looks=0,
        look_at=bindparam("look", type_=Moment),
        **CHANGE,
    )
)
# Slack may show more than the backup knows of: lines are looked for, not posted again.
_DOUBT_LINES = (
    update(deliveries)
    .where(text("report_at IS NOT NULL"))
    .values(
        doubt=case(
            (deliveries.c.thread_ts.is_(None), Step.OPEN),
            (deliveries.c.reply_ts.is_(None), Step.REPLY),
            else_=Step.NOTE,
        )
    )
)
_HAS_UNKNOWN = select(deliveries.c.chat_id).where(text(IS_UNKNOWN))
_SHUT_ALL = (
    update(lanes)
    .where(lanes.c.chat_id.in_(_HAS_UNKNOWN))
    .values(due_at=None, owner=None)
)
# Beyond whatever another copy's marker may say: the same restore is noticed once.
LEAP = 1_000_000_000


class Replicas:
    """The running copies on one database."""

    def __init__(self, database: Database, schedule: Schedule) -> None:
        self._database = database
        self._schedule = schedule

    def join(self, now: datetime) -> None:
        """Become a replica, under a new id."""
        me = secrets.token_hex(16)
        name = f"{socket.gethostname()[:60]}, process {os.getpid()}"
        row: dict[str, Any] = {"id": me, "name": name}
        with self._database.write() as connection:
            if self._database.is_sqlite:
                connection.execute(delete(replicas))  # there is only ever one
            row["beat_at"] = self._time(now)
            connection.execute(insert(replicas).values(row))
            self._make_facts(connection)
        self._database.owner = me

    def leave(self) -> None:
        """Be a replica no more; others take over at once."""
        with self._database.write() as connection:
            mine = replicas.c.id == self._database.owner
            connection.execute(delete(replicas).where(mine))
            connection.execute(_COUNT_BEAT)  # no backup made until now says as much

    def beat(self, now: datetime) -> bool:
        """Say that this copy lives; False if it counts as dead, and must join anew."""
        mine = replicas.c.id == self._database.owner
        with self._database.write() as connection:
            alive = connection.execute(
                update(replicas).where(mine).values(beat_at=self._time(now))
            )
            connection.execute(_COUNT_BEAT)
            return alive.rowcount == 1

    def judge(self, now: datetime) -> int:
        """Take copies without a beat for dead, and their work for what it is.

        Returns:
            How many answers are lost: those deliveries are unknown now.
        """
        with self._database.write() as connection:
            one_by_one(connection)
            connection.execute(
                delete(replicas).where(
                    replicas.c.beat_at < self._silent_since(now),
                    replicas.c.id != self._database.owner,
                )
            )
            connection.execute(_FREE_TELLERS)
            overdue = {"since": now - self._schedule.attempt_life()}
            orphaned = [
                *connection.execute(_ORPHANED),
                *connection.execute(_OVERDUE, overdue),
            ]
            look = now + (self._schedule.next_look(0) or timedelta(0))
            lost = 0
            for lane in orphaned:
                row = {"chat": lane.chat_id, "look": look, "now": now}
                for delivery_id in connection.scalars(_LOSE_ANSWERS, row).all():
                    connection.execute(_LOSE_ATTEMPT, {"this": delivery_id})
                    lost += 1
                release_lane(connection, lane.chat_id, lane.owner)
        return lost

    def lead(self) -> bool:
        """Be the one that polls, searches and keeps house; False if another one is."""
        with self._database.write() as connection:
            connection.execute(_LEADS)  # who comes second sees who came first
            row = {"me": self._database.owner}
            return connection.execute(_LEAD, row).rowcount == 1

    def mend(self, now: datetime) -> int:
        """Go on with chats that nobody would have gone on with; return how many."""
        with self._database.write() as connection:
            return len(mend(connection, now))

    def others(self, now: datetime) -> int:
        """Return how many other copies are alive."""
        query = select(func.count()).where(
            replicas.c.id != self._database.owner,
            replicas.c.beat_at >= self._silent_since(now),
        )
        with self._database.read() as connection:
            return int(connection.scalar(query.select_from(replicas)) or 0)

    # --- a database that went back in time ----------------------------------------

    def beats(self) -> int:
        """Return a number that only ever grows, unless an older copy was put back."""
        with self._database.read() as connection:
            found = connection.scalar(
                select(facts.c.value).where(facts.c.name == _BEATS)
            )
        return int(found or 0)

    def doubt_everything(self, now: datetime, beats: int) -> int:
        """Take what waits in a restored database for possibly sent; return how much.

        What was waiting when the backup was made may have left since.
        """
        with self._database.write() as connection:
            one_by_one(connection)
            row = {"look": now, "now": now}
            count = connection.execute(_DOUBT_ALL, row).rowcount
            connection.execute(_DOUBT_LINES)
            connection.execute(_SHUT_ALL)
            leap = str(beats + LEAP)
            connection.execute(
                update(facts).where(facts.c.name == _BEATS).values(value=leap)
            )
        return count

    def _make_facts(self, connection: Connection) -> None:
        dialect = sqlite if self._database.is_sqlite else postgresql
        first = dialect.insert(facts).on_conflict_do_nothing()
        for name, value in ((_LEADER, ""), (_BEATS, "0")):
            connection.execute(first, {"name": name, "value": value})

    def _silent_since(self, now: datetime) -> Any:
        return self._time(now, self._schedule.beat_life())

    def _time(self, now: datetime, ago: timedelta = timedelta(0)) -> Any:
        """Return the time that all copies agree on: the server's, if there is one."""
        if self._database.is_sqlite:
            return now - ago
        micros = ago // timedelta(microseconds=1)
        return literal_column(
            f"(extract(epoch from clock_timestamp()) * 1000000)::bigint - {micros}",
            BigInteger,
        )
