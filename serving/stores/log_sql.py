"""The log and the notes, in a SQL database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from features.records import Kpi, Metric, Signal
from serving.scheduling.ports import LogTable
from serving.scheduling.work import DeadLetter, Decision
from serving.stores import schema
from serving.stores.batches import batches
from serving.stores.database import OnDatabase
from serving.stores.lifecycle import TaskState
from serving.stores.records import row_of
from serving.stores.schema import in_state

_LOGS = {"decisions": schema.decisions, "kpis": schema.kpis, "signals": schema.signals, "runs": schema.runs}


class SqlLog(OnDatabase):
    """Keeps the promises of `Log` and `Notes`."""

    def decided(self, decisions: Sequence[Decision]) -> None:
        """Add decisions."""
        if decisions:
            with self._database.writing() as connection:
                connection.execute(insert(schema.decisions), [row_of(decision) for decision in decisions])

    def observed(self, kpis: Sequence[Kpi] = (), signals: Sequence[Signal] = ()) -> int:
        """Add results and signals, a result once; see `Log.observed`."""
        with self._database.writing() as connection:
            fresh = _fresh(connection, kpis)
            for table, records in ((schema.kpis, fresh), (schema.signals, signals)):
                if records:
                    connection.execute(insert(table), [row_of(record) for record in records])
        return len(fresh) + len(signals)

    def rows(self, table: LogTable, since: int = 0) -> list[dict[str, Any]]:
        """Rows of a log table; see `Log.rows`."""
        log = _LOGS[table]
        with self._database.reading() as connection:
            rows = connection.execute(select(log).where(log.c.id > since).order_by(log.c.id)).mappings()
            return [dict(row) for row in rows]

    def dead_letters(self) -> list[DeadLetter]:
        """Tasks that failed for good; see `Log.dead_letters`."""
        task, own = schema.tasks.c, schema.campaigns.c
        columns = (own.campaign_id, task.task_id, task.error, task.attempts, task.ended_at.label("died_at"))
        statement = select(*columns).join_from(schema.tasks, schema.campaigns).where(in_state(TaskState.DEAD))
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(task.ended_at, task.key)).mappings()
            return [DeadLetter(**row) for row in rows]

    def remember(self, key: str, value: str) -> str:
        """Store a note unless there is one; see `Notes.remember`."""
        with self._database.writing() as connection:
            there = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == key))
            if there is None:
                connection.execute(insert(schema.meta).values(key=key, value=value))
            return value if there is None else there

    def hold(self, name: str, owner: str, at: datetime, until: datetime) -> bool:
        """Take or keep a lock; see `Notes.hold`."""
        lock = schema.locks
        free = or_(lock.c.owner == owner, lock.c.until <= at)
        with self._database.writing() as connection:
            if connection.execute(
                update(lock).where(lock.c.name == name, free).values(owner=owner, until=until)
            ).rowcount:
                return True
            if connection.scalar(select(lock.c.owner).where(lock.c.name == name)) is not None:
                return False
            connection.execute(insert(lock).values(name=name, owner=owner, until=until))
            return True

    def holder(self, name: str, at: datetime) -> str | None:
        """Who holds a lock; see `Notes.holder`."""
        lock = schema.locks.c
        with self._database.reading() as connection:
            owner: str | None = connection.scalar(select(lock.owner).where(lock.name == name, lock.until > at))
        return owner


def _fresh(connection: Connection, kpis: Sequence[Kpi]) -> list[Kpi]:
    """The results that are not there yet, each once."""
    moments = [kpi.at for kpi in kpis]
    there: set[Kpi] = set()
    for campaign_ids in batches({kpi.campaign_id for kpi in kpis}):
        of_theirs = schema.kpis.c.campaign_id.in_(campaign_ids)
        around = schema.kpis.c.at.between(min(moments), max(moments))
        rows = connection.execute(select(*_RESULT).where(of_theirs, around)).mappings()
        there |= {Kpi(**{**row, "metric": Metric(row["metric"])}) for row in rows}
    return [kpi for kpi in dict.fromkeys(kpis) if kpi not in there]


_RESULT = [schema.kpis.c[field.name] for field in fields(Kpi)]
