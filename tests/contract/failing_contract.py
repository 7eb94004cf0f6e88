"""What every executor promises of handlers that fail or lie. Its test class inherits this beside `ExecutorContract`."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from features.records import Task
from serving.errors import BadInput
from serving.handlers.contract import Checkpoint, Context, GiveUp, RetryLater
from serving.handlers.python import Steps
from tests.contract.executor_bench import UNITS, Bench, Build
from tests.floor import story


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


def circle() -> list[Any]:
    """A list that holds itself."""
    endless: list[Any] = []
    endless.append(endless)
    return endless


class Unspeakable(Exception):
    """An error that cannot be put into words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class FailingContract:
    build: Build

    @story
    async def test_a_report_that_the_store_refuses_fails_its_task_alone(self):
        steps = {"poison": yielding(Checkpoint("poison", 1)), "sound": yielding(Checkpoint("sound", 1))}
        bench = Bench(self.build, handler=["poison", "sound"], more=steps)
        bench.store.refuses = ["poison"]
        bench.start(2)
        await bench.settled()
        assert sorted(bench.outcomes()) == ["checkpoint", "done", "failed"]

    @story
    async def test_a_handler_that_raises_is_tried_again_later_and_finally_buried(self):
        bench = Bench(self.build, handler="breaks", more={"breaks": raising(ConnectionError("no route"))})
        waits = []
        for _ in range(3):
            bench.start()
            await bench.settled()
            retry_at = bench.store.standing("sale", bench.clock.now()).retry_at
            waits.append(retry_at and retry_at - bench.clock.now())
            bench.clock.advance(60)
        assert timedelta(seconds=0.5) <= waits[0] <= timedelta(seconds=1) <= waits[1] <= timedelta(seconds=2)
        (letter,) = bench.store.dead_letters()
        assert (letter.error, letter.attempts) == ("ConnectionError: no route", 3)

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (GiveUp("no such list"), "GiveUp: no such list"),
            (BadInput("payload.list", 3, "must be a name"), "BadInput: payload.list is 3: must be a name"),
        ],
    )
    @story
    async def test_what_no_further_attempt_can_mend_is_buried_at_once(self, error, told):
        bench = Bench(self.build, handler="hopeless", more={"hopeless": raising(error)})
        bench.start()
        await bench.settled()
        (letter,) = bench.store.dead_letters()
        assert (letter.error, letter.attempts) == (told, 1)

    @story
    async def test_a_handler_told_to_come_back_later_does_so_however_often_and_has_not_failed(self):
        bench = Bench(self.build, handler="throttled", more={"throttled": raising(RetryLater(30))})
        for _ in range(5):
            bench.start()
            await bench.settled()
            wait = bench.store.standing("sale", bench.clock.now()).retry_at - bench.clock.now()
            assert timedelta(seconds=30) <= wait <= timedelta(seconds=33)
            bench.clock.advance(33)
        assert bench.leases(1)[0].attempts == 0
        assert bench.store.dead_letters() == []

    @pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), ValueError("\ud800\0"), Unspeakable()])
    @story
    async def test_whatever_a_handler_raises_fails_its_task_and_nothing_else(self, error, caplog):
        caplog.set_level(logging.CRITICAL)  # a test's log is sent to another process, which half a surrogate cannot be
        bench = Bench(self.build, handler=["odd", "work"], more={"odd": raising(error)})
        bench.start(2)
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
            await bench.settled()
            bench.clock.advance(60)
        (letter,) = bench.store.dead_letters()
        assert re.match(f"CheckpointInvalid: {reason}", letter.error)
        assert bench.progress().units_done == 6, "the checkpoint before is kept"

    @story
    async def test_sums_that_miss_the_units_by_rounding_are_no_lie(self):
        steps = yielding(Checkpoint(1, 0.1 + 0.2), Checkpoint(2, 0.3), Checkpoint(3, UNITS * (1 + 1e-12)))
        bench = Bench(self.build, handler="rounds", more={"rounds": steps})
        bench.start()
        await bench.settled()
        assert bench.outcomes()[-1] == "done"
        assert bench.progress().units_done == UNITS
