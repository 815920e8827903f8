"""What Slack shows of each delivery, and which lines are out of date."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from bridge.model import Place, Report, Step, ThreadRef
from bridge.store.database import Database
from bridge.store.rows import REPORT, report_of
from bridge.store.tables import Moment, deliveries

_THIS = deliveries.c.id == bindparam("this")
_NOW = bindparam("now", type_=Moment)

# What another copy is just posting is that one's business.
_IS_FREE = deliveries.c.teller.is_(None) | (deliveries.c.teller == bindparam("me"))

_CHANNELS_DUE = (
    select(deliveries.c.told_in)
    .where(deliveries.c.report_at <= _NOW, _IS_FREE)
    .group_by(deliveries.c.told_in)
    .order_by(func.min(deliveries.c.report_at))
)
_OLDEST = (
    select(*REPORT)
    .where(deliveries.c.told_in == bindparam("channel"), deliveries.c.report_at <= _NOW)
    .where(_IS_FREE)
    # What is new goes before what is only to be edited.
    .order_by(deliveries.c.reply_ts.is_not(None), deliveries.c.seq)
    .limit(1)
)
# Stored before a new message is posted: if its answer gets lost, or this copy dies,
# somebody looks for it in Slack before it is posted again.
_BEGIN_POST = (
    update(deliveries)
    .where(_THIS, _IS_FREE)
    # Another copy may have posted it, or moved elsewhere, since it was read.
    .where(deliveries.c.place == bindparam("where"))
    .where(deliveries.c.thread_ts.is_not_distinct_from(bindparam("thread")))
    .where(deliveries.c.reply_ts.is_not_distinct_from(bindparam("reply")))
    .where(deliveries.c.noted.is_not_distinct_from(bindparam("which")))
    .where(deliveries.c.doubt.is_not_distinct_from(bindparam("known")))
    .values(teller=bindparam("me"), doubt=bindparam("step"))
)
_LATER = (
    update(deliveries)
    .where(_THIS)
    .values(
        report_at=_NOW,
        report_failures=deliveries.c.report_failures + 1,
        teller=None,
        doubt=bindparam("step"),
    )
)
_DUE = update(deliveries).where(_THIS).values(report_at=_NOW)


def _told(**values: Any) -> ReturningUpdate[Any]:
    """Build the statement that stores what Slack shows now."""
    return (
        update(deliveries)
        .where(_THIS)
        .values(report_failures=0, **values)
        .returning(*REPORT, deliveries.c.report_at)
    )


# An edit says nothing about a post that may be there; only its own end does.
_CERTAIN = {"teller": None, "doubt": None}
_OPENED = _told(
    thread_channel=bindparam("channel"),
    thread_ts=bindparam("thread"),
    shown=bindparam("face"),
    **_CERTAIN,
)
_REPLIED = _told(reply_ts=bindparam("reply"), replied=bindparam("face"), **_CERTAIN)
_NOTED = _told(noted=bindparam("which"), **_CERTAIN)
_REDRAWN = _told(shown=bindparam("face"))
_REWRITTEN = _told(replied=bindparam("face"))
_MOVED = _told(
    place=bindparam("where"),
    told_in=bindparam("channel"),
    thread_channel=None,
    thread_ts=None,
    reply_ts=None,
    shown=None,
    replied=None,
    **_CERTAIN,
)
_AGREED = _told()


class Reports:
    """The view that Slack has of the outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def channels_due(self, now: datetime) -> list[str]:
        """Return the channels in which something is to be told, longest due first.

        A channel id, or ``direct:<user>`` for the app's direct messages with a user.
        """
        with self._database.read() as connection:
            values = {"now": now, "me": self._database.owner}
            return list(connection.scalars(_CHANNELS_DUE, values))

    def oldest(self, channel_id: str, now: datetime) -> Report | None:
        """Return the oldest delivery of a channel that Slack is to be told about."""
        with self._database.read() as connection:
            me = self._database.owner
            values = {"channel": channel_id, "now": now, "me": me}
            row = connection.execute(_OLDEST, values).one_or_none()
        return None if row is None else report_of(row)

    def opened(self, report: Report, thread: ThreadRef, now: datetime) -> None:
        """Store the thread that the root card opened."""
        values = {"channel": thread.channel_id, "thread": thread.thread_ts}
        self._store(_OPENED, report, now, face=report.delivery.face, **values)

    def replied(self, report: Report, ts: str | None, now: datetime) -> None:
        """Store the reply that was posted, or that the caller was answered."""
        self._store(_REPLIED, report, now, reply=ts, face=report.delivery.face)

    def begin_post(self, report: Report, step: Step) -> bool:
        """Store that a new message is about to be posted.

        False if another copy is at it, or was since ``report`` was read.
        """
        row = {
            "this": report.delivery.id,
            "me": self._database.owner,
            "step": step,
            "where": report.place,
            "thread": report.thread.thread_ts if report.thread else None,
            "reply": report.reply_ts,
            "which": report.noted,
            "known": report.doubt,
        }
        with self._database.write() as connection:
            return connection.execute(_BEGIN_POST, row).rowcount == 1

    def noted(self, report: Report, now: datetime) -> None:
        """Store that the further reply that was due is posted."""
        self._store(_NOTED, report, now, which=report.note)

    def redrawn(self, report: Report, now: datetime) -> None:
        """Store that the root card shows the delivery as ``report`` has it."""
        self._store(_REDRAWN, report, now, face=report.delivery.face)

    def rewritten(self, report: Report, now: datetime) -> None:
        """Store that the reply shows the delivery as ``report`` has it."""
        self._store(_REWRITTEN, report, now, face=report.delivery.face)

    def move(self, report: Report, place: Place, now: datetime) -> None:
        """Report somewhere else from now on, in a thread that is not yet open."""
        channel = _told_in(report, place)
        self._store(_MOVED, report, now, where=place, channel=channel)

    def agreed(self, report: Report, now: datetime) -> None:
        """Store that Slack shows the truth, unless that has changed meanwhile."""
        self._store(_AGREED, report, now)

    def later(self, report: Report, at: datetime, doubt: Step | None) -> None:
        """Store that a call to Slack failed and the next one is due at ``at``.

        ``doubt`` is the post that Slack may have taken all the same.
        """
        row = {"this": report.delivery.id, "now": at, "step": doubt}
        with self._database.write() as connection:
            connection.execute(_LATER, row)

    def _store(
        self,
        statement: ReturningUpdate[Any],
        report: Report,
        now: datetime,
        **values: str | None,
    ) -> None:
        """Store what Slack shows now, and whether that is the truth already."""
        this = {"this": report.delivery.id}
        with self._database.write() as connection:
            row = connection.execute(statement, {**this, **values}).one()
            due = None if report_of(row).step is None else now
            if due != row.report_at:
                connection.execute(_DUE, {**this, "now": due})


def _told_in(report: Report, place: Place) -> str | None:
    caller = report.delivery.caller
    if caller is None:
        return None
    return caller.channel_id if place is Place.CHANNEL else f"direct:{caller.user_id}"
