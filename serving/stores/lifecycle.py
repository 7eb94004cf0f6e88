"""What happens to a task, the same in every store."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from serving.scheduling.work import Lease

SLOT = 1.0
"""Capacity a run takes: one slot of an executor."""


class TaskState(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"
    """It follows tasks that are not done."""
    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"


def run_of(
    lease: Lease, units: float, at: datetime, outcome: Literal["checkpoint", "done", "failed", "lost"]
) -> dict[str, Any]:
    """The log row of the chunk that a lease was working on, ended `at` a moment with `units` done."""
    return {
        "campaign_id": lease.task.campaign_id,
        "task_id": lease.task.task_id,
        "chunk": lease.chunk,
        "enqueued_at": lease.enqueued_at,
        "started_at": lease.chunk_from,
        "finished_at": at,
        "units": units,
        "attempts": lease.attempts + 1,
        "capacity": SLOT,
        "outcome": outcome,
    }


def why_lost(lease: Lease) -> str:
    """What a task dies of whose workers never report back."""
    return f"its worker was lost {lease.attempts + 1} times in this chunk without a report: it may be what ends them"
