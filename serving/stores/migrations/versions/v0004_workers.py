"""Who works elsewhere, on how many slots, and until when that is believed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "workers",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
