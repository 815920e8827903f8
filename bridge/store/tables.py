"""The tables, with a comment per column. Only ``store`` and the migrations use them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """An aware UTC ``datetime``, stored as microseconds since 1970.

    One integer compares and sorts alike on SQLite and PostgreSQL, and no driver can
    lose its time zone.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> int | None:
        """Return the stored form of a moment."""
        if value is None:
            return None
        return (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(
        self, value: Any | None, dialect: Dialect
    ) -> datetime | None:
        """Return the moment of a stored number."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


metadata = MetaData()

# SQLite numbers rows by itself only for the type INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")

WAITING = "status IN ('queued', 'held')"
IS_SENDING = "status = 'sending'"

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", _Serial, primary_key=True, comment="order of acceptance"),
    Column("id", String(32), nullable=False, unique=True, comment="our random name"),
    Column(
        "source",
        String(200),
        nullable=False,
        unique=True,
        comment="the request it came from; the same request twice stores once",
    ),
    Column("chat_id", String(64), nullable=False, comment="WhatsApp chat"),
    Column("text", Text, nullable=False, comment="the words, as WhatsApp gets them"),
    Column(
        "markup",
        Text,
        comment="Slack text whose mentions have no name yet; text is made from it "
        "before the first attempt",
    ),
    Column("user_id", String(32), comment="Slack user who asked; NULL: command line"),
    Column("team_id", String(32), comment="that user's workspace"),
    Column("channel_id", String(32), comment="Slack channel the command was typed in"),
    Column("response_url", Text, comment="Slack's answering address, for 30 minutes"),
    Column("status", String(16), nullable=False, comment="model.Status"),
    Column("reason", String(32), comment="word for why it waits or failed"),
    Column("attempts", Integer, nullable=False, comment="POSTs begun"),
    Column("id_message", String(256), comment="GREEN-API's idMessage, once accepted"),
    Column("retry_of", String(32), comment="id of the delivery this one repeats"),
    Column("created_at", Moment, nullable=False, comment="when it was accepted"),
    Column("updated_at", Moment, nullable=False, comment="last change of status"),
    Column("due_at", Moment, nullable=False, comment="not to be sent before"),
    Column("expires_at", Moment, nullable=False, comment="not to be sent after"),
    Column("place", String(16), nullable=False, comment="model.Place it is reported"),
    Column(
        "told_in",
        String(64),
        comment="Slack takes one message a second in each: a channel, or the app's "
        "direct messages with a user",
    ),
    Column("thread_channel", String(32), comment="channel of the root card"),
    Column("thread_ts", String(32), comment="ts of the root card"),
    Column("reply_ts", String(32), comment="ts of the one reply"),
    Column("shown", String(64), comment="Delivery.face the root card shows"),
    Column("replied", String(64), comment="Delivery.face the reply shows"),
    Column("report_at", Moment, comment="when Slack is to be told; NULL: all is told"),
    Column(
        "report_failures",
        Integer,
        nullable=False,
        comment="Slack calls that failed since the last one that worked",
    ),
    comment="the outbox: one row per text on its way to one chat",
)
# Partial indexes: their size follows the work that is open, not the history.
Index(
    "deliveries_waiting",
    deliveries.c.chat_id,
    deliveries.c.seq,
    sqlite_where=text(WAITING),
    postgresql_where=text(WAITING),
)
Index(
    "deliveries_sending",
    deliveries.c.seq,
    sqlite_where=text(IS_SENDING),
    postgresql_where=text(IS_SENDING),
)
Index(
    "deliveries_report",
    deliveries.c.told_in,
    deliveries.c.report_at,
    sqlite_where=text("report_at IS NOT NULL"),
    postgresql_where=text("report_at IS NOT NULL"),
)
Index("deliveries_by_user", deliveries.c.user_id, deliveries.c.seq)
Index("deliveries_by_message", deliveries.c.id_message)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", String(32), primary_key=True, comment="deliveries.id"),
    Column("n", Integer, primary_key=True, comment="1 for the first POST"),
    Column("started_at", Moment, nullable=False, comment="committed before the POST"),
    Column("ended_at", Moment, comment="NULL: no answer was stored"),
    Column("outcome", String(16), comment="accepted, retryable, permanent, unknown"),
    Column("reason", String(32), comment="word for why it was not accepted"),
    comment="every POST to GREEN-API; the row is there before the request leaves",
)

lanes = Table(
    "lanes",
    metadata,
    Column("chat_id", String(64), primary_key=True, comment="WhatsApp chat"),
    Column("due_at", Moment, comment="when its first row is due; NULL: being sent"),
    comment="a chat with something to send; its rows leave one at a time, in order",
)
Index(
    "lanes_due",
    lanes.c.due_at,
    sqlite_where=text("due_at IS NOT NULL"),
    postgresql_where=text("due_at IS NOT NULL"),
)
