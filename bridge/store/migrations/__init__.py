"""The steps from an empty database to today's tables; forward only."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from bridge.errors import StoreError

HEAD = "0002"
"""The newest step. Known here so that a start needs Alembic only to migrate."""

LOCK = 0x62726965  # two programs may start at once; only one migrates


def upgrade(connection: Connection, found: str | None) -> None:
    """Bring the tables to HEAD inside the caller's transaction.

    Args:
        connection: in a transaction; all steps are committed together or not at all.
        found: the step the database is at; None for an empty one.

    Raises:
        StoreError: the database was written by a newer version of this program.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    steps = ScriptDirectory.from_config(config).walk_revisions()
    known = {step.revision for step in steps}
    if found is not None and found not in known:
        raise StoreError(
            f"The database was written by a newer version (its schema is {found}, "
            f"this program knows up to {HEAD}). Install that version again, or "
            "restore the backup made before the upgrade."
        )
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
