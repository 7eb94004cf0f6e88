"""Clocks: a scaled one goes on over restarts, a manual one moves only by hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from serving.clock import ManualClock, ScaledClock, SystemClock
from serving.stores.memory import MemoryStore
from tests.queueing import NOON, after


def test_a_scaled_clock_runs_so_many_times_as_fast():
    real = SystemClock().now() - timedelta(seconds=100)
    shown = ScaledClock(real, NOON, 3600.0).now()
    assert after(hours=100) <= shown < after(hours=100 + 10)


def test_a_scaled_clock_waits_in_its_own_seconds():
    async def waited() -> timedelta:
        clock = ScaledClock.starting(NOON, 360_000.0)
        await clock.sleep(3600)
        return clock.now() - NOON

    assert asyncio.run(waited()) >= timedelta(hours=1)


def test_a_restart_continues_the_same_scaled_clock():
    store = MemoryStore()
    first = ScaledClock.continued(store, NOON, 100.0)
    again = ScaledClock.continued(store, datetime(2030, 1, 1, tzinfo=UTC), 7.0)
    assert again == first


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_a_clock_that_stands_still_or_runs_backwards_is_refused(scale):
    with pytest.raises(ValueError, match=r"scale .* must be above 0"):
        ScaledClock(NOON, NOON, scale)


def test_the_system_clock_tells_utc():
    assert SystemClock().now().utcoffset() == timedelta(0)
    asyncio.run(SystemClock().sleep(-1))


def test_a_manual_clock_wakes_sleepers_when_it_is_moved_past_their_moment():
    async def story() -> list[str]:
        clock, woken = ManualClock(NOON), []

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append(name)

        jobs = [asyncio.create_task(sleeper(name, s)) for name, s in (("late", 20), ("early", 10), ("at once", 0))]
        await asyncio.sleep(0)
        jobs.append(asyncio.create_task(sleeper("cancelled", 5)))
        await asyncio.sleep(0)
        jobs.pop().cancel()
        clock.advance(9)
        await asyncio.sleep(0)
        assert woken == ["at once"]
        clock.advance(11)
        await asyncio.gather(*jobs)
        assert clock.now() == after(20)
        return woken

    assert asyncio.run(story()) == ["at once", "early", "late"]
