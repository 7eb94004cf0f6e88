"""What happens to a task, the same in every store: what a report makes of it, and what there is to log and count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from serving.scheduling.work import Completed, Failed, Lease, Outcome, Reached, Released

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


@dataclass(frozen=True, slots=True)
class Turn:
    """What a report makes of a task.

    Attributes
    ----------
    was, now : the lease before, and as it is then.
    state : of the task then; still leased after a checkpoint.
    logged : how the run is logged; None for a task given back between two chunks.
    retry_at : when a queued task may run again, None for at once.
    """

    was: Lease
    now: Lease
    state: TaskState
    logged: Literal["checkpoint", "done", "failed", "lost"] | None
    preempted: bool = False
    error: str | None = None
    retry_at: datetime | None = None

    @property
    def units(self) -> float:
        """Units done since the checkpoint before."""
        return self.now.units_done - self.was.units_done

    @property
    def ends_a_chunk(self) -> bool:
        """Whether a chunk was done; a last one that had nothing left to do is none."""
        return self.state is TaskState.LEASED or (self.state is TaskState.DONE and self.units > 0)

    def spent_s(self, at: datetime) -> float:
        """Slot-seconds of the run that is logged of it, ended `at` a moment; 0 where none is."""
        return 0.0 if self.logged is None else SLOT * (at - self.was.chunk_from).total_seconds()

    def run(self, at: datetime) -> dict[str, Any]:
        """The log row of the chunk that the lease was working on, ended `at` a moment."""
        was = self.was
        return {
            "campaign_id": was.task.campaign_id,
            "task_id": was.task.task_id,
            "chunk": was.chunk,
            "enqueued_at": was.enqueued_at,
            "started_at": was.chunk_from,
            "finished_at": at,
            "units": self.units,
            "attempts": was.attempts + 1,
            "capacity": SLOT,
            "outcome": self.logged,
        }


def turn_of(lease: Lease, report: Reached | Outcome, at: datetime, until: datetime) -> Turn:
    """What a report on a lease that is not stale makes of its task.

    Raises
    ------
    TypeError
        When JSON cannot hold a checkpoint's state.
    """
    match report:
        case Reached(state, units_done):
            return Turn(lease, lease.advanced(state, units_done, at, until), TaskState.LEASED, "checkpoint")
        case Completed():
            return Turn(lease, replace(lease, units_done=lease.task.units), TaskState.DONE, "done")
        case Released(preempted):
            return Turn(lease, lease, TaskState.QUEUED, None, preempted)
        case Failed(error, retry_at, counts):
            state = TaskState.DEAD if retry_at is None else TaskState.QUEUED
            return Turn(lease, _failed(lease) if counts else lease, state, "failed", error=error, retry_at=retry_at)


def loss_of(lease: Lease, attempts: int) -> Turn:
    """What becomes of a task whose worker never reported back: queued again, or dead at so many attempts."""
    failed = _failed(lease)
    state = TaskState.DEAD if failed.attempts >= attempts else TaskState.QUEUED
    error = f"its worker was lost {failed.attempts} times in this chunk without a report: it may be what ends them"
    return Turn(lease, failed, state, "lost", error=error)


def _failed(lease: Lease) -> Lease:
    return replace(lease, attempts=lease.attempts + 1)


def parts_of(lease_id: str) -> tuple[int, int]:
    """The key and the fence of a lease; such as nobody has for what is no name of a lease.

    >>> parts_of("12.3"), parts_of("what?")
    ((12, 3), (-1, -1))
    """
    key, _, fence = lease_id.partition(".")
    return (int(key), int(fence)) if key.isdecimal() and fence.isdecimal() else (-1, -1)


class Held(NamedTuple):
    """What a store knows of a leased task, to tell stale leases by."""

    fence: int
    chunk: int


def judged(
    reports: Iterable[tuple[Lease, Reached | Outcome]],
    held: MutableMapping[int, Held],
    stored: Callable[[int], Lease],
    at: datetime,
    until: datetime,
) -> tuple[list[Turn], list[Lease | None]]:
    """The turns that take place, and the answer to each report: the lease as it is then, None if it was stale.

    A checkpoint that was stored already, told again by a message that came twice, changes nothing.

    Parameters
    ----------
    held : leased tasks by key; brought up to date on the way.
    stored : the lease of a task as the store has it.
    """
    turns: list[Turn] = []
    answers: list[Lease | None] = []
    latest: dict[int, Lease] = {}
    for told, report in reports:
        key, lease = told.key, told
        known = held.get(key)
        if known is None or known.fence != lease.fence:
            answers.append(None)
            continue
        if known.chunk != lease.chunk:
            lease = latest.get(key) or stored(key)
            if isinstance(report, Reached):
                answers.append(lease)
                continue
        turn = turn_of(lease, report, at, until)
        turns.append(turn)
        answers.append(turn.now)
        latest[key] = turn.now
        if turn.state is TaskState.LEASED:
            held[key] = Held(known.fence, turn.now.chunk)
        else:
            del held[key]
    return turns, answers


@dataclass(slots=True)
class Tally:
    """How a campaign's counters change, summed up over the turns of its tasks."""

    units_done: float = 0.0
    chunks_done: int = 0
    spent_s: float = 0.0
    queued: int = 0
    leased: int = 0
    done: int = 0
    dead: int = 0
    preemptions: int = 0

    @property
    def ended(self) -> bool:
        """Whether a lease ended."""
        return self.leased < 0

    def add(self, turn: Turn, at: datetime) -> None:
        """Count one turn, made `at` a moment."""
        self.units_done += turn.units
        self.chunks_done += turn.ends_a_chunk
        self.spent_s += turn.spent_s(at)
        self.leased -= turn.state is not TaskState.LEASED
        self.queued += turn.state is TaskState.QUEUED
        self.done += turn.state is TaskState.DONE
        self.dead += turn.state is TaskState.DEAD
        self.preemptions += turn.preempted
