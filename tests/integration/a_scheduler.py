"""A scheduler to be killed; ends when all is done.

It submits the same campaigns at every start, as an owner who got no answer would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from multiprocessing.synchronize import Event
from random import Random

from features.records import Task
from serving.clock import ScaledClock
from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.python import Handlers
from serving.handlers.simulated import simulate
from serving.scheduling.preemption import Preemption
from serving.scheduling.tick import Tick
from serving.stores.sql import SqlStore
from tests.queueing import NOON, DeclaredWorth, a_campaign, after

TASKS, CHUNKS, SLOTS, UNITS = 8, 4, 4, 10.0
SCALE = 3600.0
"""A second is an hour."""


ATTEMPTS = 50
"""A task is not at fault for dying with its scheduler, again and again."""


def plan(campaigns: int, effects: str) -> list[tuple[str, list[Task]]]:
    """Every campaign's name and tasks; a quarter of a slot-hour each."""
    payload = {"slot_hours": 0.25, "chunks": CHUNKS, "effects": effects}
    return [
        (
            f"c{n}",
            [
                Task(task_id=f"t{k}", campaign_id=f"c{n}", handler="simulate", units=UNITS, payload=payload)
                for k in range(TASKS)
            ],
        )
        for n in range(campaigns)
    ]


async def main(url: str, effects: str, campaigns: int, begun: Callable[[], None]) -> None:
    """Submit, schedule and work until every campaign is done; `begun` is called when that begins."""
    store = SqlStore(url)
    clock = ScaledClock.continued(store, NOON, SCALE)
    wake = asyncio.Event()
    lease_s = 60 * SCALE
    executor = LocalExecutor(
        store,
        Handlers({"simulate": simulate}),
        clock,
        slots=SLOTS,
        lease_s=lease_s,
        retry=Retry(attempts=ATTEMPTS),
        chance=Random(),
        changed=wake.set,
    )
    tick = Tick(
        store,
        executor,
        DeclaredWorth(),
        clock,
        owner="the only one",
        wake=wake,
        lease_s=lease_s,
        attempts=ATTEMPTS,
        preemption=Preemption(factor=1.0, min_run_h=0.0),
    )
    loop = asyncio.create_task(tick.run())
    begun()
    for n, (name, tasks) in enumerate(plan(campaigns, effects)):
        store.submit(a_campaign(name, ends_at=after(hours=5000), planned_revenue=100.0 * n), tasks, clock.now())
        await tick.refreshed()
    while tick.board.entries:
        await tick.refreshed()
        await asyncio.sleep(0.01)
    await tick.stop(grace_s=5)
    await loop
    store.close()


def run(url: str, effects: str, campaigns: int, begun: Event) -> None:
    """Be that scheduler."""
    asyncio.run(main(url, effects, campaigns, begun.set))
