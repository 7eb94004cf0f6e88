"""The tables as first released."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make them."""
    _make_campaigns()
    _make_tasks()
    _make_logs()
    op.create_table(
        "meta",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "locks",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO meta (key, value) VALUES ('schema', '1')")


def _counter(name: str, kind: Any = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default="0")


def _make_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("campaign_id", sa.String, nullable=False, unique=True),
        sa.Column("declared", sa.Text, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("facts", sa.Text, nullable=False, server_default="{}"),
        sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("submitted_at", sa.BigInteger, nullable=False),
        sa.Column("boost", sa.Float, nullable=False, server_default="1"),
        sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("estimate", sa.JSON),
        sa.Column("estimated_at", sa.BigInteger),
        sa.Column("model_version", sa.String),
        sa.Column("source", sa.String),
        sa.Column("score", sa.Float),
        _counter("preemptions"),
        _counter("units", sa.Float),
        _counter("units_done", sa.Float),
        *(_counter(name) for name in ("chunks_done", "tasks", "queued", "leased", "done", "dead")),
        sa.Column("worked_at", sa.BigInteger),
        sa.Column("launched_at", sa.BigInteger),
    )
    op.create_index("campaigns_by_state", "campaigns", ["state"])
    op.create_table(
        "dependencies",
        sa.Column("campaign_id", sa.String, sa.ForeignKey("campaigns.campaign_id"), primary_key=True),
        sa.Column("after_id", sa.String, primary_key=True),
    )


def _make_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("key", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("campaign_id", sa.String, sa.ForeignKey("campaigns.campaign_id"), nullable=False),
        sa.Column("task_id", sa.String, nullable=False),
        sa.Column("handler", sa.String, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("units", sa.Float, nullable=False),
        sa.Column("after", sa.JSON, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("checkpoint", sa.JSON),
        _counter("units_done", sa.Float),
        _counter("chunk"),
        _counter("attempts"),
        sa.Column("not_before", sa.BigInteger),
        sa.Column("enqueued_at", sa.BigInteger, nullable=False),
        sa.Column("chunk_from", sa.BigInteger),
        _counter("fence"),
        sa.Column("owner", sa.String),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("error", sa.Text),
        sa.Column("ended_at", sa.BigInteger),
        sa.UniqueConstraint("campaign_id", "task_id"),
    )
    op.create_index("tasks_by_campaign", "tasks", ["campaign_id", "state", "key"])
    leased, backing_off = sa.text("state = 'leased'"), sa.text("not_before IS NOT NULL")
    op.create_index("tasks_leased", "tasks", ["lease_until"], sqlite_where=leased, postgresql_where=leased)
    op.create_index(
        "tasks_backing_off", "tasks", ["not_before"], sqlite_where=backing_off, postgresql_where=backing_off
    )


def _make_logs() -> None:
    def moments(*names: str) -> list[sa.Column[Any]]:
        return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]

    def strings(*names: str) -> list[sa.Column[Any]]:
        return [sa.Column(name, sa.String, nullable=False) for name in names]

    def number() -> sa.Column[Any]:
        return sa.Column("id", _NUMBER, primary_key=True, autoincrement=True)

    op.create_table(
        "runs",
        number(),
        *strings("campaign_id", "task_id"),
        sa.Column("chunk", sa.Integer, nullable=False),
        *moments("enqueued_at", "started_at", "finished_at"),
        sa.Column("units", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("capacity", sa.Float, nullable=False),
        *strings("outcome"),
    )
    op.create_table(
        "decisions",
        number(),
        *strings("campaign_id"),
        *moments("at"),
        *strings("chosen"),
        sa.Column("reason", sa.Text, nullable=False),
        *(sa.Column(name, sa.String) for name in ("model_version", "source")),
        *(sa.Column(name, sa.Float) for name in ("value", "processing_h", "index", "score")),
        sa.Column("rank", sa.Integer),
    )
    op.create_table(
        "kpis",
        number(),
        *strings("campaign_id"),
        sa.Column("target_id", sa.String),
        *moments("at", "known_at"),
        *strings("metric"),
        sa.Column("value", sa.Float, nullable=False),
    )
    op.create_table(
        "signals",
        number(),
        *strings("entity"),
        *moments("at", "known_at"),
        *strings("name"),
        sa.Column("value", sa.Float, nullable=False),
        *strings("source"),
    )
