"""Handlers are found by name; the simulated one takes time and leaves countable effects."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from serving.clock import ScaledClock
from serving.errors import HandlerUnknown, SettingInvalid
from serving.handlers.python import Context, Handlers
from serving.handlers.simulated import simulate
from tests.queueing import NOON, a_task


def test_a_handler_is_imported_from_its_setting():
    handlers = Handlers.loaded({"mine": "serving.handlers.simulated:simulate"}, {"simulate": simulate})
    assert handlers.names == ("mine", "simulate")
    assert handlers.named("mine") is simulate


def test_an_unknown_handler_names_those_there_are():
    with pytest.raises(HandlerUnknown, match=r"handler 'fax' is not registered: one of simulate"):
        Handlers({"simulate": simulate}).named("fax")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_colon", "must be 'module:function'"),
        ("no.such.module:run", "cannot be imported"),
        ("serving.handlers.simulated:missing", "cannot be imported"),
        ("serving.handlers.simulated:_append", "must be an async generator function"),
    ],
)
def test_a_handler_setting_that_leads_nowhere_is_refused(path, reason):
    with pytest.raises(SettingInvalid, match=f"setting handlers.mine is .*{reason}"):
        Handlers.loaded({"mine": path}, {})


def test_simulated_work_takes_its_time_and_leaves_one_effect_a_chunk(tmp_path: Path):
    effects = tmp_path / "effects.txt"
    task = a_task(payload={"slot_hours": 2.0, "chunks": 4, "effects": str(effects)})
    clock = ScaledClock.starting(NOON, 100_000.0)

    async def work(resume: int | None) -> list[tuple[int, float]]:
        context = Context(clock, task, chunk=resume or 0)
        steps = []
        async for step in simulate(task, resume, context):
            steps.append((step.state, step.units_done))
            context.chunk += 1
        return steps

    assert asyncio.run(work(None)) == [(1, 2.5), (2, 5.0), (3, 7.5), (4, 10.0)]
    assert (clock.now() - NOON).total_seconds() >= 2 * 3600
    assert asyncio.run(work(3)) == [(4, 10.0)]
    assert effects.read_text().split() == [f"sale/send/{n}" for n in (0, 1, 2, 3, 3)]
