"""Every executor keeps the promises of an executor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from features.records import Task
from serving.clock import Clock
from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.contract import Checkpoint, Context, Handler
from serving.handlers.python import Handlers, Steps
from serving.scheduling.ports import Store
from tests.contract.executor_bench import LEASE_S, Bench
from tests.contract.executor_contract import ExecutorContract
from tests.contract.failing_contract import FailingContract
from tests.floor import let_run, story
from tests.queueing import NOON, after


def _local(
    store: Store,
    handlers: Mapping[str, Handler | Steps],
    clock: Clock,
    changed: Callable[[], None],
    slots: int = 2,
    least: int | None = None,
) -> LocalExecutor:
    return LocalExecutor(
        store,
        Handlers(handlers),
        clock,
        slots=slots,
        least=least,
        lease_s=LEASE_S,
        retry=Retry(attempts=3, first_s=1.0),
        chance=Random(3),
        changed=changed,
    )


class TestLocalExecutor(ExecutorContract, FailingContract):
    build = staticmethod(_local)


@story
async def test_its_pace_is_what_tasks_took_on_their_slots():
    bench = Bench(_local, tasks=4)
    bench.start(4)
    assert bench.executor.pace_s("sale") is None
    await bench.pass_s(240)
    assert bench.executor.pace_s("sale") == 120, "standing in line is not counted"
    assert bench.executor.pace_s("other") is None


@story
async def test_slots_follow_the_work_between_their_bounds():
    def elastic(*given: Any) -> LocalExecutor:
        return _local(*given, slots=4, least=1)

    bench = Bench(elastic, tasks=6)
    assert bench.executor.slots == 1
    bench.start(3)
    assert (bench.executor.slots, bench.held()[0]) == (3, ["t0", "t1", "t2"])
    bench.executor.fit(100)
    assert bench.executor.slots == 4
    await bench.pass_s(120)
    for seconds in range(0, 70, 10):
        assert bench.executor.slots == 4, seconds
        bench.executor.fit(0)
        bench.clock.advance(10)
    assert bench.executor.slots == 1
    bench.start(3)
    assert bench.held()[0] == ["t3", "t4", "t5"]
    await bench.pass_s(120)
    assert bench.progress().done == 6


@story
async def test_slots_given_up_are_left_when_their_tasks_end():
    def elastic(*given: Any) -> LocalExecutor:
        return _local(*given, slots=2, least=1)

    bench = Bench(elastic, tasks=3)
    bench.start(3)
    bench.executor.fit(1)
    bench.clock.advance(60)
    bench.executor.fit(1)
    assert (bench.executor.slots, bench.held()) == (1, (["t0", "t1"], ["t2"]))


@story
async def test_a_handler_that_will_not_be_cut_off_holds_up_no_stop():
    released = asyncio.Event()

    async def stubborn(_task: Task, _resume: Any, _context: Context) -> AsyncGenerator[Checkpoint, None]:
        while not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()
        return
        yield

    bench = Bench(_local, handler="stubborn", more={"stubborn": stubborn})
    bench.start()
    await let_run()
    await bench.executor.stop(grace_s=0)
    assert (bench.progress().queued, bench.executor.running()) == (1, [])
    released.set()
    await let_run()
    assert bench.outcomes() == [], "what it says later is not heard"


@story
async def test_a_store_that_stays_broken_does_not_keep_it_from_stopping(caplog):
    bench = Bench(_local, handler="instant")
    bench.store.full = True
    bench.start()
    await let_run()
    await bench.executor.stop(grace_s=0)
    assert "stopped_unsettled" in caplog.text
    bench.store.full = False
    assert bench.store.recover(after(61), attempts=3) == 1, "its lease runs out"


@story
async def test_reports_are_stored_before_there_are_too_many():
    bench = Bench(_local, tasks=600, handler="instant")
    bench.start(600)
    await let_run(400)
    assert bench.store.together == [256, 256, 88]


def test_waits_between_attempts_double_up_to_a_limit_and_end():
    retry, chance = Retry(attempts=6, first_s=10, most_s=45), Random(0)
    waits = [retry.again_at(failed, NOON, chance) for failed in range(6)]
    for wait, longest in zip(waits, (10, 20, 40, 45, 45), strict=False):
        assert wait is not None
        assert after(longest / 2) <= wait <= after(longest)
    assert waits[5] is None


def test_tasks_that_failed_together_do_not_come_back_together():
    chance = Random(0)
    assert len({Retry().again_at(3, NOON, chance) for _ in range(20)}) == 20


@pytest.mark.parametrize("failed", [4, 5, 100])
def test_more_failures_than_attempts_never_come_back(failed):
    assert Retry(attempts=5).again_at(failed, NOON, Random(0)) is None


def test_who_is_asked_to_wait_waits_as_long_and_does_not_come_back_with_all_the_others():
    chance = Random(0)
    waits = {(Retry(first_s=1.0).asked_at(30, NOON, chance) - NOON).total_seconds() for _ in range(20)}
    assert len(waits) == 20
    assert all(30 <= wait <= 33 for wait in waits)


@pytest.mark.parametrize(
    ("asked_s", "least", "most"), [(0, 1, 1.1), (-5, 1, 1.1), (1e9, 86_400, 95_040), (float("nan"), 300, 330)]
)
def test_nobody_is_asked_again_at_once_or_put_off_for_ever(asked_s, least, most):
    assert least <= (Retry(first_s=1.0).asked_at(asked_s, NOON, Random(0)) - NOON).total_seconds() <= most


@story
async def test_while_the_line_is_long_it_is_told_soon_that_reports_were_stored_and_at_once_when_it_is_half_done():
    bench = Bench(_local, tasks=20, handler="brief", more={"brief": brief})
    bench.start(20)
    told = []
    for _ in range(4):
        await bench.pass_s(10)
        told.append(bench.changes)
        bench.clock.advance(0.1)
        await let_run()
        told.append(bench.changes)
    assert bench.store.together == [2, 2, 2, 2]
    assert told == [0, 1, 1, 2, 2, 3, 4, 4]


async def brief(task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
    """Ten seconds, without a checkpoint."""
    await context.clock.sleep(10)
    for _ in ():
        yield Checkpoint(None, 0.0)
