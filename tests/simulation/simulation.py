"""One seed: the real scheduler, store, executors and policy in one world, from the first submission to the last end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from serving.scheduling.ports import Store
from serving.stores.memory import MemoryStore
from serving.stores.sql import SqlStore
from tests.queueing import NOON
from tests.simulation.bindings import Bindings
from tests.simulation.endings import check_endings
from tests.simulation.labour import Labour
from tests.simulation.ledger import Breach, Ledger
from tests.simulation.links import Link, Oracle
from tests.simulation.mirror import Mirror
from tests.simulation.owners import Owners, settled
from tests.simulation.plagues import Strike
from tests.simulation.precedence import Precedence
from tests.simulation.processes import Fleet, Process, Scheduler, Worker
from tests.simulation.service import Service
from tests.simulation.virtual import Stuck, VirtualClock, VirtualLoop
from tests.simulation.watched import Watched
from tests.simulation.worlds import ATTEMPTS, GRID_S, World, world_of

PATIENCE = 40
"""Spans of a world after which what has not ended is lost."""
LOOK_EVERY_S = 10 * GRID_S
GRACE_S = 90.0
ON_DATABASE = 20
"""One seed in so many runs on a database."""


@dataclass(frozen=True)
class Outcome:
    """What came of a seed."""

    seed: int
    load: float
    ended_s: float
    counts: Counter[str]
    faults: Counter[str]
    breaches: tuple[Breach, ...]
    trace: tuple[str, ...] = field(repr=False, default=())


def simulate(seed: int, *, size: int = 50, traced: bool = False) -> Outcome:
    """Play the world of a seed to its end."""
    with _store(seed) as store:
        loop = VirtualLoop()
        asyncio.set_event_loop(loop)
        try:
            return Simulation(world_of(seed, size), store, loop, traced=traced).outcome()
        finally:
            asyncio.set_event_loop(None)
            loop.close()


@contextmanager
def _store(seed: int) -> Iterator[Store]:
    if seed % ON_DATABASE != ON_DATABASE // 2 - 1:
        yield MemoryStore()
        return
    store = SqlStore("sqlite://")
    try:
        yield store
    finally:
        store.close()


class Simulation:
    """Puts a world together and plays it."""

    def __init__(self, world: World, store: Store, loop: VirtualLoop, *, traced: bool = False) -> None:
        self._world, self._store, self._loop = world, store, loop
        self._chance = Random(f"{world.seed}/faults")
        self.faults: Counter[str] = Counter()
        self.ledger = Ledger(loop.time, ATTEMPTS, traced=traced)
        skew_s = world.plague.skew_s
        self._clock = VirtualClock(loop, NOON)
        mirror = Mirror(store, self._clock)
        self._bindings = Bindings(self.ledger, mirror, world.rules, 2 * skew_s, calm=world.calm)
        precedence = Precedence(world, self.ledger, store, self._bindings, self._slots_of)
        self._watched = Watched(
            store, self.ledger, self._bindings, precedence, mirror, undoes=isinstance(store, SqlStore)
        )
        self.service = Service(world, self.ledger, mirror, self._bindings, self._clock)
        if world.calm:
            loop.before_time_passes = self.service.passes
        self._processes: list[Process] = []
        self._schedulers: list[Scheduler] = []
        self._shared = Fleet()
        self._names = 0
        self._oracle = Oracle(world.seed, world.dollars, world.plague, self.faults, loop)

    def outcome(self) -> Outcome:
        """Play, and say what came of it."""
        try:
            self._loop.run_until_complete(self._play())
        except Stuck as stuck:
            self.ledger.breach("nothing lost", str(stuck))
            self._loop.run_until_complete(self._dispose())
        return Outcome(
            seed=self._world.seed,
            load=self._world.load,
            ended_s=self._loop.time(),
            counts=self.ledger.counts,
            faults=self.faults,
            breaches=tuple(self.ledger.breaches),
            trace=tuple(self.ledger.trace),
        )

    async def _play(self) -> None:
        world = self._world
        link = self._link()
        owners = Owners(world, link, self.ledger, self._clock, Random(f"{world.seed}/owners"), self._wake_all)
        if not world.embedded:
            for slots in world.workers:
                self._add_worker(self._shared, slots)
        for _ in range(self._chance.choice((1, 2))):
            self._add_scheduler(self._new_name())
        for strike in world.plague.strikes:
            self._loop.call_at(strike.at_s, self._strike, strike)
        playing = asyncio.ensure_future(owners.play())
        span_s = max(submission.at_s for submission in world.submissions)
        deadline_s = PATIENCE * span_s
        await playing
        while not settled(self._watched, self._clock, owners) and self._loop.time() < deadline_s:
            await asyncio.sleep(LOOK_EVERY_S)
        check_endings(world, self.ledger, self._store, self._clock.now())
        await self._dispose()

    def _link(self) -> Link:
        plague, seed = self._world.plague, self._world.seed
        chance = Random(f"{seed}/link/{len(self._processes)}")
        return Link(self._watched, plague, chance, self.faults, self._loop)  # type: ignore[arg-type]

    def _new_clock(self) -> VirtualClock:
        most = self._world.plague.skew_s
        skew_s = self._chance.choice((0.0, most / 2, -most / 2))
        self.faults["clock skewed"] += bool(skew_s)
        return VirtualClock(self._loop, NOON, skew_s)

    def _add_worker(self, fleet: Fleet, slots: int) -> None:
        name = f"w{len(self._processes)}"
        chance = Random(f"{self._world.seed}/{name}")
        worker = Worker(name, self._loop, self._link(), self._new_clock(), slots=slots, chance=chance)
        labour = Labour(
            self._world, chance, self.faults, self.ledger,
            dies=lambda: self._kill_worker(worker, fleet, 120.0), mutes=lambda for_s: self._mute(worker, for_s),
        )  # fmt: skip
        worker.begin(labour.handler, self._wake_all)
        self._processes.append(worker)
        fleet.workers.append(worker)
        self.ledger.tell("worker", f"{name} offers {slots} slots")

    def _add_scheduler(self, owner: str) -> None:
        fleet = Fleet() if self._world.embedded else self._shared
        name = f"{owner}#{len(self._processes)}"
        scheduler = Scheduler(name, self._loop, self._link(), self._new_clock(), fleet)
        self._processes.append(scheduler)
        self._schedulers.append(scheduler)
        if self._world.embedded:
            for slots in self._world.workers:
                self._add_worker(fleet, slots)
        scheduler.begin(self._world, owner, self._oracle)
        self.ledger.tell("scheduler", f"{name} stands by")

    def _new_name(self) -> str:
        """A name that no other scheduler bears or ever bore."""
        self._names += 1
        return f"s{self._names}"

    def _slots_of(self, owner: str) -> int:
        return sum(each.fleet.slots for each in self._schedulers if each.owner == owner and each.alive)

    def _wake_all(self) -> None:
        for scheduler in self._schedulers:
            if scheduler.alive:
                scheduler.wake.set()

    def _strike(self, strike: Strike) -> None:
        schedulers = [each for each in self._schedulers if each.alive and not each.frozen]
        if not schedulers:
            return
        scheduler = next((s for s in schedulers if s.owner == self._watched.leader), schedulers[0])
        workers = [worker for worker in scheduler.fleet.workers if worker.alive and not worker.frozen]
        self.ledger.tell("strike", strike)
        match strike.blow:
            case "drain scheduler" if self._world.embedded:
                self.faults["scheduler drained"] += 1
                self._restart(scheduler, strike.for_s, same=False)
                self._draining = asyncio.ensure_future(scheduler.drain(GRACE_S))
            case "kill scheduler" | "drain scheduler":
                self._end_scheduler(scheduler, strike.for_s)
            case "freeze scheduler":
                self._freeze(scheduler, strike.for_s)
            case _ if not workers:
                return
            case "kill worker":
                self._kill_worker(self._chance.choice(workers), scheduler.fleet, strike.for_s)
            case "freeze worker":
                self._freeze(self._chance.choice(workers), strike.for_s)
            case "mute worker":
                self._mute(self._chance.choice(workers), strike.for_s)

    def _kill_worker(self, worker: Worker, fleet: Fleet, down_s: float) -> None:
        self.faults["worker killed"] += 1
        worker.kill()
        self._loop.later(down_s, self._add_worker, fleet, worker.slots)

    def _end_scheduler(self, scheduler: Scheduler, down_s: float) -> None:
        self.faults["scheduler killed"] += 1
        for process in (scheduler, *self._own_workers(scheduler)):
            process.kill()
        self._restart(scheduler, down_s, same=self._world.embedded and self._chance.random() < 0.5)

    def _restart(self, scheduler: Scheduler, down_s: float, *, same: bool) -> None:
        owner = scheduler.owner if same else self._new_name()
        self._loop.later(down_s, self._add_scheduler, owner)

    def _freeze(self, process: Process, for_s: float) -> None:
        own = self._own_workers(process) if isinstance(process, Scheduler) else []
        self.faults[f"{'worker' if isinstance(process, Worker) else 'scheduler'} frozen"] += 1
        for each in (process, *own):
            if each.alive and not each.frozen:
                each.freeze()
                self._loop.later(for_s, each.thaw)

    def _mute(self, worker: Worker, for_s: float) -> None:
        self.faults["worker muted"] += 1
        worker.link.muted = True
        self._loop.later(for_s, setattr, worker.link, "muted", False)

    def _own_workers(self, scheduler: Process) -> list[Worker]:
        return list(scheduler.fleet.workers) if self._world.embedded and isinstance(scheduler, Scheduler) else []

    async def _dispose(self) -> None:
        """Cut everybody off, and let what is left of them end."""
        for process in self._processes:
            process.link.cut = True
            self._loop.thaw(process.name)
        own = asyncio.current_task()
        while tasks := [task for task in asyncio.all_tasks() if task is not own]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=GRID_S)
