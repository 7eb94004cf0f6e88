"""Leases on tasks, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import RLock
from typing import Any

from features.records import Task
from serving.errors import StaleLease
from serving.scheduling.ports import LogTable
from serving.scheduling.states import State
from serving.scheduling.work import Completed, Failed, Lease, Outcome, Progress, Released, Standing
from serving.stores.lifecycle import TaskState, run_of, why_lost


@dataclass(frozen=True, kw_only=True)
class KeptTask:
    """A task and where it stands; `chunk_from`, `owner` and `until` speak of its latest lease."""

    key: int
    task: Task
    state: TaskState
    enqueued_at: datetime
    chunk_from: datetime
    until: datetime
    checkpoint: Any = None
    units_done: float = 0.0
    chunk: int = 0
    chunks_done: int = 0
    attempts: int = 0
    not_before: datetime | None = None
    fence: int = 0
    owner: str | None = None
    error: str | None = None
    ended_at: datetime | None = None

    def lease(self) -> Lease:
        """The lease that its holder has."""
        return Lease(
            lease_id=f"{self.key}.{self.fence}",
            key=self.key,
            fence=self.fence,
            task=self.task,
            checkpoint=self.checkpoint,
            units_done=self.units_done,
            chunk=self.chunk,
            attempts=self.attempts,
            enqueued_at=self.enqueued_at,
            chunk_from=self.chunk_from,
            until=self.until,
        )


@dataclass
class Memory:
    """What a store in memory holds; `content` are the fingerprints of what was first submitted."""

    standings: dict[str, Standing] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, dict[str, KeptTask]] = field(default_factory=dict)
    logs: dict[LogTable, list[dict[str, Any]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    locks: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    keys: int = 0
    lock: RLock = field(default_factory=RLock)

    def log(self, table: LogTable, rows: Iterable[dict[str, Any]]) -> None:
        """Add rows, numbered from 1."""
        kept = self.logs.setdefault(table, [])
        kept.extend({"id": len(kept) + at, **row} for at, row in enumerate(rows, start=1))

    def progress(self, campaign_id: str) -> Progress:
        """Where a campaign's work is."""
        kept = self.tasks[campaign_id].values()
        states = [task.state for task in kept]
        return Progress(
            units=sum(task.task.units for task in kept),
            units_done=sum(task.units_done for task in kept),
            chunks_done=sum(task.chunks_done for task in kept),
            tasks=len(states),
            queued=states.count(TaskState.QUEUED),
            leased=states.count(TaskState.LEASED),
            done=states.count(TaskState.DONE),
            dead=states.count(TaskState.DEAD),
        )


class InMemory:
    """A part of the store; all parts share one memory.

    Each method takes the lock, and checks all it must before it changes anything.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory


class MemoryQueue(InMemory):
    """Keeps the promises of `WorkQueue`."""

    def claim(self, campaign_ids: Sequence[str], slots: int, owner: str, at: datetime, until: datetime) -> list[Lease]:
        """Lease tasks down the campaigns; see `WorkQueue.claim`."""
        leases: list[Lease] = []
        with self._memory.lock:
            for campaign_id in campaign_ids:
                standing = self._memory.standings[campaign_id]
                if standing.state not in (State.READY, State.RUNNING):
                    continue
                kept = self._memory.tasks[campaign_id].values()
                claimable = [
                    task
                    for task in kept
                    if task.state is TaskState.QUEUED and (task.not_before is None or task.not_before <= at)
                ]
                for task in claimable[: slots - len(leases)]:
                    leased = replace(
                        task,
                        state=TaskState.LEASED,
                        fence=task.fence + 1,
                        owner=owner,
                        until=until,
                        chunk_from=at,
                        not_before=None,
                    )
                    self._keep(leased)
                    leases.append(leased.lease())
                    self._memory.standings[campaign_id] = replace(standing, state=State.RUNNING)
        return leases

    def checkpoint(self, lease: Lease, state: Any, units_done: float, at: datetime, until: datetime) -> Lease:
        """Log a chunk and keep where the work goes on; see `WorkQueue.checkpoint`."""
        held = lease.advanced(state, units_done, at, until)
        with self._memory.lock:
            task = self._held(lease)
            kept = {
                name: getattr(held, name) for name in ("checkpoint", "units_done", "chunk", "attempts", "chunk_from")
            }
            self._keep(replace(task, until=until, chunks_done=task.chunks_done + 1, **kept))
            self._memory.log("runs", [run_of(lease, held.units_done - lease.units_done, at, "checkpoint")])
        return held

    def settle(self, lease: Lease, outcome: Outcome, at: datetime) -> None:
        """End a lease; see `WorkQueue.settle`."""
        own = lease.task.campaign_id
        with self._memory.lock:
            task = self._held(lease)
            match outcome:
                case Completed():
                    left = task.task.units - task.units_done
                    chunks = task.chunks_done + int(left > 0)
                    done = replace(
                        task, state=TaskState.DONE, units_done=task.task.units, chunks_done=chunks, ended_at=at
                    )
                    self._keep(done)
                    self._memory.log("runs", [run_of(lease, left, at, "done")])
                    self._open_successors(own, at)
                    self._memory.standings[own] = replace(self._memory.standings[own], worked_at=at)
                case Released(preempted):
                    self._keep(replace(task, state=TaskState.QUEUED, enqueued_at=at))
                    standing = self._memory.standings[own]
                    count = standing.preemptions + int(preempted)
                    self._memory.standings[own] = replace(standing, preemptions=count)
                case Failed(error, retry_at):
                    self._fail(task, error, retry_at, at)
                    self._memory.log("runs", [run_of(lease, 0, at, "failed")])

    def extend(self, leases: Sequence[Lease], until: datetime) -> list[Lease]:
        """Hold leases for longer; see `WorkQueue.extend`."""
        with self._memory.lock:
            tasks = [self._held(lease) for lease in leases if self._is_held(lease)]
            for task in tasks:
                self._keep(replace(task, until=until))
        return [replace(task, until=until).lease() for task in tasks]

    def recover(self, at: datetime, *, attempts: int, owner: str | None = None) -> int:
        """Requeue lost work at its checkpoints; see `WorkQueue.recover`."""
        with self._memory.lock:
            leased = [
                task for kept in self._memory.tasks.values() for task in kept.values() if task.state is TaskState.LEASED
            ]
            lost = [t for t in leased if (t.owner == owner if owner is not None else t.until <= at)]
            for task in lost:
                lease = task.lease()
                self._fail(task, why_lost(lease), None if task.attempts + 1 >= attempts else at, at)
                self._memory.log("runs", [run_of(lease, 0, at, "lost")])
        return len(lost)

    def _keep(self, task: KeptTask) -> None:
        self._memory.tasks[task.task.campaign_id][task.task.task_id] = task

    def _is_held(self, lease: Lease) -> bool:
        task = self._memory.tasks[lease.task.campaign_id][lease.task.task_id]
        return task.state is TaskState.LEASED and task.fence == lease.fence

    def _held(self, lease: Lease) -> KeptTask:
        if not self._is_held(lease):
            raise StaleLease(lease.lease_id)
        return self._memory.tasks[lease.task.campaign_id][lease.task.task_id]

    def _fail(self, task: KeptTask, error: str, retry_at: datetime | None, at: datetime) -> None:
        failed = replace(task, error=error, attempts=task.attempts + 1)
        if retry_at is None:
            self._keep(replace(failed, state=TaskState.DEAD, ended_at=at))
            own = task.task.campaign_id
            self._memory.standings[own] = replace(self._memory.standings[own], worked_at=at)
        else:
            self._keep(replace(failed, state=TaskState.QUEUED, enqueued_at=at, not_before=retry_at))

    def _open_successors(self, campaign_id: str, at: datetime) -> None:
        kept = self._memory.tasks[campaign_id]
        done = {name for name, task in kept.items() if task.state is TaskState.DONE}
        for task in list(kept.values()):
            if task.state is TaskState.WAITING and done.issuperset(task.task.after):
                self._keep(replace(task, state=TaskState.QUEUED, enqueued_at=at))
