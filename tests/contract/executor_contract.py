"""What every executor promises. An executor's test class inherits this and says how to `build` one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import pytest

from features.records import Task
from serving.clock import Clock, ManualClock
from serving.handlers.python import Checkpoint, Context, Handler
from serving.scheduling.ports import Executor, Store
from serving.scheduling.states import Event, State
from serving.scheduling.work import Lease, Move
from serving.stores.memory import MemoryStore
from tests.floor import let_run
from tests.queueing import NOON, a_campaign, a_task, after, claimed

LEASE_S = 60.0


class Build(Protocol):
    """Makes an executor with two slots, leases of a minute, and three attempts with waits from a second on."""

    def __call__(
        self, store: Store, handlers: Mapping[str, Handler], clock: Clock, changed: Callable[[], None]
    ) -> Executor:
        """Make it."""
        ...


class Bench:
    """A store with one ready campaign of ten-unit tasks, worked on in chunks of a minute and five units."""

    def __init__(self, build: Build, tasks: int = 1) -> None:
        self.store = MemoryStore()
        self.clock = ManualClock(NOON)
        self.changes = 0
        self.log: list[tuple[str, Any]] = []
        self.executor = build(self.store, {"work": self.work, "breaks": self.breaks}, self.clock, self._changed)
        handler = "work"
        self.store.submit(a_campaign(), [a_task(f"t{n}", handler=handler) for n in range(tasks)], NOON)
        self.store.move([Move(campaign_id="sale", before=State.SUBMITTED, event=Event.CLEAR)])

    def _changed(self) -> None:
        self.changes += 1

    async def work(self, task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
        """Two chunks, a minute each; notes what it does."""
        try:
            for chunk in range(resume or 0, 2):
                self.log.append(("chunk", context.idempotency_key))
                await context.clock.sleep(60)
                yield Checkpoint(chunk + 1, task.units * (chunk + 1) / 2)
        finally:
            self.log.append(("left", task.task_id))

    async def breaks(self, _task: Task, _resume: Any, _context: Context) -> AsyncGenerator[Checkpoint, None]:
        """Yield what JSON cannot hold."""
        yield Checkpoint(object(), 1)

    def lease(self) -> Lease:
        """Claim the next task at this moment."""
        return claimed(self.store, at=self.clock.now(), for_s=LEASE_S)

    async def pass_s(self, seconds: int, every: int = 10) -> None:
        """Let time pass in steps."""
        await let_run()
        for _ in range(seconds // every):
            self.clock.advance(every)
            await let_run()

    @property
    def chunks(self) -> list[str]:
        """The idempotency keys of the chunks begun."""
        return [what for event, what in self.log if event == "chunk"]

    def outcomes(self) -> list[str]:
        """How every chunk of the run log ended."""
        return [run["outcome"] for run in self.store.rows("runs")]


class ExecutorContract:
    build: Build

    def test_it_runs_a_task_to_its_end_and_settles_its_lease(self):
        async def story(bench: Bench):
            bench.executor.start(bench.lease())
            assert len(bench.executor.running()) == 1
            await bench.pass_s(60)
            assert bench.store.standing("sale", NOON).progress.units_done == 5.0
            await bench.pass_s(60)
            assert bench.executor.running() == []
            assert bench.outcomes() == ["checkpoint", "checkpoint", "done"]
            assert bench.store.standing("sale", NOON).worked_at == after(120)
            assert bench.changes == 3, "the scheduler hears of every checkpoint and of the end"

        asyncio.run(story(Bench(self.build)))

    def test_starting_the_same_lease_twice_is_starting_it_once(self):
        async def story(bench: Bench):
            lease = bench.lease()
            bench.executor.start(lease)
            bench.executor.start(lease)
            await bench.pass_s(120)
            assert bench.chunks == ["sale/t0/0", "sale/t0/1"]

        asyncio.run(story(Bench(self.build)))

    def test_it_takes_no_more_tasks_than_it_has_slots(self):
        async def story(bench: Bench):
            for _ in range(bench.executor.slots):
                bench.executor.start(bench.lease())
            with pytest.raises(ValueError, match="all 2 slots are busy"):
                bench.executor.start(bench.lease())
            await bench.pass_s(120)

        asyncio.run(story(Bench(self.build, tasks=3)))

    def test_a_task_asked_to_give_way_stops_at_its_next_checkpoint_and_resumes_there(self):
        async def story(bench: Bench):
            lease = bench.lease()
            bench.executor.start(lease)
            await bench.pass_s(30)
            bench.executor.give_way(lease.lease_id, preempted=True)
            bench.executor.give_way(lease.lease_id, preempted=True)
            bench.executor.give_way("long over", preempted=True)
            assert bench.executor.running()[0].yielding
            await bench.pass_s(30)
            assert bench.executor.running() == []
            standing = bench.store.standing("sale", NOON)
            assert (standing.preemptions, standing.progress.queued, standing.progress.units_done) == (1, 1, 5.0)
            bench.executor.start(bench.lease())
            await bench.pass_s(60)
            assert bench.chunks == ["sale/t0/0", "sale/t0/1"], "no chunk is done twice"
            assert bench.outcomes()[-1] == "done"

        asyncio.run(story(Bench(self.build)))

    def test_a_handler_that_raises_is_tried_again_later_and_finally_buried(self):
        async def story(bench: Bench):
            waits = []
            for _ in range(3):
                lease = bench.lease()
                bench.executor.start(replace(lease, task=replace(lease.task, handler="breaks")))
                await let_run()
                retry_at = bench.store.standing("sale", bench.clock.now()).retry_at
                waits.append(retry_at and retry_at - bench.clock.now())
                bench.clock.advance(60)
            assert timedelta(seconds=0.5) <= waits[0] <= timedelta(seconds=1) <= waits[1] <= timedelta(seconds=2)
            (letter,) = bench.store.dead_letters()
            assert "TypeError" in letter.error
            assert letter.attempts == 3

        asyncio.run(story(Bench(self.build)))

    def test_a_lease_is_extended_as_long_as_its_handler_runs(self):
        async def story(bench: Bench):
            async def slow(task: Task, _resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
                await context.clock.sleep(600)
                yield Checkpoint(None, task.units)

            executor = self.build(bench.store, {"work": slow}, bench.clock, lambda: None)
            executor.start(bench.lease())
            for _ in range(61):
                await bench.pass_s(10)
                assert bench.store.recover(bench.clock.now(), attempts=3) == 0
            assert bench.outcomes() == ["checkpoint", "done"]

        asyncio.run(story(Bench(self.build)))

    def test_a_handler_whose_lease_was_lost_is_stopped_and_what_it_reports_is_dropped(self):
        async def story(bench: Bench):
            bench.executor.start(bench.lease())
            await let_run()
            bench.store.recover(after(61), attempts=3)  # as another scheduler would, had this one been cut off
            await bench.pass_s(20)
            assert bench.executor.running() == []
            assert bench.log[-1] == ("left", "t0")
            assert bench.outcomes() == ["lost"]

        asyncio.run(story(Bench(self.build)))

    def test_stopping_waits_for_checkpoints_and_gives_everything_back(self):
        async def story(bench: Bench):
            bench.executor.start(bench.lease())
            bench.executor.start(bench.lease())
            await bench.pass_s(30)
            stopping = asyncio.create_task(bench.executor.stop(grace_s=60))
            await bench.pass_s(30)
            await stopping
            progress = bench.store.standing("sale", NOON).progress
            assert (progress.queued, progress.leased, progress.units_done) == (2, 0, 10.0)
            assert bench.store.standing("sale", NOON).preemptions == 0

        asyncio.run(story(Bench(self.build, tasks=2)))

    def test_what_reaches_no_checkpoint_in_time_is_cut_off_and_goes_back_to_its_last(self):
        async def story(bench: Bench):
            bench.executor.start(bench.lease())
            await bench.pass_s(90)
            await bench.executor.stop(grace_s=0)
            assert bench.log[-1] == ("left", "t0")
            progress = bench.store.standing("sale", NOON).progress
            assert (progress.queued, progress.leased, progress.units_done) == (1, 0, 5.0)
            assert bench.lease().checkpoint == 1

        asyncio.run(story(Bench(self.build)))
