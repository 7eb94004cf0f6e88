"""Leases on tasks, in a SQL database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from features.records import Task
from serving.errors import StaleLease
from serving.scheduling.states import State
from serving.scheduling.work import Completed, Failed, Lease, Outcome, Released
from serving.stores.database import OnDatabase
from serving.stores.lifecycle import TaskState, run_of, why_lost
from serving.stores.schema import campaigns, runs, tasks

_CLAIMABLE = (State.READY, State.RUNNING)
_CARRIED = ("key", "fence", "checkpoint", "units_done", "chunk", "attempts", "enqueued_at", "chunk_from")


class SqlQueue(OnDatabase):
    """Keeps the promises of `WorkQueue`."""

    def claim(self, campaign_ids: Sequence[str], slots: int, owner: str, at: datetime, until: datetime) -> list[Lease]:
        """Lease tasks down the campaigns; see `WorkQueue.claim`."""
        leases: list[Lease] = []
        with self._database.writing() as connection:
            for campaign_id in campaign_ids:
                if len(leases) == slots:
                    break
                rows = _oldest(connection, campaign_id, at, slots - len(leases))
                for row in rows:
                    fresh = {"fence": row["fence"] + 1, "chunk_from": at}
                    kept = {"state": TaskState.LEASED, "owner": owner, "lease_until": until, "not_before": None}
                    connection.execute(update(tasks).where(tasks.c.key == row["key"]).values(**fresh, **kept))
                    leases.append(_lease({**row, **fresh, "lease_until": until}))
                if rows:
                    _count(connection, campaign_id, queued=-len(rows), leased=len(rows), state=State.RUNNING)
        return leases

    def checkpoint(self, lease: Lease, state: Any, units_done: float, at: datetime, until: datetime) -> Lease:
        """Log a chunk and keep where the work goes on; see `WorkQueue.checkpoint`."""
        held = lease.advanced(state, units_done, at, until)
        kept = {name: getattr(held, name) for name in ("checkpoint", "units_done", "chunk", "attempts", "chunk_from")}
        done = held.units_done - lease.units_done
        with self._database.writing() as connection:
            _report(connection, lease, lease_until=until, **kept)
            connection.execute(insert(runs), run_of(lease, done, at, "checkpoint"))
            _count(connection, lease.task.campaign_id, units_done=done, chunks_done=1)
        return held

    def settle(self, lease: Lease, outcome: Outcome, at: datetime) -> None:
        """End a lease; see `WorkQueue.settle`."""
        own = lease.task.campaign_id
        with self._database.writing() as connection:
            match outcome:
                case Completed():
                    left = lease.task.units - lease.units_done
                    _report(connection, lease, state=TaskState.DONE, units_done=lease.task.units, ended_at=at)
                    connection.execute(insert(runs), run_of(lease, left, at, "done"))
                    opened = _open_successors(connection, own, at)
                    _count(
                        connection,
                        own,
                        leased=-1,
                        done=1,
                        queued=opened,
                        units_done=left,
                        chunks_done=int(left > 0),
                        worked_at=at,
                    )
                case Released(preempted):
                    _report(connection, lease, state=TaskState.QUEUED, enqueued_at=at)
                    _count(connection, own, leased=-1, queued=1, preemptions=int(preempted))
                case Failed(error, retry_at):
                    _failed(connection, lease, error, retry_at, at)
                    connection.execute(insert(runs), run_of(lease, 0, at, "failed"))

    def extend(self, leases: Sequence[Lease], until: datetime) -> list[Lease]:
        """Hold leases for longer; see `WorkQueue.extend`."""
        with self._database.writing() as connection:
            return [
                replace(lease, until=until) for lease in leases if _reported(connection, lease, {"lease_until": until})
            ]

    def recover(self, at: datetime, *, attempts: int, owner: str | None = None) -> int:
        """Requeue lost work at its checkpoints; see `WorkQueue.recover`."""
        lost = tasks.c.lease_until <= at if owner is None else tasks.c.owner == owner
        with self._database.writing() as connection:
            rows = connection.execute(
                select(tasks).where(tasks.c.state == TaskState.LEASED, lost).order_by(tasks.c.key)
            ).mappings()
            leases = [_lease(dict(row)) for row in rows]
            for lease in leases:
                dies = lease.attempts + 1 >= attempts
                _failed(connection, lease, why_lost(lease), None if dies else at, at)
                connection.execute(insert(runs), run_of(lease, 0, at, "lost"))
        return len(leases)


def _oldest(connection: Connection, campaign_id: str, at: datetime, limit: int) -> list[Mapping[str, Any]]:
    """The campaign's tasks that may run now, oldest first."""
    statement = (
        select(tasks)
        .join(campaigns, campaigns.c.campaign_id == tasks.c.campaign_id)
        .where(
            tasks.c.campaign_id == campaign_id,
            campaigns.c.state.in_(_CLAIMABLE),
            tasks.c.state == TaskState.QUEUED,
            or_(tasks.c.not_before.is_(None), tasks.c.not_before <= at),
        )
        .order_by(tasks.c.key)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def _lease(row: Mapping[str, Any]) -> Lease:
    task = Task(
        task_id=row["task_id"],
        campaign_id=row["campaign_id"],
        handler=row["handler"],
        units=row["units"],
        payload=row["payload"],
        after=tuple(row["after"]),
    )
    carried = {name: row[name] for name in _CARRIED}
    return Lease(lease_id=f"{row['key']}.{row['fence']}", task=task, until=row["lease_until"], **carried)


def _reported(connection: Connection, lease: Lease, changed: Mapping[str, Any]) -> bool:
    """Change the task of a lease, unless the lease is stale."""
    held = (tasks.c.key == lease.key) & (tasks.c.fence == lease.fence) & (tasks.c.state == TaskState.LEASED)
    return connection.execute(update(tasks).where(held).values(**changed)).rowcount == 1


def _report(connection: Connection, lease: Lease, **changed: Any) -> None:
    if not _reported(connection, lease, changed):
        raise StaleLease(lease.lease_id)


def _failed(connection: Connection, lease: Lease, error: str, retry_at: datetime | None, at: datetime) -> None:
    kept: dict[str, Any] = {"error": error, "attempts": lease.attempts + 1}
    if retry_at is None:
        _report(connection, lease, state=TaskState.DEAD, ended_at=at, **kept)
        _count(connection, lease.task.campaign_id, leased=-1, dead=1, worked_at=at)
    else:
        _report(connection, lease, state=TaskState.QUEUED, enqueued_at=at, not_before=retry_at, **kept)
        _count(connection, lease.task.campaign_id, leased=-1, queued=1)


def _open_successors(connection: Connection, campaign_id: str, at: datetime) -> int:
    """Queue the campaign's tasks that waited for nothing but tasks now done; return how many."""
    own = tasks.c.campaign_id == campaign_id
    waiting = connection.execute(
        select(tasks.c.key, tasks.c.after).where(own, tasks.c.state == TaskState.WAITING)
    ).all()
    if not waiting:
        return 0
    done = set(connection.scalars(select(tasks.c.task_id).where(own, tasks.c.state == TaskState.DONE)))
    keys = [key for key, after in waiting if done.issuperset(after)]
    connection.execute(update(tasks).where(tasks.c.key.in_(keys)).values(state=TaskState.QUEUED, enqueued_at=at))
    return len(keys)


def _count(connection: Connection, campaign_id: str, **changed: Any) -> None:
    """Add numbers to a campaign's counters, and set what is not a number."""
    values = {
        name: campaigns.c[name] + change if isinstance(change, int | float) else change
        for name, change in changed.items()
    }
    connection.execute(update(campaigns).where(campaigns.c.campaign_id == campaign_id).values(**values))
