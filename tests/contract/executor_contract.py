"""What every executor promises. An executor's test class inherits this and says how to `build` one."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from features.records import Task
from serving.handlers.contract import Checkpoint, Context, GiveUp, RetryLater
from serving.handlers.python import Steps
from serving.scheduling.work import Lease
from tests.contract.executor_bench import UNITS, Bench, Build
from tests.floor import let_run, story
from tests.queueing import NOON, after


def yielding(*steps: Any) -> Steps:
    """A handler that yields these, whatever it resumes from."""

    async def handler(_task: Task, _resume: Any, _context: Context) -> AsyncGenerator[Checkpoint, None]:
        for step in steps:
            yield step

    return handler


def raising(error: BaseException) -> Steps:
    """A handler that comes to nothing."""

    async def handler(_task: Task, _resume: Any, _context: Context) -> AsyncGenerator[Checkpoint, None]:
        raise error
        yield

    return handler


def with_handler(lease: Lease, handler: str) -> Lease:
    """The lease of a task that names another handler."""
    return replace(lease, task=replace(lease.task, handler=handler))


def circle() -> list[Any]:
    """A list that holds itself."""
    endless: list[Any] = []
    endless.append(endless)
    return endless


class Unspeakable(Exception):
    """An error that cannot be put into words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


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
        assert bench.changes == 3, "the scheduler hears of every checkpoint and of the end"

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
        bench.executor.give_way(leases[2].lease_id, preempted=True)
        bench.executor.give_way(leases[2].lease_id, preempted=True)
        assert bench.held() == (["t0", "t1"], [])
        await let_run()
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
        await let_run(80)
        assert bench.store.together == [100]
        assert (bench.progress().done, bench.changes) == (100, 1)

    @story
    async def test_a_slot_is_free_as_soon_as_its_handler_ends(self):
        bench = Bench(self.build, tasks=3, handler="instant")
        bench.store.full = True
        bench.start(3)
        await let_run()
        assert bench.executor.running() == [], "though no end is stored yet"
        assert bench.progress().leased == 3

    @story
    async def test_a_handler_goes_on_only_once_its_checkpoint_is_stored(self):
        bench = Bench(self.build)
        bench.start()
        await bench.pass_s(50)
        bench.store.full = True
        bench.clock.advance(10)
        await let_run()
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
    async def test_a_report_that_the_store_refuses_fails_its_task_alone(self):
        steps = {"poison": yielding(Checkpoint("poison", 1)), "sound": yielding(Checkpoint("sound", 1))}
        bench = Bench(self.build, tasks=2, more=steps)
        bench.store.refuses = ["poison"]
        first, second = bench.leases(2)
        bench.executor.start([with_handler(first, "poison"), with_handler(second, "sound")])
        await let_run()
        assert sorted(bench.outcomes()) == ["checkpoint", "done", "failed"]

    @story
    async def test_a_handler_that_raises_is_tried_again_later_and_finally_buried(self):
        bench = Bench(self.build, handler="breaks", more={"breaks": raising(ConnectionError("no route"))})
        waits = []
        for _ in range(3):
            bench.start()
            await let_run()
            retry_at = bench.store.standing("sale", bench.clock.now()).retry_at
            waits.append(retry_at and retry_at - bench.clock.now())
            bench.clock.advance(60)
        assert timedelta(seconds=0.5) <= waits[0] <= timedelta(seconds=1) <= waits[1] <= timedelta(seconds=2)
        (letter,) = bench.store.dead_letters()
        assert (letter.error, letter.attempts) == ("ConnectionError: no route", 3)

    @story
    async def test_a_handler_that_gives_up_is_buried_at_once(self):
        bench = Bench(self.build, handler="hopeless", more={"hopeless": raising(GiveUp("no such list"))})
        bench.start()
        await let_run()
        (letter,) = bench.store.dead_letters()
        assert (letter.error, letter.attempts) == ("GiveUp: no such list", 1)

    @story
    async def test_a_handler_told_to_come_back_later_does_so_however_often_and_has_not_failed(self):
        bench = Bench(self.build, handler="throttled", more={"throttled": raising(RetryLater(30))})
        for _ in range(5):
            bench.start()
            await let_run()
            wait = bench.store.standing("sale", bench.clock.now()).retry_at - bench.clock.now()
            assert timedelta(seconds=30) <= wait <= timedelta(seconds=33)
            bench.clock.advance(33)
        assert bench.leases(1)[0].attempts == 0
        assert bench.store.dead_letters() == []

    @pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), ValueError("\ud800\0"), Unspeakable()])
    @story
    async def test_whatever_a_handler_raises_fails_its_task_and_nothing_else(self, error, caplog):
        caplog.set_level(logging.CRITICAL)  # a test's log is sent to another process, which half a surrogate cannot be
        bench = Bench(self.build, tasks=2, more={"odd": raising(error)})
        odd, sound = bench.leases(2)
        bench.executor.start([with_handler(odd, "odd"), sound])
        await bench.pass_s(120)
        assert sorted(bench.outcomes()) == ["checkpoint", "checkpoint", "done", "failed"]

    @pytest.mark.parametrize(
        ("lie", "reason"),
        [
            (Checkpoint(object(), 1), "checkpoint.state is <object .*: must be what JSON can hold"),
            (Checkpoint([[]] * 3 + [circle()], 1), "checkpoint.state is .*: must be what JSON can hold"),
            (Checkpoint(None, math.nan), "checkpoint.units_done is nan: must be from 6, done before, to 10"),
            (Checkpoint(None, math.inf), "checkpoint.units_done is inf: must be from 6"),
            (Checkpoint(None, -1), "checkpoint.units_done is -1: must be from 6"),
            (Checkpoint(None, 5), "checkpoint.units_done is 5: must be from 6, done before"),
            (Checkpoint(None, 10.1), "checkpoint.units_done is 10.1: .*to 10, the units of the task"),
            (Checkpoint(None, 10**400), "checkpoint.units_done is 1000.*: must be from 6"),
            (Checkpoint(None, "7"), "checkpoint.units_done is '7': must be a number"),
            (Checkpoint(None, True), "checkpoint.units_done is True: must be a number"),
            (7, "what was yielded is 7: must be a Checkpoint"),
        ],
    )
    @story
    async def test_a_handler_that_lies_about_its_checkpoint_is_failed_with_a_reason(self, lie, reason):
        bench = Bench(self.build, handler="lies", more={"lies": yielding(Checkpoint("so far", 6), lie)})
        for _ in range(3):
            bench.start()
            await let_run()
            bench.clock.advance(60)
        (letter,) = bench.store.dead_letters()
        assert re.match(f"CheckpointInvalid: {reason}", letter.error)
        assert bench.progress().units_done == 6, "the checkpoint before is kept"

    @story
    async def test_sums_that_miss_the_units_by_rounding_are_no_lie(self):
        steps = yielding(Checkpoint(1, 0.1 + 0.2), Checkpoint(2, 0.3), Checkpoint(3, UNITS * (1 + 1e-12)))
        bench = Bench(self.build, handler="rounds", more={"rounds": steps})
        bench.start()
        await let_run()
        assert bench.outcomes()[-1] == "done"
        assert bench.progress().units_done == UNITS

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
        await let_run()
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
        await let_run()
        assert bench.executor.running() == []
        assert "past" not in dict(bench.log)
        assert bench.outcomes() == ["lost"]

    @story
    async def test_stopping_waits_for_checkpoints_and_gives_everything_back(self):
        bench = Bench(self.build, tasks=3)
        bench.start(3)
        await bench.pass_s(30)
        stopping = asyncio.create_task(bench.executor.stop(grace_s=60))
        await let_run()
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
        await let_run()
        assert (bench.progress().queued, bench.chunks) == (1, [])

    @story
    async def test_stopping_waits_until_the_store_took_what_was_reported(self):
        bench = Bench(self.build, handler="instant")
        bench.store.full = True
        bench.start()
        await let_run()
        stopping = asyncio.create_task(bench.executor.stop(grace_s=5))
        await let_run()
        bench.store.full = False
        bench.clock.advance(10)
        await stopping
        assert bench.outcomes() == ["done"]
