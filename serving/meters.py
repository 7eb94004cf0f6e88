"""What the scheduler tells of itself in `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

from prometheus_client import Gauge

from serving.breaker import State
from serving.scheduling.load import Load

_EVERY_S = 1.0


@cache
def prediction_api() -> Callable[[State], None]:
    """Shows a breaker's state in `/metrics`; made once a process."""
    gauge = Gauge(
        "precedence_prediction_api_state",
        "0 while the scheduler asks the prediction API, 1 while it tries whether it is back, 2 while it rests",
        multiprocess_mode="livemax",
    )
    order = [State.CLOSED, State.HALF_OPEN, State.OPEN]
    gauge.set(0)
    return lambda state: gauge.set(order.index(state))


@cache
def _of_load() -> tuple[Gauge, ...]:
    """Made once a process."""
    kind: Any = {"multiprocess_mode": "livemax"}
    return (
        Gauge("precedence_backlog_tasks", "Tasks that run or could start now", **kind),
        Gauge("precedence_backlog_slot_hours", "Slot-hours predicted for that work", **kind),
        Gauge("precedence_slots", "Slots there are to work it off", **kind),
        Gauge("precedence_drain_seconds", "Seconds until all of it is done on these slots", **kind),
        Gauge("precedence_workers_wanted", "Workers that would be done with it in time", **kind),
    )


def load(within_h: float, slots_each: int) -> Callable[[Load], None]:
    """Shows a load in `/metrics`, and the workers of `slots_each` that would be done with it `within_h`."""
    tasks, slot_hours, slots, drain, wanted = _of_load()

    def show(now: Load) -> None:
        tasks.set(now.tasks)
        slot_hours.set(now.slot_h)
        slots.set(now.slots)
        drain.set(now.drain_h * 3600)
        wanted.set(now.workers_wanted(within_h, slots_each))

    return show


async def show_again_and_again(now: Callable[[], Load], show: Callable[[Load], None]) -> None:
    """Show the load there is, every second, until cancelled."""
    while True:
        show(now())
        await asyncio.sleep(_EVERY_S)
