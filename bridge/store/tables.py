"""The tables, with a comment per column. Only ``store`` and the migrations use them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
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
IS_UNKNOWN = "status = 'unknown'"
IS_UNCONFIRMED = "status = 'unconfirmed'"

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
    Column(
        "left_at",
        Moment,
        comment="since when it may have been sent; NULL: it certainly was not yet",
    ),
    Column("looks", Integer, comment="searches for evidence made so far"),
    Column("look_at", Moment, comment="when evidence is looked for next; NULL: never"),
    Column("look_asked", Boolean, comment="somebody pressed Check again"),
    Column("looked_at", Moment, comment="when that was last done on request"),
    Column("watch_at", Moment, comment="when a missing receipt is worth a note"),
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
    Column("note", String(16), comment="model.Note: a further reply that is due"),
    Column("noted", String(16), comment="the further reply that was last posted"),
    Column("doubt", String(8), comment="model.Step: a post that Slack may have taken"),
    Column("teller", String(32), comment="replica in the middle of such a post"),
    Column("report_at", Moment, comment="when Slack is to be told; NULL: all is told"),
    Column(
        "report_failures",
        Integer,
        nullable=False,
        comment="Slack calls that failed since the last one that worked",
    ),
    comment="the outbox: one row per text on its way to one chat",
)
Index("deliveries_by_user", deliveries.c.user_id, deliveries.c.seq)
Index("deliveries_by_created", deliveries.c.created_at)
Index(
    "deliveries_by_message",
    deliveries.c.id_message,
    unique=True,  # one idMessage belongs to one delivery, whoever finds it first
    sqlite_where=text("id_message IS NOT NULL"),
    postgresql_where=text("id_message IS NOT NULL"),
)


# Partial indexes: their size follows the work that is open, not the history.
def _partial(name: str, columns: list[str], condition: str) -> None:
    Index(
        name,
        *(deliveries.c[column] for column in columns),
        sqlite_where=text(condition),
        postgresql_where=text(condition),
    )


_partial("deliveries_waiting", ["chat_id", "seq"], WAITING)
_partial("deliveries_sending", ["seq"], IS_SENDING)
_partial("deliveries_report", ["told_in", "report_at"], "report_at IS NOT NULL")
_partial("deliveries_expiring", ["expires_at"], WAITING)
_partial("deliveries_unconfirmed", ["seq"], IS_UNCONFIRMED)
_partial("deliveries_unknown", ["chat_id"], IS_UNKNOWN)
_partial("deliveries_doubtful", ["look_at"], "look_at IS NOT NULL")
_partial("deliveries_doubtful_here", ["chat_id"], "look_at IS NOT NULL")
_partial("deliveries_sending_here", ["chat_id"], IS_SENDING)
_partial("deliveries_watched", ["watch_at"], "watch_at IS NOT NULL")
_partial("deliveries_telling", ["teller"], "teller IS NOT NULL")

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
    Column("due_at", Moment, comment="when its first row is due; NULL: not open"),
    Column("owner", String(32), comment="replica that is sending; with due_at NULL"),
    comment="a chat with something to send; its rows leave one at a time, in order",
)
Index(
    "lanes_due",
    lanes.c.due_at,
    sqlite_where=text("due_at IS NOT NULL"),
    postgresql_where=text("due_at IS NOT NULL"),
)
Index(
    "lanes_owned",
    lanes.c.owner,
    sqlite_where=text("owner IS NOT NULL"),
    postgresql_where=text("owner IS NOT NULL"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("id_message", String(256), primary_key=True, comment="GREEN-API's"),
    Column("status", String(16), primary_key=True, comment="model.ReceiptStatus"),
    Column(
        "received_at",
        Moment,
        nullable=False,
        index=True,
        comment="when the first of its kind came",
    ),
    comment="WhatsApp's words on messages, also on those whose delivery is not known",
)

Index("receipts_by_status", receipts.c.status)

sightings = Table(
    "sightings",
    metadata,
    Column("id_message", String(256), primary_key=True, comment="GREEN-API's"),
    Column("chat_id", String(64), nullable=False, comment="as GREEN-API named it"),
    Column("digest", String(64), nullable=False, comment="of the text, not the text"),
    Column(
        "sent_at",
        Moment,
        nullable=False,
        comment="when it left GREEN-API, by its clock",
    ),
    Column(
        "received_at",
        Moment,
        nullable=False,
        index=True,
        comment="when the first echo came",
    ),
    comment="echoes: GREEN-API has a text, whether or not its answer reached us",
)
Index("sightings_by_text", sightings.c.digest)

aliases = Table(
    "aliases",
    metadata,
    Column("alias", String(64), primary_key=True, comment="…@lid"),
    Column("chat_id", String(64), nullable=False, comment="the same person's …@c.us"),
    Column("learned_at", Moment, nullable=False, comment="when it was first seen"),
    comment="other names of chats, learned from messages whose id we know",
)
Index("aliases_by_chat", aliases.c.chat_id)

inbox = Table(
    "inbox",
    metadata,
    Column("key", String(200), primary_key=True, comment="the same one has the same"),
    Column("body", Text, nullable=False, comment="the notification, as JSON"),
    Column(
        "received_at",
        Moment,
        nullable=False,
        index=True,
        comment="when it first came",
    ),
    comment="what customers did, until the thread can show it",
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("seq", _Serial, primary_key=True, comment="order of arrival"),
    Column("why", String(100), nullable=False, comment="what was odd about it"),
    Column("body", Text, nullable=False, comment="up to 64 KB of it"),
    Column("received_at", Moment, nullable=False, index=True, comment="when it came"),
    comment="notifications that can't be understood: kept, and never in the way",
)

accounts = Table(
    "accounts",
    metadata,
    Column(
        "id_instance",
        String(32),
        primary_key=True,
        comment="GREEN-API's name for it",
    ),
    Column("state", String(32), comment="GREEN-API's word, as last heard"),
    Column("state_at", Moment, comment="when it was heard"),
    Column("wid", String(64), comment="the account's own chat, once authorized"),
    Column("hold", String(32), comment="why nothing is sent; NULL: all is well"),
    Column("hold_at", Moment, comment="since when"),
    Column("told", String(32), comment="the hold an admin was told of"),
    Column("told_in", String(32), comment="channel of that line"),
    Column("told_ts", String(32), comment="ts of that line"),
    comment="the WhatsApp account behind the one GREEN-API instance",
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", String(32), primary_key=True, comment="new at every start"),
    Column("name", String(100), nullable=False, comment="host and process, for people"),
    Column("beat_at", Moment, nullable=False, comment="last sign of life"),
    comment="the running copies; what a dead one left is judged by a living one",
)

facts = Table(
    "facts",
    metadata,
    Column("name", String(32), primary_key=True, comment="leader or beats"),
    Column("value", Text, nullable=False, comment="as text"),
    comment="leader: the replica that polls and searches; beats: grows all the time",
)
