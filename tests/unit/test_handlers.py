"""Handlers are found by name; the simulated one takes time and leaves countable effects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from features.records import Task
from serving.clock import ScaledClock
from serving.errors import BadInput, HandlerUnknown, SettingInvalid
from serving.handlers.contract import Checkpoint, Context
from serving.handlers.http import Http
from serving.handlers.processes import InProcesses
from serving.handlers.python import Handlers, InLoop
from serving.handlers.simulated import simulate
from serving.handlers.threads import InThreads
from tests.queueing import NOON, a_task


def test_a_handler_is_imported_from_its_setting():
    handlers = Handlers.loaded({"mine": "serving.handlers.simulated:simulate"}, {"simulate": simulate})
    assert handlers.names == ("http", "mine", "simulate")
    assert handlers.named("mine") is simulate


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("tests.unit.test_handlers:in_the_loop", InLoop),
        ("tests.plain:halves", InThreads),
        ("process+tests.plain:halves", InProcesses),
        ("https://hooks.example.com/send", Http),
    ],
)
def test_what_a_handler_is_says_where_it_runs(path, kind):
    assert isinstance(Handlers.loaded({"mine": path}, {}).named("mine"), kind)


async def in_the_loop(_task: Task, _resume: Any, _context: Context) -> AsyncGenerator[Checkpoint, None]:
    yield Checkpoint(None, 0)


def test_an_unknown_handler_names_those_there_are():
    with pytest.raises(HandlerUnknown, match=r"handler 'fax' is not registered: one of simulate"):
        Handlers({"simulate": simulate}).named("fax")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_colon", "must be 'module:function'"),
        ("process+no_colon", "must be 'module:function'"),
        ("no.such.module:run", "cannot be imported .ModuleNotFoundError"),
        ("broken_module:run", "cannot be imported .ZeroDivisionError"),
        ("serving.handlers.simulated:missing", "cannot be imported .AttributeError"),
        ("serving.handlers.simulated:_append", "must lead to a generator function .* or to a handler"),
        ("serving.handlers.simulated:Simulated", "must lead to a generator function"),
        ("process+serving.handlers.simulated:simulate", "must lead to a plain generator function"),
        ("process+tests.unit.test_handlers:in_the_loop", "must lead to a plain generator function"),
    ],
)
def test_a_handler_setting_that_leads_nowhere_is_refused(path, reason, tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingInvalid, match=f"setting handlers.mine is .*{reason}"):
        Handlers.loaded({"mine": path}, {})


@pytest.mark.parametrize(
    ("payload", "field", "allowed"),
    [
        ({"slot_hours": 0}, "slot_hours", "must be greater than 0"),
        ({"slot_hours": float("inf")}, "slot_hours", "must be a finite number"),
        ({"slot_hours": "1"}, "slot_hours", "must be a valid number"),
        ({"chunks": 0}, "chunks", "must be greater than or equal to 1"),
        ({"chunks": 10_001}, "chunks", "must be less than or equal to 10000"),
        ({"chunks": 1.5}, "chunks", "must be a valid integer"),
        ({"effects": 3}, "effects", "must be a valid string"),
        ({"hours": 3}, "hours", "is no known field"),
    ],
)
def test_simulated_work_that_cannot_be_done_is_refused_at_submission(payload, field, allowed):
    with pytest.raises(BadInput) as refused:
        Handlers({"simulate": simulate}).check(a_task(payload=payload), where="tasks[0].")
    (fault,) = refused.value.faults
    assert fault.field == f"tasks[0].payload.{field}"
    assert fault.allowed.startswith(allowed)


def test_sound_work_is_taken_by_every_kind_of_handler():
    paths = {"loop": "tests.unit.test_handlers:in_the_loop", "thread": "tests.plain:halves"}
    handlers = Handlers.loaded(
        {**paths, "process": "process+tests.plain:halves", "url": "https://hooks.example.com"}, {"simulate": simulate}
    )
    for name in (*paths, "process", "url"):
        handlers.check(a_task(handler=name, payload={"anything": 1}))
    handlers.check(a_task(payload={"slot_hours": 1, "chunks": 4}))


@pytest.mark.parametrize(
    ("campaign_id", "task_id", "key"),
    [("sale", "t0", "sale/t0/0"), ("a/b", "c", "a%2Fb/c/0"), ("a", "b/c", "a/b%2Fc/0"), ("été\n", "\ud800", None)],
)
def test_no_two_chunks_share_a_key_and_any_header_can_carry_it(campaign_id, task_id, key):
    found = Context(ScaledClock.starting(NOON, 1), a_task(task_id, campaign_id), 0).idempotency_key
    assert found == key or key is None
    assert found.isascii()
    assert found.isprintable()


def test_simulated_work_takes_its_time_and_leaves_one_effect_a_chunk(tmp_path: Path):
    effects = tmp_path / "effects.txt"
    task = a_task(payload={"slot_hours": 2.0, "chunks": 4, "effects": str(effects)})
    clock = ScaledClock.starting(NOON, 100_000.0)

    async def work(resume: int | None) -> list[tuple[int, float]]:
        context = Context(clock, task, chunk=resume or 0)
        steps = []
        async for step in simulate.steps(task, resume, context):
            steps.append((step.state, step.units_done))
            context.chunk += 1
        return steps

    assert asyncio.run(work(None)) == [(1, 2.5), (2, 5.0), (3, 7.5), (4, 10.0)]
    assert (clock.now() - NOON).total_seconds() >= 2 * 3600
    assert asyncio.run(work(3)) == [(4, 10.0)]
    assert effects.read_text().split() == [f"sale/send/{n}" for n in (0, 1, 2, 3, 3)]
