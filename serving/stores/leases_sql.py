"""Leases as the rows of a SQL database hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from features.records import Task
from serving.scheduling.work import Lease
from serving.stores.lifecycle import Held, TaskState
from serving.stores.prepared import Prepared
from serving.stores.schema import campaigns, in_state, moment, tasks

KEPT = tuple(
    tasks.c[name]
    for name in (
        *("key", "task_id", "handler", "units", "payload", "after"),
        *("checkpoint", "units_done", "chunk", "attempts", "enqueued_at", "fence"),
    )
)
"""What a lease takes from its task's row, in the order in which `lease_of` reads it."""

_LEASED = Prepared(
    select(campaigns.c.campaign_id, tasks.c.chunk_from, tasks.c.lease_until, tasks.c.one_chunk, *KEPT)
    .join_from(tasks, campaigns)
    .where(tasks.c.key == bindparam("own"))
)
_HELD = Prepared(
    select(tasks.c.key, tasks.c.fence, tasks.c.chunk, tasks.c.campaign).where(
        tasks.c.key == bindparam("own"), in_state(TaskState.LEASED)
    )
)


def lease_of(
    campaign_id: str, kept: Iterable[Any], chunk_from: datetime, until: datetime, *, one_chunk: bool, newer: int = 0
) -> Lease:
    """The lease of a task, from the columns `KEPT` as the driver gives them; its fence is raised by `newer`."""
    key, task_id, handler, units, payload, after, checkpoint, units_done, chunk, attempts, enqueued_at, fence = kept
    task = Task(
        task_id=task_id,
        campaign_id=campaign_id,
        handler=handler,
        units=units,
        payload={} if payload == "{}" else json.loads(payload),
        after=() if after == "[]" else tuple(json.loads(after)),
    )
    return Lease(
        lease_id=f"{key}.{fence + newer}",
        key=key,
        fence=fence + newer,
        task=task,
        checkpoint=None if checkpoint is None else json.loads(checkpoint),
        units_done=units_done,
        chunk=chunk,
        attempts=attempts,
        enqueued_at=moment(enqueued_at),
        chunk_from=chunk_from,
        until=until,
        one_chunk=one_chunk,
    )


def stored_leases(connection: Connection, keys: Iterable[int]) -> list[Lease]:
    """The leases of leased tasks, in the order of their keys."""
    found = _LEASED.each(connection, [{"own": key} for key in keys])
    leases = [
        lease_of(campaign_id, kept, moment(chunk_from), moment(until), one_chunk=bool(one_chunk))
        for campaign_id, chunk_from, until, one_chunk, *kept in found
    ]
    return sorted(leases, key=lambda lease: lease.key)


def held_of(connection: Connection, leases: Iterable[Lease]) -> tuple[dict[int, Held], dict[int, int]]:
    """Which of these tasks are leased now, by key, and the numbers of their campaigns."""
    held: dict[int, Held] = {}
    numbers: dict[int, int] = {}
    for key, fence, chunk, number in _HELD.each(connection, [{"own": key} for key in {lease.key for lease in leases}]):
        held[key], numbers[key] = Held(fence, chunk), number
    return held, numbers
