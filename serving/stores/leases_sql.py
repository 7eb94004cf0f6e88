"""Leases as the rows of a SQL database hold them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Row, select

from features.records import Task
from serving.scheduling.work import Lease
from serving.stores.batches import batches
from serving.stores.lifecycle import Held, TaskState
from serving.stores.schema import campaigns, in_state, tasks

_CARRIED = ("key", "fence", "checkpoint", "units_done", "chunk", "attempts", "enqueued_at", "chunk_from", "one_chunk")
_ASKED = ("task_id", "handler", "units", "payload", "after", "lease_until")
_LEASE = select(*(tasks.c[name] for name in (*_CARRIED, *_ASKED)), campaigns.c.campaign_id).join_from(tasks, campaigns)


def leases_of(connection: Connection, keys: Collection[int]) -> list[Lease]:
    """The leases of leased tasks, in the order of the keys."""
    found: dict[int, Lease] = {}
    for some in batches(keys):
        found |= {row.key: _lease(row) for row in connection.execute(_LEASE.where(tasks.c.key.in_(some)))}
    return [found[key] for key in keys]


def held_of(connection: Connection, leases: Iterable[Lease]) -> tuple[dict[int, Held], dict[int, int]]:
    """Which of these tasks are leased now, by key, and the numbers of their campaigns."""
    columns = (tasks.c.key, tasks.c.fence, tasks.c.chunk, tasks.c.campaign)
    held: dict[int, Held] = {}
    numbers: dict[int, int] = {}
    for keys in batches({lease.key for lease in leases}):
        leased = select(*columns).where(tasks.c.key.in_(keys), in_state(TaskState.LEASED))
        for key, fence, chunk, number in connection.execute(leased):
            held[key], numbers[key] = Held(fence, chunk), number
    return held, numbers


def _lease(row: Row[Any]) -> Lease:
    task = Task(
        task_id=row.task_id,
        campaign_id=row.campaign_id,
        handler=row.handler,
        units=row.units,
        payload=row.payload,
        after=tuple(row.after),
    )
    carried = {name: getattr(row, name) for name in _CARRIED}
    return Lease(lease_id=f"{row.key}.{row.fence}", task=task, until=row.lease_until, **carried)
