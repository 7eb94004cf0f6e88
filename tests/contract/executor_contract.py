"""What every executor promises. An executor's test class inherits this and says how to `build` one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from features.records import Task
from serving.handlers.contract import Checkpoint, Context
from tests.contract.executor_bench import Bench, Build
from tests.floor import story
from tests.queueing import NOON, after


class ExecutorContract:
    build: Build

    @story
    async def test_it_runs_a_task_to_its_end_and_settles_its_lease(self):
        bench = Bench(self.build)
        bench.start()
        assert len(bench.executor.running()) == 1
        await bench.pass_s(60)
        assert bench.progress().units_done == 5.0
        await bench.pass_s(60)
        assert bench.executor.running() == []
        assert bench.outcomes() == ["checkpoint", "checkpoint", "done"]
        assert bench.store.standing("sale", NOON).worked_at == after(120)
        assert bench.changes >= 2, "the scheduler hears of checkpoints and of the end"

    @story
    async def test_starting_the_same_lease_twice_is_starting_it_once(self):
        bench = Bench(self.build)
        (lease,) = bench.start()
        bench.executor.start([lease, lease])
        await bench.pass_s(120)
        assert bench.chunks == ["sale/t0/0", "sale/t0/1"]

    @story
    async def test_what_is_more_than_its_slots_stands_in_line_and_begins_in_order(self):
        bench = Bench(self.build, tasks=5)
        bench.start(3)
        bench.start(2)
        await bench.settled()
        assert bench.held() == (["t0", "t1"], ["t2", "t3", "t4"])
        await bench.pass_s(120)
        assert bench.held() == (["t2", "t3"], ["t4"])
        assert [r.since for r in bench.executor.running()] == [after(120), after(120), None]
        await bench.pass_s(240)
        assert bench.chunks == [f"sale/t{n}/{k}" for first in (0, 2) for k in (0, 1) for n in (first, first + 1)] + [
            "sale/t4/0",
            "sale/t4/1",
        ]
        assert bench.progress().done == 5

    @story
    async def test_a_task_asked_to_give_way_stops_at_its_next_checkpoint_and_resumes_there(self):
        bench = Bench(self.build)
        (lease,) = bench.start()
        await bench.pass_s(30)
        bench.executor.give_way(lease.lease_id, preempted=True)
        bench.executor.give_way(lease.lease_id, preempted=True)
        bench.executor.give_way("long over", preempted=True)
        assert bench.executor.running()[0].yielding
        await bench.pass_s(30)
        assert bench.executor.running() == []
        standing = bench.store.standing("sale", NOON)
        assert (standing.preemptions, standing.progress.queued, standing.progress.units_done) == (1, 1, 5.0)
        bench.start()
        await bench.pass_s(60)
        assert bench.chunks == ["sale/t0/0", "sale/t0/1"], "no chunk is done twice"
        assert bench.outcomes()[-1] == "done"

    @story
    async def test_what_has_not_begun_gives_way_at_once_and_is_not_preempted(self):
        bench = Bench(self.build, tasks=3)
        leases = bench.start(3)
        await bench.settled()
        bench.executor.give_way(leases[2].lease_id, preempted=True)
        bench.executor.give_way(leases[2].lease_id, preempted=True)
        assert bench.held() == (["t0", "t1"], [])
        await bench.settled()
        assert (bench.progress().queued, bench.store.standing("sale", NOON).preemptions) == (1, 0)
        assert [lease.task.task_id for lease in bench.leases(1)] == ["t2"]

    @story
    async def test_a_task_leased_for_one_chunk_stops_at_its_checkpoint_each_time(self):
        bench = Bench(self.build)
        bench.start(one_chunk=True)
        await bench.pass_s(60)
        assert bench.executor.running() == []
        assert (bench.progress().units_done, bench.progress().queued) == (5.0, 1)
        bench.start(one_chunk=True)
        await bench.pass_s(60)
        assert bench.outcomes() == ["checkpoint", "checkpoint", "done"], "with no units left nothing can be limited"
        assert bench.store.standing("sale", NOON).preemptions == 0

    @story
    async def test_reports_that_come_together_are_stored_together(self):
        bench = Bench(self.build, tasks=100, handler="instant")
        bench.start(100)
        await bench.settled()
        assert bench.store.together == [100]
        assert bench.progress().done == 100
        assert bench.changes <= 2, "and the scheduler hears of all of it together"

    @story
    async def test_the_next_in_line_begins_as_soon_as_a_handler_ends_but_a_task_is_held_until_that_is_stored(self):
        bench = Bench(self.build, tasks=3, handler="instant")
        bench.store.full = True
        bench.start(3)
        await bench.settled()
        assert (bench.progress().leased, len(bench.executor.running())) == (3, 3)
        assert [what for event, what in bench.log if event == "begun"] == ["t0", "t1", "t2"], "on two slots"
        bench.store.full = False
        await bench.pass_s(60)
        assert (bench.progress().leased, bench.executor.running()) == (0, [])

    @story
    async def test_a_handler_goes_on_only_once_its_checkpoint_is_stored(self):
        bench = Bench(self.build)
        bench.start()
        await bench.pass_s(50)
        bench.store.full = True
        bench.clock.advance(10)
        await bench.settled()
        assert "past" not in dict(bench.log)
        bench.store.full = False
        await bench.pass_s(10)
        assert ("past", "sale/t0/1") in bench.log
        assert bench.progress().units_done == 5.0

    @story
    async def test_while_the_store_fails_nothing_is_lost_and_leases_go_on_when_it_is_back(self, caplog):
        bench = Bench(self.build, tasks=4)
        bench.start(4)
        await bench.pass_s(50)
        bench.store.full = True
        await bench.pass_s(25)  # a heartbeat fails, and so does storing two checkpoints
        assert "heartbeat_failed" in caplog.text
        assert "reports_wait" in caplog.text
        bench.store.full = False
        await bench.pass_s(300)
        assert bench.store.recover(bench.clock.now(), attempts=3) == 0
        assert bench.progress().done == 4
        assert len(set(bench.chunks)) == len(bench.chunks) == 8, "no chunk was done twice"

    @story
    async def test_a_lease_is_extended_as_long_as_its_handler_runs_or_it_stands_in_line(self):
        async def slow(task: Task, _resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
            await context.clock.sleep(600)
            yield Checkpoint(None, task.units)

        bench = Bench(self.build, tasks=3, handler="slow", more={"slow": slow})
        bench.start(3)
        for _ in range(121):
            await bench.pass_s(10)
            assert bench.store.recover(bench.clock.now(), attempts=3) == 0
        assert bench.progress().done == 3

    @story
    async def test_a_handler_whose_lease_was_lost_is_stopped_and_what_it_reports_is_dropped(self):
        bench = Bench(self.build, tasks=3)
        bench.start(3)
        await bench.settled()
        bench.store.recover(after(61), attempts=3)  # as another scheduler would, had this one been cut off
        await bench.pass_s(20)
        assert bench.executor.running() == []
        assert [what for event, what in bench.log if event == "left"] == ["t0", "t1"], "the third never began"
        assert bench.outcomes() == ["lost"] * 3

    @story
    async def test_a_checkpoint_under_a_lost_lease_stops_its_handler(self):
        bench = Bench(self.build)
        bench.start()
        await bench.pass_s(50)
        bench.store.recover(after(1000), attempts=3)
        bench.clock.advance(10)
        await bench.settled()
        assert bench.executor.running() == []
        assert "past" not in dict(bench.log)
        assert bench.outcomes() == ["lost"]

    @story
    async def test_stopping_waits_for_checkpoints_and_gives_everything_back(self):
        bench = Bench(self.build, tasks=3)
        bench.start(3)
        await bench.pass_s(30)
        stopping = asyncio.create_task(bench.executor.stop(grace_s=60))
        await bench.settled()
        assert bench.progress().queued == 1, "what stood in line is back at once"
        await bench.pass_s(30)
        await stopping
        progress = bench.progress()
        assert (progress.queued, progress.leased, progress.units_done) == (3, 0, 10.0)
        assert bench.store.standing("sale", NOON).preemptions == 0

    @story
    async def test_what_reaches_no_checkpoint_in_time_is_cut_off_and_goes_back_to_its_last(self):
        bench = Bench(self.build)
        bench.start()
        await bench.pass_s(90)
        await bench.executor.stop(grace_s=0)
        assert bench.log[-1] == ("left", "t0")
        progress = bench.progress()
        assert (progress.queued, progress.leased, progress.units_done) == (1, 0, 5.0)
        assert bench.leases(1)[0].checkpoint == 1

    @story
    async def test_what_comes_after_it_was_stopped_is_given_back(self):
        bench = Bench(self.build)
        await bench.executor.stop(grace_s=0)
        bench.start()
        await bench.settled()
        assert (bench.progress().queued, bench.chunks) == (1, [])

    @story
    async def test_stopping_waits_until_the_store_took_what_was_reported(self):
        bench = Bench(self.build, handler="instant")
        bench.store.full = True
        bench.start()
        await bench.settled()
        stopping = asyncio.create_task(bench.executor.stop(grace_s=5))
        await bench.settled()
        bench.store.full = False
        bench.clock.advance(10)
        await stopping
        assert bench.outcomes() == ["done"]
