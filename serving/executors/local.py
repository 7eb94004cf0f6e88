"""Runs tasks in this process, as many at once as it has slots."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from serving.clock import Clock
from serving.errors import StaleLease
from serving.executors.retry import Retry
from serving.handlers.python import Context, Handlers
from serving.scheduling.ports import Running, WorkQueue
from serving.scheduling.work import Completed, Failed, Lease, Outcome, Released

log = logging.getLogger(__name__)

_BEATS_A_LEASE = 3
"""A lease survives two heartbeats that come late."""


@dataclass
class _Slot:
    lease: Lease
    since: datetime
    job: asyncio.Task[None] | None = None
    yielding: bool = False
    preempted: bool = False


class LocalExecutor:
    """Runs handlers in the event loop it is used from; each lease is settled exactly as its handler ends.

    At every checkpoint the progress is stored under the lease's fence, and a task that was asked to give way
    stops there. A handler that raises is tried again later or becomes a dead letter. While a handler runs, its
    lease is extended; a lease lost all the same stops its handler, whose further reports would be refused.

    Parameters
    ----------
    slots : tasks run at once.
    lease_s : seconds of the clock a lease is held without a sign of life.
    chance : for the spread of retries.
    changed : called after every checkpoint and every end.
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
    ) -> None:
        self._store, self._handlers, self._clock = store, handlers, clock
        self._slots, self._lease = slots, timedelta(seconds=lease_s)
        self._retry, self._chance, self._changed = retry, chance, changed
        self._busy: dict[str, _Slot] = {}
        self._heart: asyncio.Task[None] | None = None

    @property
    def slots(self) -> int:
        """How many tasks it can run at once."""
        return self._slots

    def running(self) -> list[Running]:
        """The tasks on its slots now."""
        return [Running(slot.lease, slot.since, slot.yielding) for slot in self._busy.values()]

    def start(self, lease: Lease) -> None:
        """Begin or resume a leased task; see `Executor.start`."""
        if lease.lease_id in self._busy:
            return
        if len(self._busy) >= self._slots:
            raise ValueError(f"lease {lease.lease_id!r} cannot start: all {self._slots} slots are busy")
        slot = _Slot(lease, self._clock.now())
        self._busy[lease.lease_id] = slot
        slot.job = asyncio.create_task(self._carry_out(slot))
        if self._heart is None or self._heart.done():
            self._heart = asyncio.create_task(self._beat())

    def give_way(self, lease_id: str, *, preempted: bool) -> None:
        """Ask a task to stop at its next checkpoint; see `Executor.give_way`."""
        slot = self._busy.get(lease_id)
        if slot is not None and not slot.yielding:
            slot.yielding, slot.preempted = True, preempted

    async def stop(self, grace_s: float) -> None:
        """Ask all to give way and settle every lease; see `Executor.stop`."""
        for lease_id in self._busy:
            self.give_way(lease_id, preempted=False)
        jobs = [slot.job for slot in self._busy.values() if slot.job is not None]
        if jobs:
            await asyncio.wait(jobs, timeout=grace_s)
        for slot in list(self._busy.values()):
            if slot.job is not None:
                slot.job.cancel()
                await asyncio.wait([slot.job])
            self._settle(slot, Released(preempted=False))
        if self._heart is not None:
            self._heart.cancel()

    async def _carry_out(self, slot: _Slot) -> None:
        try:
            self._settle(slot, await self._worked(slot))
        except StaleLease as error:
            log.warning("lease_lost", extra=error.fields)
        finally:
            self._busy.pop(slot.lease.lease_id, None)
            self._changed()

    async def _worked(self, slot: _Slot) -> Outcome:
        """Run the handler to its end, or to the first checkpoint at which it was asked to give way."""
        task = slot.lease.task
        context = Context(self._clock, task, slot.lease.chunk)
        try:
            handler = self._handlers.named(task.handler)
            async with aclosing(handler(task, slot.lease.checkpoint, context)) as steps:
                async for step in steps:
                    at = self._clock.now()
                    slot.lease = self._store.checkpoint(slot.lease, step.state, step.units_done, at, at + self._lease)
                    context.chunk = slot.lease.chunk
                    self._changed()
                    if slot.yielding:
                        return Released(slot.preempted)
        except StaleLease:
            raise
        except Exception as error:  # noqa: BLE001 - a handler is somebody else's code: what it raises is its failure
            return self._failed(slot.lease, error)
        return Completed()

    def _failed(self, lease: Lease, error: Exception) -> Failed:
        retry_at = self._retry.again_at(lease.attempts, self._clock.now(), self._chance)
        told = f"{type(error).__name__}: {error}"
        fields = {"campaign_id": lease.task.campaign_id, "task_id": lease.task.task_id, "error": told}
        log.warning("task_failed" if retry_at else "task_died", extra=fields, exc_info=error)
        return Failed(told, retry_at)

    def _settle(self, slot: _Slot, outcome: Outcome) -> None:
        self._store.settle(slot.lease, outcome, self._clock.now())

    async def _beat(self) -> None:
        """Extend the leases of what runs, as long as anything does; stop what lost its lease."""
        while self._busy:
            await self._clock.sleep(self._lease.total_seconds() / _BEATS_A_LEASE)
            slots = list(self._busy.values())
            kept = self._store.extend([slot.lease for slot in slots], self._clock.now() + self._lease)
            held = {lease.lease_id: lease for lease in kept}
            for slot in slots:
                if slot.lease.lease_id in held:
                    slot.lease = held[slot.lease.lease_id]
                elif slot.job is not None:
                    log.warning("lease_lost", extra={"lease_id": slot.lease.lease_id})
                    slot.job.cancel()
