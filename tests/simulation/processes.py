"""The processes of a simulated world, workers and the schedulers that lead them: they die, freeze and restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, copy_context
from random import Random
from typing import Any

from serving.clock import Clock
from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.python import Handler, Handlers
from serving.scheduling.ports import Predictor, Running
from serving.scheduling.tick import Tick
from serving.scheduling.work import Lease
from tests.simulation.links import Link
from tests.simulation.virtual import PROCESS, VirtualLoop
from tests.simulation.worlds import ATTEMPTS, LEASE_S, World

RETRY = Retry(attempts=ATTEMPTS, first_s=60.0, most_s=600.0)


class Process:
    """A name, a connection to the store, and a context that everything it starts inherits."""

    def __init__(self, name: str, loop: VirtualLoop, link: Link, clock: Clock) -> None:
        self.name, self.loop, self.link, self.clock = name, loop, link, clock
        self.alive, self.frozen = True, False
        self._context: Context = copy_context()
        self._context.run(PROCESS.set, name)

    def within(self, call: Callable[..., Any], *args: Any) -> Any:
        """Call something as this process."""
        return self._context.copy().run(call, *args)

    def freeze(self) -> None:
        """Let nothing of it run."""
        self.frozen = True
        self.loop.freeze(self.name)

    def thaw(self) -> None:
        """Let it go on, unless it is dead."""
        if self.alive:
            self.frozen = False
            self.loop.thaw(self.name)

    def kill(self) -> None:
        """End it on the spot: nothing of it ever runs again, not even what cleans up."""
        self.alive, self.link.cut = False, True
        self.freeze()


class Worker(Process):
    """A process with an executor of some slots."""

    def __init__(self, name: str, loop: VirtualLoop, link: Link, clock: Clock, *, slots: int, chance: Random) -> None:
        super().__init__(name, loop, link, clock)
        self.slots, self._chance = slots, chance
        self.executor: LocalExecutor

    def begin(self, handler: Handler, changed: Callable[[], None]) -> None:
        """Offer the slots."""
        self.executor = LocalExecutor(
            self.link,  # type: ignore[arg-type]
            Handlers({"work": handler}),
            self.clock,
            slots=self.slots,
            lease_s=LEASE_S,
            retry=RETRY,
            chance=self._chance,
            changed=changed,
        )


class Fleet:
    """An executor made of workers; those that died or are frozen are not there."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []

    @property
    def _there(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.alive and not worker.frozen]

    @property
    def slots(self) -> int:
        """How many tasks it can run at once."""
        return sum(worker.slots for worker in self._there)

    def running(self) -> list[Running]:
        """The tasks it holds now."""
        return [running for worker in self._there for running in worker.executor.running()]

    def start(self, leases: Sequence[Lease]) -> None:
        """Give each lease to the worker with most slots free."""
        free = [(worker.slots - len(worker.executor.running()), worker) for worker in self._there]
        for lease in leases:
            at = max(range(len(free)), key=lambda n: free[n][0])
            left, worker = free[at]
            free[at] = (left - 1, worker)
            worker.within(worker.executor.start, [lease])

    def give_way(self, lease_id: str, *, preempted: bool) -> None:
        """Ask whoever holds it."""
        for worker in self._there:
            worker.within(lambda executor=worker.executor: executor.give_way(lease_id, preempted=preempted))

    async def stop(self, grace_s: float) -> None:
        """Stop all of them."""
        stopping = [worker.within(asyncio.ensure_future, worker.executor.stop(grace_s)) for worker in self._there]
        if stopping:
            await asyncio.wait(stopping)


class Scheduler(Process):
    """A process that schedules onto a fleet while it leads."""

    def __init__(self, name: str, loop: VirtualLoop, link: Link, clock: Clock, fleet: Fleet) -> None:
        super().__init__(name, loop, link, clock)
        self.fleet = fleet
        self.wake: asyncio.Event = self.within(asyncio.Event)

    def begin(self, world: World, owner: str, predictor: Predictor) -> None:
        """Start the loop of the real scheduler, which goes by the name of `owner`."""
        self.owner = owner
        self.tick: Tick = self.within(
            lambda: Tick(
                self.link,  # type: ignore[arg-type]
                self.fleet,
                predictor,
                self.clock,
                owner=owner,
                wake=self.wake,
                lease_s=LEASE_S,
                attempts=ATTEMPTS,
                refresh_s=1800.0,
                preemption=world.preemption,
                rules=world.rules,
            )
        )
        self._loop: asyncio.Task[None] = self._start(self.tick.run())

    async def drain(self, grace_s: float) -> None:
        """End as on a signal to terminate: give work back at checkpoints, then leave."""
        await self._start(self.tick.stop(grace_s))
        await self._loop
        self.kill()

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self.within(self.loop.create_task, coroutine)
        return task
