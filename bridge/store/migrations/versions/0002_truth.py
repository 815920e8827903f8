"""Evidence, receipts, the account, replicas, and what notifications left."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.BigInteger  # microseconds since 1970, UTC


def upgrade() -> None:
    """Add to the outbox what it takes to know, and the tables beside it."""
    _widen_deliveries()
    op.add_column("lanes", sa.Column("owner", sa.String(32)))
    # What was just being sent is judged like the work of a dead copy.
    op.execute("UPDATE lanes SET owner = 'before 0002' WHERE due_at IS NULL")
    _index("lanes_owned", ["owner"], "owner IS NOT NULL", table="lanes")
    _add_evidence()
    _add_notifications()
    _add_account_and_replicas()


def _widen_deliveries() -> None:
    for column in (
        sa.Column("left_at", MOMENT),
        sa.Column("looks", sa.Integer),
        sa.Column("look_at", MOMENT),
        sa.Column("look_asked", sa.Boolean),
        sa.Column("looked_at", MOMENT),
        sa.Column("watch_at", MOMENT),
        sa.Column("note", sa.String(16)),
        sa.Column("noted", sa.String(16)),
        sa.Column("doubt", sa.String(8)),
        sa.Column("teller", sa.String(32)),
    ):
        op.add_column("deliveries", column)
    _take_over_what_may_have_been_sent()
    op.drop_index("deliveries_by_message", "deliveries")
    condition = sa.text("id_message IS NOT NULL")
    op.create_index(
        "deliveries_by_message",
        "deliveries",
        ["id_message"],
        unique=True,
        sqlite_where=condition,
        postgresql_where=condition,
    )
    op.create_index("deliveries_by_created", "deliveries", ["created_at"])
    _index("deliveries_expiring", ["expires_at"], "status IN ('queued', 'held')")
    _index("deliveries_unconfirmed", ["seq"], "status = 'unconfirmed'")
    _index("deliveries_unknown", ["chat_id"], "status = 'unknown'")
    _index("deliveries_doubtful", ["look_at"], "look_at IS NOT NULL")
    _index("deliveries_doubtful_here", ["chat_id"], "look_at IS NOT NULL")
    _index("deliveries_sending_here", ["chat_id"], "status = 'sending'")
    _index("deliveries_watched", ["watch_at"], "watch_at IS NOT NULL")
    _index("deliveries_telling", ["teller"], "teller IS NOT NULL")


def _take_over_what_may_have_been_sent() -> None:
    op.execute(
        "UPDATE deliveries SET left_at = coalesce((SELECT max(started_at)"
        " FROM attempts WHERE delivery_id = deliveries.id), created_at)"
        " WHERE status IN ('sending', 'unknown')"
    )
    # Until now an unknown delivery was final; nobody looked for evidence of it.
    op.execute(
        "UPDATE deliveries SET status = 'unconfirmed', report_at ="
        " CASE WHEN told_in IS NOT NULL AND place <> 'nowhere' THEN updated_at END"
        " WHERE status = 'unknown'"
    )


def _add_evidence() -> None:
    op.create_table(
        "receipts",
        sa.Column("id_message", sa.String(256), primary_key=True),
        sa.Column("status", sa.String(16), primary_key=True),
        sa.Column("received_at", MOMENT, nullable=False, index=True),
    )
    op.create_index("receipts_by_status", "receipts", ["status"])
    op.create_table(
        "sightings",
        sa.Column("id_message", sa.String(256), primary_key=True),
        sa.Column("chat_id", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False, index=True),
    )
    op.create_index("sightings_by_text", "sightings", ["digest"])
    op.create_table(
        "aliases",
        sa.Column("alias", sa.String(64), primary_key=True),
        sa.Column("chat_id", sa.String(64), nullable=False),
        sa.Column("learned_at", MOMENT, nullable=False),
    )
    op.create_index("aliases_by_chat", "aliases", ["chat_id"])


def _add_notifications() -> None:
    op.create_table(
        "inbox",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False, index=True),
    )
    op.create_table(
        "dead_letters",
        sa.Column("seq", SERIAL, primary_key=True),
        sa.Column("why", sa.String(100), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False, index=True),
    )


def _add_account_and_replicas() -> None:
    op.create_table(
        "accounts",
        sa.Column("id_instance", sa.String(32), primary_key=True),
        sa.Column("state", sa.String(32)),
        sa.Column("state_at", MOMENT),
        sa.Column("wid", sa.String(64)),
        sa.Column("hold", sa.String(32)),
        sa.Column("hold_at", MOMENT),
        sa.Column("told", sa.String(32)),
        sa.Column("told_in", sa.String(32)),
        sa.Column("told_ts", sa.String(32)),
    )
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("beat_at", MOMENT, nullable=False),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def _index(
    name: str, columns: list[str], where: str, table: str = "deliveries"
) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, columns, sqlite_where=condition, postgresql_where=condition
    )
