"""Leases on tasks, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from serving.scheduling.states import State
from serving.scheduling.work import Lease, Outcome, Reached, Want
from serving.stores.lifecycle import Held, TaskState, Turn, judged, loss_of
from serving.stores.memory_state import InMemory, KeptCampaign, KeptTask

_CLAIMABLE = (State.READY, State.RUNNING)


class MemoryQueue(InMemory):
    """Keeps the promises of `WorkQueue`."""

    def claim(self, wanted: Sequence[Want], owner: str, at: datetime, until: datetime) -> list[Lease]:
        """Lease tasks in the order wanted; see `WorkQueue.claim`."""
        leases: list[Lease] = []
        with self._memory.lock:
            self._memory.mark += 1
            for want in wanted:
                kept = self._memory.live.get(want.campaign_id)
                if kept is None or kept.state not in _CLAIMABLE or want.tasks <= 0:
                    continue
                keys = list(islice(kept.next_up(at), want.tasks))
                for key in keys:
                    task = self._memory.leased[key] = self._memory.tasks[key]
                    task.state, task.fence, task.owner, task.not_before = TaskState.LEASED, task.fence + 1, owner, None
                    task.chunk_from, task.until, task.one_chunk = at, until, want.one_chunk
                    leases.append(task.lease())
                if keys:
                    kept.queued -= len(keys)
                    kept.leased += len(keys)
                    kept.begun_at = kept.begun_at or at
                    self._memory.enter(kept, State.RUNNING)
        return leases

    def report(
        self, reports: Sequence[tuple[Lease, Reached | Outcome]], at: datetime, until: datetime
    ) -> list[Lease | None]:
        """Keep what became of leases; see `WorkQueue.report`."""
        with self._memory.lock:
            held = {
                lease.key: Held(task.fence, task.chunk)
                for lease, _ in reports
                if (task := self._memory.leased.get(lease.key)) is not None
            }
            turns, answers = judged(reports, held, lambda key: self._memory.tasks[key].lease(), at, until)
            self._keep(turns, at)
        return answers

    def extend(self, leases: Sequence[Lease], until: datetime) -> list[Lease]:
        """Hold leases for longer; see `WorkQueue.extend`."""
        with self._memory.lock:
            held = [lease for lease in leases if self._is_held(lease)]
            for lease in held:
                self._memory.leased[lease.key].until = until
        return [replace(lease, until=until) for lease in held]

    def recover(self, at: datetime, *, attempts: int, owner: str | None = None) -> int:
        """Requeue lost work at its checkpoints; see `WorkQueue.recover`."""
        with self._memory.lock:
            leased = self._memory.leased.values()
            lost = [t for t in leased if (t.owner == owner if owner is not None else t.until <= at)]
            self._keep([loss_of(t.lease(), attempts) for t in sorted(lost, key=lambda t: t.key)], at)
        return len(lost)

    def _is_held(self, lease: Lease) -> bool:
        task = self._memory.leased.get(lease.key)
        return task is not None and task.fence == lease.fence

    def _keep(self, turns: Iterable[Turn], at: datetime) -> None:
        """Change tasks and counters by what became of leases, and log the runs."""
        self._memory.mark += 1
        runs = []
        for turn in turns:
            own, key = turn.was.task.campaign_id, turn.was.key
            kept, task = self._memory.campaigns[own], self._memory.tasks[key]
            task.units_done, task.attempts, task.state = turn.now.units_done, turn.now.attempts, turn.state
            kept.units_done += turn.units
            kept.chunks_done += turn.ends_a_chunk
            kept.spent_s += turn.spent_s(at)
            if turn.logged is not None:
                runs.append(turn.run(at))
            if turn.state is TaskState.LEASED:
                task.checkpoint, task.chunk = turn.now.checkpoint, turn.now.chunk
                task.chunk_from, task.until = turn.now.chunk_from, turn.now.until
            else:
                del self._memory.leased[key]
                kept.leased -= 1
                kept.worked_at = at
                kept.preemptions += turn.preempted
                task.error = turn.error or task.error
                self._ended(kept, task, turn, at)
            self._memory.touch([own])
        self._memory.log("runs", runs)

    def _ended(self, kept: KeptCampaign, task: KeptTask, turn: Turn, at: datetime) -> None:
        """Put a task that is no longer leased where it belongs."""
        if turn.state is TaskState.QUEUED:
            kept.queue(task, at, turn.retry_at)
            kept.queued += 1
            return
        task.ended_at = at
        if turn.state is TaskState.DEAD:
            kept.dead += 1
            return
        kept.done += 1
        for successor in kept.successors.pop(task.task.task_id, ()):
            successor.waits_for.discard(task.task.task_id)
            if not successor.waits_for:
                kept.queue(successor, at)
                kept.queued += 1
