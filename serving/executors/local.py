"""Runs tasks in this process, as many at once as it has slots."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from serving.clock import Clock
from serving.errors import BadInput
from serving.executors.bell import Bell
from serving.executors.capacity import Capacity
from serving.executors.honesty import reached, told, traceable
from serving.executors.pace import Pace
from serving.executors.reports import Reports
from serving.executors.retry import Retry
from serving.handlers.contract import Context, GiveUp, RetryLater
from serving.handlers.python import Handlers
from serving.scheduling.ports import Running, WorkQueue
from serving.scheduling.work import Completed, Failed, Lease, Outcome, Reached, Released

log = logging.getLogger(__name__)

_BEATS_A_LEASE = 3
"""A lease survives two heartbeats that come late."""
_IDLE_S = 60.0
"""Seconds of the clock with less work after which slots above the least number are given up."""
_CLEANING_UP_S = 1.0
"""Wall-clock seconds that a handler cut off has to clean up after itself."""


@dataclass(slots=True, eq=False)
class _Held:
    """A lease in line (no `job`), on a slot, or `ended`: its outcome is told, but not yet stored."""

    lease: Lease
    since: datetime | None = None
    job: asyncio.Task[None] | None = None
    yielding: bool = False
    preempted: bool = False
    lost: bool = False
    ended: bool = False


class LocalExecutor:
    """Runs handlers in the event loop it is used from; what is more than its slots stands in line.

    A handler goes on past a checkpoint once that is stored under the lease's fence; a task that was asked to give way
    stops there. A handler that raises is tried again later or becomes a dead letter. Reports are stored many at a
    time (see `Reports`), but the slot of a task that ended is free for the next in line at once. Until its end is
    stored a lease is extended; one lost all the same stops its handler, whose further reports would be refused.

    Parameters
    ----------
    slots : tasks run at once, at most.
    least : slots it keeps without work for them, see `Capacity`; all of them by default.
    lease_s : seconds of the clock a lease is held without a sign of life.
    chance : for the spread of retries.
    changed : called when reports were stored; soon after, not at once, while slots find enough in line.
    """

    def __init__(
        self,
        store: WorkQueue,
        handlers: Handlers,
        clock: Clock,
        *,
        slots: int,
        lease_s: float,
        retry: Retry,
        chance: Random,
        changed: Callable[[], None],
        least: int | None = None,
    ) -> None:
        self._store, self._handlers, self._clock = store, handlers, clock
        self._lease, self._retry, self._chance = timedelta(seconds=lease_s), retry, chance
        self._capacity = Capacity(slots if least is None else least, slots, idle_s=_IDLE_S)
        self._bell, self._pace = Bell(clock, changed), Pace()
        self._reports = Reports(store, clock, self._lease, self._stored)
        self._line: OrderedDict[str, _Held] = OrderedDict()
        self._busy: dict[str, _Held] = {}
        self._held: dict[str, _Held] = {}
        self._handed_out = 0
        self._heart: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def slots(self) -> int:
        """How many tasks it can run at once."""
        return self._capacity.slots

    def running(self) -> list[Running]:
        """The tasks on its slots now, those whose end is not stored yet among them, then those in line."""
        return [Running(held.lease, held.since, held.yielding or held.ended) for held in self._held.values()]

    def pace_s(self, campaign_id: str) -> float | None:
        """Mean seconds a task lately held a slot, up to its end or to where it gave way; None while none was seen."""
        return self._pace.mean_s(campaign_id)

    def fit(self, tasks: int) -> None:
        """Make as many slots as tasks could run now, within the bounds: more at once, fewer after a while."""
        self._capacity.fit(tasks, self._clock.now())
        self._begin()

    def start(self, leases: Sequence[Lease]) -> None:
        """Begin or resume leased tasks, in order, as slots are free; see `Executor.start`."""
        for lease in leases:
            if lease.lease_id not in self._held:
                self._held[lease.lease_id] = self._line[lease.lease_id] = _Held(lease)
        self._handed_out = len(self._line)
        if self._stopping:
            self._release_line()
            self._reports.flush()
        elif self._line:
            self.fit(len(self._busy) + len(self._line))
            if self._heart is None or self._heart.done():
                self._heart = asyncio.create_task(self._beat())

    def give_way(self, lease_id: str, *, preempted: bool) -> None:
        """Ask a task to stop at its next checkpoint; see `Executor.give_way`.

        One that has not begun loses nothing by it, and is not counted as preempted.
        """
        held = self._held.get(lease_id)
        if held is None or held.yielding or held.ended:
            return
        if held.since is None:
            del self._line[lease_id]
            self._end(held, Released(preempted=False))
        else:
            held.yielding, held.preempted = True, preempted

    async def stop(self, grace_s: float) -> None:
        """Ask all to give way and settle every lease; see `Executor.stop`.

        A store that fails is asked again for `grace_s` seconds more, at least one; leases it did not settle run out.
        """
        self._stopping = True
        self._release_line()
        for lease_id in self._busy:
            self.give_way(lease_id, preempted=False)
        await self._ended(grace_s)
        for held in self._busy.values():
            if held.job is not None:
                held.job.cancel()
        await self._ended(_CLEANING_UP_S)
        self._reports.flush()
        for held in list(self._busy.values()):
            self._end(held, Released(preempted=False))
        try:
            await asyncio.wait_for(self._reports.drained(), max(grace_s, _CLEANING_UP_S))
        except TimeoutError:
            log.warning("stopped_unsettled", extra={"leases": len(self._held)})
        self._bell.stop()
        if self._heart is not None:
            self._heart.cancel()

    async def _ended(self, within_s: float) -> None:
        """Wait until the handlers that hold a slot have ended."""
        jobs = [held.job for held in self._busy.values() if held.job is not None]
        if jobs:
            await asyncio.wait(jobs, timeout=within_s)

    def _begin(self) -> None:
        """Give free slots to the first in line."""
        while self._line and len(self._busy) < self._capacity.slots:
            _, held = self._line.popitem(last=False)
            held.since = self._clock.now()
            self._busy[held.lease.lease_id] = held
            held.job = asyncio.get_running_loop().create_task(self._carry_out(held))

    def _release_line(self) -> None:
        while self._line:
            self._end(self._line.popitem(last=False)[1], Released(preempted=False))

    async def _carry_out(self, held: _Held) -> None:
        try:
            outcome = await self._worked(held)
        except asyncio.CancelledError as error:
            job = asyncio.current_task()
            if job is not None and job.cancelling():
                if held.lost:
                    self._drop(held)
                raise
            outcome = self._failed(held.lease, error)  # nobody here cancelled it: its handler raised that itself
        if outcome is None:
            self._drop(held)
        else:
            self._end(held, outcome)

    async def _worked(self, held: _Held) -> Outcome | None:
        """Run the handler to its end or to the checkpoint at which it is to stop; None when the lease is lost."""
        task = held.lease.task
        context = Context(self._clock, task, held.lease.chunk, held.lease.units_done)
        try:
            steps = self._handlers.named(task.handler).steps(task, held.lease.checkpoint, context)
            async with aclosing(steps):
                async for step in steps:
                    lease = await self._kept(held, reached(step, held.lease))
                    if lease is None:
                        return None
                    if held.yielding:
                        return Released(held.preempted)
                    if lease.one_chunk and lease.units_done < task.units:
                        return Released(preempted=False)
                    context.chunk, context.units_done = lease.chunk, lease.units_done
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a handler is somebody else's code: what it raises is its failure
            return self._failed(held.lease, error)
        return Completed()

    async def _kept(self, held: _Held, checkpoint: Reached) -> Lease | None:
        """The lease once its checkpoint is stored; None when it is lost."""
        stored: asyncio.Future[Lease | None] = asyncio.get_running_loop().create_future()

        def kept(lease: Lease | None) -> None:
            held.lease = lease or held.lease
            if not stored.done():
                stored.set_result(lease)

        def refused(error: Exception) -> None:
            if not stored.done():
                stored.set_exception(error)

        self._reports.add(held.lease, checkpoint, kept, refused)
        return await stored

    def _failed(self, lease: Lease, error: BaseException) -> Failed:
        at = self._clock.now()
        match error:
            case GiveUp() | BadInput():
                failed = Failed(told(error), None)
            case RetryLater():
                failed = Failed(told(error), self._retry.asked_at(error.after_s, at, self._chance), counts=False)
            case _:
                failed = Failed(told(error), self._retry.again_at(lease.attempts, at, self._chance))
        fields = {"campaign_id": lease.task.campaign_id, "task_id": lease.task.task_id, "error": failed.error}
        if not failed.counts:
            log.info("task_told_to_wait", extra=fields)
        else:
            log.warning("task_failed" if failed.retry_at else "task_died", extra=fields, exc_info=traceable(error))
        return failed

    def _end(self, held: _Held, outcome: Outcome) -> None:
        """Report how a lease ends, once, and let the next in line have its slot."""
        if held.ended:
            return
        held.ended = True
        lease = held.lease
        if self._busy.pop(lease.lease_id, None) and held.since and not isinstance(outcome, Failed):
            self._pace.took(lease.task.campaign_id, (self._clock.now() - held.since).total_seconds())

        def over(lease_then: Lease | None) -> None:
            self._held.pop(lease.lease_id, None)
            if lease_then is None:
                log.warning("lease_lost", extra={"lease_id": lease.lease_id})

        self._reports.add(lease, outcome, over, lambda _error: over(None))
        self._begin()

    def _stored(self) -> None:
        """Tell that reports were stored: at once when the line is half done, as a look could lengthen it then."""
        is_short = len(self._line) <= max(self._handed_out // 2, self._capacity.slots)
        (self._bell.ring if is_short else self._bell.ring_soon)()

    def _drop(self, held: _Held) -> None:
        """Forget a lease that is somebody else's by now."""
        lease_id, held.ended = held.lease.lease_id, True
        self._busy.pop(lease_id, None)
        self._held.pop(lease_id, None)
        log.warning("lease_lost", extra={"lease_id": lease_id})
        self._begin()
        self._bell.ring()

    async def _beat(self) -> None:
        """Extend the leases of what is held, as long as anything is; stop what lost its lease."""
        while self._held:
            await self._clock.sleep(self._lease.total_seconds() / _BEATS_A_LEASE)
            helds, until = list(self._held.values()), self._clock.now() + self._lease
            try:
                kept = {lease.lease_id for lease in self._store.extend([held.lease for held in helds], until)}
            except Exception:
                log.exception("heartbeat_failed", extra={"leases": len(helds)})
                continue
            for held in helds:
                if held.lease.lease_id in kept:
                    held.lease = replace(held.lease, until=until)
                elif held.since is None and not held.ended:
                    del self._line[held.lease.lease_id]
                    self._drop(held)
                elif held.job is not None and not held.ended:
                    held.lost = True
                    held.job.cancel()
