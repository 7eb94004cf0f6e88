"""Marks on campaigns; what is written often apart from what is large; tasks under their campaign's number."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_COPY_CAMPAIGNS = """
INSERT INTO campaigns (
    number, campaign_id, revision, state, submitted_at, boost, pinned, estimated_at, model_version, source, score,
    preemptions, units, units_done, chunks_done, tasks, queued, leased, done, dead, ready_since, worked_at, launched_at
)
SELECT
    number, campaign_id, revision, state, submitted_at, boost, pinned, estimated_at, model_version, source, score,
    preemptions, units, units_done, chunks_done, tasks, queued, leased, done, dead,
    CASE WHEN state IN ('ready', 'running') THEN submitted_at END, worked_at, launched_at
FROM old_campaigns
"""
_COPY_TASKS = """
INSERT INTO tasks (
    key, campaign, task_id, handler, payload, units, after, state, checkpoint, units_done, chunk, attempts, not_before,
    enqueued_at, chunk_from, fence, owner, lease_until, error, ended_at
)
SELECT
    old.key, campaigns.number, old.task_id, old.handler, old.payload, old.units, old.after, old.state, old.checkpoint,
    old.units_done, old.chunk, old.attempts, old.not_before, old.enqueued_at, old.chunk_from, old.fence, old.owner,
    old.lease_until, old.error, old.ended_at
FROM old_tasks AS old JOIN campaigns ON campaigns.campaign_id = old.campaign_id ORDER BY old.key
"""
_BEGAN = """
SELECT campaign_id, min(at) FROM (
    SELECT campaign_id, started_at AS at FROM runs
    UNION ALL
    SELECT campaign_id, chunk_from FROM old_tasks WHERE chunk_from IS NOT NULL
) AS slots GROUP BY campaign_id
"""


def upgrade() -> None:
    """Make the tables anew beside the old ones, move over what those hold, and drop them."""
    # SQLite cannot change what a column refers to; a renamed table keeps its indices, whose names are needed.
    for name in ("campaigns_by_state", "tasks_by_campaign", "tasks_leased", "tasks_backing_off"):
        op.drop_index(name)
    for name in ("campaigns", "dependencies", "tasks"):
        op.rename_table(name, f"old_{name}")
    _make_campaigns()
    _make_tasks()
    op.create_table("marks", sa.Column("highest", sa.BigInteger, nullable=False))
    op.execute("INSERT INTO marks (highest) VALUES (0)")
    _move_campaigns()
    _move_tasks()
    for name in ("tasks", "dependencies", "campaigns"):
        op.drop_table(f"old_{name}")
    # Builds that know of no migrations refuse the database by this.
    op.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")


def _counter(name: str, kind: Any = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default="0")


def _make_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("campaign_id", sa.String, nullable=False, unique=True),
        _counter("mark", sa.BigInteger),
        _counter("revision"),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("submitted_at", sa.BigInteger, nullable=False),
        sa.Column("boost", sa.Float, nullable=False, server_default="1"),
        sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
        *(sa.Column(name, sa.Float) for name in ("value", "points", "p50_h", "p90_h")),
        sa.Column("fallback", sa.Text),
        sa.Column("estimated_at", sa.BigInteger),
        *(sa.Column(name, sa.String) for name in ("model_version", "source")),
        sa.Column("score", sa.Float),
        _counter("preemptions"),
        *(_counter(name, sa.Float) for name in ("units", "units_done")),
        *(_counter(name) for name in ("chunks_done", "tasks", "queued", "leased", "done", "dead")),
        *(sa.Column(name, sa.BigInteger) for name in ("begun_at", "ready_since", "worked_at", "launched_at")),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Room beside rows that change all the time: a change that stays in its page touches no index.
        op.execute("ALTER TABLE campaigns SET (fillfactor = 70)")
    op.create_index("campaigns_by_state", "campaigns", ["state"])
    op.create_index("kpis_by_campaign", "kpis", ["campaign_id", "at"])
    op.create_index("campaigns_by_mark", "campaigns", ["mark"])
    op.create_index("campaigns_by_beginning", "campaigns", ["begun_at"])
    op.create_table(
        "declarations",
        sa.Column("campaign", _NUMBER, sa.ForeignKey("campaigns.number"), primary_key=True, autoincrement=False),
        sa.Column("declared", sa.Text, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("facts", sa.Text, nullable=False, server_default="{}"),
    )
    op.create_table(
        "dependencies",
        sa.Column("campaign_id", sa.String, sa.ForeignKey("campaigns.campaign_id"), primary_key=True),
        sa.Column("after_id", sa.String, primary_key=True),
    )
    op.create_index("dependencies_by_predecessor", "dependencies", ["after_id"])


def _make_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("key", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("campaign", _NUMBER, sa.ForeignKey("campaigns.number"), nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("task_id", "handler")),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("units", sa.Float, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("checkpoint", sa.Text),
        _counter("units_done", sa.Float),
        *(_counter(name) for name in ("chunk", "attempts")),
        sa.Column("not_before", sa.BigInteger),
        sa.Column("enqueued_at", sa.BigInteger, nullable=False),
        sa.Column("chunk_from", sa.BigInteger),
        _counter("fence"),
        sa.Column("owner", sa.String),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("one_chunk", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("error", sa.Text),
        sa.Column("ended_at", sa.BigInteger),
        sa.UniqueConstraint("campaign", "task_id"),
    )
    for name, chosen, columns in (
        ("tasks_queued", "state = 'queued'", ["campaign", "key", "not_before"]),
        ("tasks_leased", "state = 'leased'", ["lease_until"]),
        ("tasks_dead", "state = 'dead'", ["campaign", "key"]),
        ("tasks_backing_off", "not_before IS NOT NULL", ["campaign", "not_before"]),
    ):
        text = sa.text(chosen)
        op.create_index(name, "tasks", columns, sqlite_where=text, postgresql_where=text)
    op.create_table(
        "task_order",
        *(
            sa.Column(name, _NUMBER, sa.ForeignKey("tasks.key"), primary_key=True, autoincrement=False)
            for name in ("key", "after_key")
        ),
    )
    op.create_index("task_order_by_predecessor", "task_order", ["after_key"])


def _move_campaigns() -> None:
    op.execute(_COPY_CAMPAIGNS)
    op.execute("INSERT INTO declarations SELECT number, declared, content, facts FROM old_campaigns")
    op.execute("INSERT INTO dependencies SELECT campaign_id, after_id FROM old_dependencies")
    database = op.get_bind()
    estimates = database.execute(sa.text("SELECT number, estimate FROM old_campaigns WHERE estimate IS NOT NULL"))
    _for_each(
        "UPDATE campaigns SET value = :value, points = :points, p50_h = :p50_h, p90_h = :p90_h, fallback = :fallback"
        " WHERE number = :own",
        [{"own": number, **json.loads(estimate)} for number, estimate in estimates],
    )
    began = database.execute(sa.text(_BEGAN))
    _for_each(
        "UPDATE campaigns SET begun_at = :at WHERE campaign_id = :own", [{"own": own, "at": at} for own, at in began]
    )


def _move_tasks() -> None:
    op.execute(_COPY_TASKS)
    follows = op.get_bind().execute(sa.text("SELECT key, campaign, after FROM tasks WHERE after != '[]'"))
    _for_each(
        "INSERT INTO task_order (key, after_key)"
        " SELECT :own, key FROM tasks WHERE campaign = :campaign AND task_id = :name",
        [
            {"own": key, "campaign": campaign, "name": name}
            for key, campaign, after in follows
            for name in sorted(set(json.loads(after)))
        ],
    )


def _for_each(statement: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        op.get_bind().execute(sa.text(statement), rows)
