"""The outbox: deliveries, their attempts and their lanes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.BigInteger  # microseconds since 1970, UTC


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "deliveries",
        sa.Column("seq", SERIAL, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("source", sa.String(200), nullable=False, unique=True),
        sa.Column("chat_id", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("markup", sa.Text),
        sa.Column("user_id", sa.String(32)),
        sa.Column("team_id", sa.String(32)),
        sa.Column("channel_id", sa.String(32)),
        sa.Column("response_url", sa.Text),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("id_message", sa.String(256)),
        sa.Column("retry_of", sa.String(32)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("told_in", sa.String(64)),
        sa.Column("thread_channel", sa.String(32)),
        sa.Column("thread_ts", sa.String(32)),
        sa.Column("reply_ts", sa.String(32)),
        sa.Column("shown", sa.String(64)),
        sa.Column("replied", sa.String(64)),
        sa.Column("report_at", MOMENT),
        sa.Column("report_failures", sa.Integer, nullable=False),
    )
    _index("deliveries_waiting", ["chat_id", "seq"], "status IN ('queued', 'held')")
    _index("deliveries_sending", ["seq"], "status = 'sending'")
    _index("deliveries_report", ["told_in", "report_at"], "report_at IS NOT NULL")
    op.create_index("deliveries_by_user", "deliveries", ["user_id", "seq"])
    op.create_index("deliveries_by_message", "deliveries", ["id_message"])

    op.create_table(
        "attempts",
        sa.Column("delivery_id", sa.String(32), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("outcome", sa.String(16)),
        sa.Column("reason", sa.String(32)),
    )
    op.create_table(
        "lanes",
        sa.Column("chat_id", sa.String(64), primary_key=True),
        sa.Column("due_at", MOMENT),
    )
    _index("lanes_due", ["due_at"], "due_at IS NOT NULL", table="lanes")


def _index(
    name: str, columns: list[str], where: str, table: str = "deliveries"
) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, columns, sqlite_where=condition, postgresql_where=condition
    )
