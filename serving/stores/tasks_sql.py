"""A campaign's tasks in a SQL database: kept as they are submitted, and put back when they had died."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from features.records import Task
from serving.errors import BadInput
from serving.stores.batches import batches
from serving.stores.lifecycle import TaskState
from serving.stores.prepared import Prepared
from serving.stores.schema import campaigns, in_state, micros, task_order, tasks

_KEPT = Prepared(
    insert(tasks),
    sets=("campaign", "task_id", "handler", "payload", "units", "after", "state", "enqueued_at"),
)


def tasks_there(connection: Connection, campaign: Row[Any], asked: Sequence[Task]) -> dict[str, Task]:
    """Those tasks of a campaign that tasks to be added repeat or follow."""
    named = {name for task in asked for name in (task.task_id, *task.after)}
    found: dict[str, Task] = {}
    for names in batches(sorted(named)):
        columns = (tasks.c.task_id, tasks.c.handler, tasks.c.units, tasks.c.payload, tasks.c.after)
        chosen = (tasks.c.campaign == campaign.number) & tasks.c.task_id.in_(names)
        for row in connection.execute(select(*columns).where(chosen)).mappings():
            told = {**row, "after": tuple(row["after"])}
            found[row["task_id"]] = Task(campaign_id=campaign.campaign_id, **told)
    return found


def keep_tasks(
    connection: Connection, number: int, fresh: Sequence[Task], there: Mapping[str, Task], at: datetime, mark: int
) -> None:
    """Add tasks to a campaign; `there` holds those of its other tasks that they follow."""
    followed = {name for task in fresh for name in task.after}
    done = _keys(connection, number, followed & set(there), TaskState.DONE)
    now = micros(at)
    rows = []
    for task in fresh:
        waits = any(name not in done for name in task.after)
        rows.append(
            {
                "campaign": number,
                "task_id": task.task_id,
                "handler": task.handler,
                "payload": json.dumps(task.payload),
                "units": task.units,
                "after": json.dumps(task.after) if task.after else "[]",
                "state": (TaskState.WAITING if waits else TaskState.QUEUED).value,
                "enqueued_at": now,
            }
        )
    _KEPT.many(connection, rows)
    _keep_order(connection, number, [task for task in fresh if task.after])
    queued = sum(row["state"] == TaskState.QUEUED for row in rows)
    connection.execute(
        update(campaigns)
        .where(campaigns.c.number == number)
        .values(
            tasks=campaigns.c.tasks + len(rows),
            queued=campaigns.c.queued + queued,
            units=campaigns.c.units + sum(task.units for task in fresh),
            mark=mark,
        )
    )


def redriven(connection: Connection, campaign: Row[Any], task_ids: Collection[str] | None, at: datetime) -> int:
    """Queue dead letters again, and return how many.

    Raises
    ------
    BadInput
        When a task of these is no dead letter of the campaign.
    """
    own = (tasks.c.campaign == campaign.number) & in_state(TaskState.DEAD)
    dead = {name: key for key, name in connection.execute(select(tasks.c.key, tasks.c.task_id).where(own))}
    for name in task_ids or ():
        if name not in dead:
            raise BadInput("task_ids", name, f"must name dead letters of campaign {campaign.campaign_id!r}")
    keys = [dead[name] for name in (dead if task_ids is None else set(task_ids))]
    for some in batches(keys):
        fresh = {"state": TaskState.QUEUED, "enqueued_at": at, "attempts": 0, "error": None, "ended_at": None}
        connection.execute(update(tasks).where(tasks.c.key.in_(some)).values(**fresh))
    connection.execute(
        update(campaigns)
        .where(campaigns.c.number == campaign.number)
        .values(dead=campaigns.c.dead - len(keys), queued=campaigns.c.queued + len(keys))
    )
    return len(keys)


def _keep_order(connection: Connection, number: int, following: Sequence[Task]) -> None:
    """Keep which tasks follow which, by key."""
    keys = _keys(connection, number, {name for task in following for name in (task.task_id, *task.after)})
    rows = [
        {"key": keys[task.task_id], "after_key": keys[name]} for task in following for name in sorted(set(task.after))
    ]
    if rows:
        connection.execute(insert(task_order), rows)


def _keys(
    connection: Connection, number: int, names: Collection[str], state: TaskState | None = None
) -> dict[str, int]:
    """The keys of a campaign's tasks of these names, and in that state if one is given."""
    found: dict[str, int] = {}
    for some in batches(sorted(names)):
        chosen = (tasks.c.campaign == number) & tasks.c.task_id.in_(some)
        if state is not None:
            chosen &= tasks.c.state == state
        statement = select(tasks.c.task_id, tasks.c.key).where(chosen)
        found |= dict(connection.execute(statement).tuples().all())
    return found
