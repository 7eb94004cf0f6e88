"""The tables of a SQL store, as the newest of its migrations leaves them.

Scores live on campaign rows and tasks hang below, so that scoring a campaign anew never touches its tasks. The
counters on a campaign's row sum up its tasks; every change of a task keeps them right in the same transaction.
What is written often is kept apart from what is large: a campaign's row holds no text of its owner's.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    literal_column,
)
from sqlalchemy.types import TypeEngine

from serving.stores.lifecycle import TaskState

VERSION = "0004"
"""Of the newest migration; the tables below are what it leaves."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A moment as whole microseconds since the epoch: exact, ordered, and the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        """To whole microseconds."""
        return None if value is None else micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        """To a moment in UTC."""
        return None if value is None else moment(value)


class Json(TypeDecorator[Any]):
    """What JSON can hold, as text; None as nothing.

    A column that calls itself JSON would have SQLite make numbers of what looks like one: 2.0 would come back as 2.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """To text."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's
        """To what the text stands for."""
        return None if value is None else json.loads(value)


def micros(at: datetime) -> int:
    """A moment as the database holds it: microseconds since the epoch."""
    return (at - _EPOCH) // _MICROSECOND


def moment(since_epoch: int) -> datetime:
    """A moment that the database holds, in UTC."""
    return _EPOCH + since_epoch * _MICROSECOND


# SQLite numbers rows by itself only in a column that is exactly INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")
metadata = MetaData()


def _counter(name: str, kind: TypeEngine[Any] | None = None) -> Column[Any]:
    return Column(name, kind or Integer(), nullable=False, server_default="0")


def _numbered() -> Column[int]:
    return Column("id", _Number, primary_key=True, autoincrement=True)


campaigns = Table(
    "campaigns",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("campaign_id", String, nullable=False, unique=True),
    Column("mark", BigInteger, nullable=False, server_default="0"),  # of its latest change
    Column("revision", Integer, nullable=False, server_default="0"),  # of the facts
    Column("state", String, nullable=False),
    Column("submitted_at", Moment, nullable=False),
    Column("boost", Float, nullable=False, server_default="1"),
    Column("pinned", Boolean, nullable=False, server_default=false()),
    Column("value", Float),
    Column("points", Float),  # none where no model was asked
    Column("p50_h", Float),
    Column("p90_h", Float),
    Column("left_p50_h", Float),
    Column("left_p90_h", Float),
    Column("done_when_asked", Float),
    Column("fallback", Text),
    Column("estimated_at", Moment),
    Column("model_version", String),
    Column("source", String),
    Column("score", Float),
    _counter("preemptions"),
    _counter("units", Float()),
    _counter("units_done", Float()),
    _counter("chunks_done"),
    _counter("spent_s", Float()),
    _counter("tasks"),
    _counter("queued"),
    _counter("leased"),
    _counter("done"),
    _counter("dead"),
    Column("begun_at", Moment),
    Column("ready_since", Moment),
    Column("worked_at", Moment),
    Column("launched_at", Moment),
)
Index("campaigns_by_state", campaigns.c.state)
Index("campaigns_by_mark", campaigns.c.mark)
Index("campaigns_by_beginning", campaigns.c.begun_at)

declarations = Table(
    "declarations",
    metadata,
    Column("campaign", ForeignKey("campaigns.number"), primary_key=True, autoincrement=False),
    Column("declared", Text, nullable=False),  # as first submitted
    Column("content", String, nullable=False),  # fingerprint of what was first submitted
    Column("facts", Text, nullable=False, server_default="{}"),  # changed since
)

dependencies = Table(
    "dependencies",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.campaign_id"), primary_key=True),
    Column("after_id", String, primary_key=True),  # may not be submitted yet
)
Index("dependencies_by_predecessor", dependencies.c.after_id)

tasks = Table(
    "tasks",
    metadata,
    Column("key", _Number, primary_key=True, autoincrement=True),
    Column("campaign", ForeignKey("campaigns.number"), nullable=False),
    Column("task_id", String, nullable=False),
    Column("handler", String, nullable=False),
    Column("payload", Json, nullable=False),
    Column("units", Float, nullable=False),
    Column("after", Json, nullable=False),
    Column("state", String, nullable=False),
    Column("checkpoint", Json),
    _counter("units_done", Float()),
    _counter("chunk"),
    _counter("attempts"),
    Column("not_before", Moment),
    Column("enqueued_at", Moment, nullable=False),
    Column("chunk_from", Moment),
    _counter("fence"),
    Column("owner", String),
    Column("lease_until", Moment),
    Column("one_chunk", Boolean, nullable=False, server_default=false()),
    Column("error", Text),
    Column("ended_at", Moment),
    UniqueConstraint("campaign", "task_id"),
)


def in_state(state: TaskState) -> ColumnElement[bool]:
    """Whether a task is in a state, written so that the index of that state serves: a parameter would not do."""
    return tasks.c.state == literal_column(f"'{state}'")


def _tasks_index(name: str, chosen: ColumnElement[bool], *columns: Column[Any]) -> None:
    Index(name, *columns, sqlite_where=chosen, postgresql_where=chosen)


# One for each state that is looked for, of its tasks alone: an index of all would grow with what is long done.
_tasks_index("tasks_queued", in_state(TaskState.QUEUED), tasks.c.campaign, tasks.c.key, tasks.c.not_before)
_tasks_index("tasks_leased", in_state(TaskState.LEASED), tasks.c.lease_until)
_tasks_index("tasks_dead", in_state(TaskState.DEAD), tasks.c.campaign, tasks.c.key)
_tasks_index("tasks_backing_off", tasks.c.not_before.is_not(None), tasks.c.campaign, tasks.c.not_before)

task_order = Table(
    "task_order",
    metadata,
    Column("key", ForeignKey("tasks.key"), primary_key=True, autoincrement=False),
    Column("after_key", ForeignKey("tasks.key"), primary_key=True, autoincrement=False),
)
Index("task_order_by_predecessor", task_order.c.after_key)

marks = Table(
    "marks",
    metadata,
    Column("highest", BigInteger, nullable=False),  # in its only row: the latest mark given
)

runs = Table(
    "runs",
    metadata,
    _numbered(),
    Column("campaign_id", String, nullable=False),
    Column("task_id", String, nullable=False),
    Column("chunk", Integer, nullable=False),
    Column("enqueued_at", Moment, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("units", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("capacity", Float, nullable=False),
    Column("outcome", String, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    _numbered(),
    Column("campaign_id", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("chosen", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("model_version", String),
    Column("source", String),
    Column("value", Float),
    Column("processing_h", Float),
    Column("index", Float),
    Column("score", Float),
    Column("rank", Integer),
)

kpis = Table(
    "kpis",
    metadata,
    _numbered(),
    Column("campaign_id", String, nullable=False),
    Column("target_id", String),
    Column("at", Moment, nullable=False),
    Column("known_at", Moment, nullable=False),
    Column("metric", String, nullable=False),
    Column("value", Float, nullable=False),
)

Index("kpis_by_campaign", kpis.c.campaign_id, kpis.c.at)

signals = Table(
    "signals",
    metadata,
    _numbered(),
    Column("entity", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("known_at", Moment, nullable=False),
    Column("name", String, nullable=False),
    Column("value", Float, nullable=False),
    Column("source", String, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

locks = Table(
    "locks",
    metadata,
    Column("name", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("until", Moment, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("name", String, primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("until", Moment, nullable=False),
)
