"""Alembic's entry: run the steps on the connection that ``upgrade`` opened."""

from __future__ import annotations

from alembic import context

from bridge.store.tables import metadata

# No transaction of Alembic's own: the caller's covers all steps.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,
)
context.run_migrations()
