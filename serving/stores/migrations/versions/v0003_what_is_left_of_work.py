"""Slot-seconds spent on a campaign, and what a model said was left of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_SPENT = """
UPDATE campaigns SET spent_s = spent.seconds FROM (
    SELECT campaign_id, sum((finished_at - started_at) * capacity) / 1000000 AS seconds FROM runs GROUP BY campaign_id
) AS spent WHERE spent.campaign_id = campaigns.campaign_id
"""
_SAID = "UPDATE campaigns SET left_p50_h = p50_h, left_p90_h = p90_h, done_when_asked = 0 WHERE points IS NOT NULL"


def upgrade() -> None:
    """Add the columns; until a model is asked again, all that was estimated is as if nothing had been done then."""
    op.add_column("campaigns", sa.Column("spent_s", sa.Float, nullable=False, server_default="0"))
    for name in ("left_p50_h", "left_p90_h", "done_when_asked"):
        op.add_column("campaigns", sa.Column(name, sa.Float))
    op.execute(_SPENT)
    op.execute(_SAID)
