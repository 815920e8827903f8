"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = "${up_revision}"
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    ${upgrades if upgrades else "raise NotImplementedError"}
