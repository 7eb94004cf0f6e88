"""A scheduler on a hand-moved clock: submit, let hours pass, look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from functools import wraps
from random import Random
from typing import Any

from features.records import Task
from serving.clock import ManualClock
from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.contract import Handler
from serving.handlers.python import Handlers, Steps
from serving.handlers.simulated import simulate
from serving.scheduling.ahead.lookout import Beside, Lookout
from serving.scheduling.ahead.outlook import Outlook
from serving.scheduling.board import Board
from serving.scheduling.ports import Store
from serving.scheduling.preemption import Preemption
from serving.scheduling.reasons import Why
from serving.scheduling.rules import NO_RULES, Rules
from serving.scheduling.states import State
from serving.scheduling.tick import Tick
from serving.scheduling.work import Standing
from serving.stores.memory import MemoryStore
from tests.queueing import NOON, DeclaredWorth, a_campaign

LEASE_S = 3600.0


def story(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a coroutine as a test."""

    @wraps(test)
    def told(*case: Any, **fixtures: Any) -> None:
        asyncio.run(test(*case, **fixtures))

    return told


async def let_run(rounds: int = 25) -> None:
    """Let every coroutine that can go on do so."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def until(condition: Callable[[], Any], deadline_s: float = 10.0) -> None:
    """Wait until a condition holds; fail at the deadline."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.001)


async def at_once(look: Callable[[], Outlook]) -> Outlook:
    """Look ahead here and now, in no other process."""
    return look()


def looking(beside: Beside = at_once, since_h: float = NOON.timestamp() / 3600) -> Lookout:
    """Looks ahead only when asked, without rest."""
    return Lookout(every_s=3600, since_h=since_h, beside=beside, rest=0.0)


class Floor:
    """A store, an executor with simulated work, and a scheduler over both."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        slots: int = 1,
        start: datetime = NOON,
        dollars: bool = True,
        handlers: Mapping[str, Handler | Steps] | None = None,
        preemption: Preemption | None = None,
        owner: str = "here",
        emphasis: float = 0.0,
        rules: Rules = NO_RULES,
        looks_ahead: bool = False,
    ) -> None:
        self.store: Store = store or MemoryStore()
        self.clock = ManualClock(start)
        self.predictor = DeclaredWorth(dollars)
        self.wake = asyncio.Event()
        retry = Retry(attempts=3, first_s=600)
        self.executor = LocalExecutor(
            self.store,
            Handlers({"simulate": simulate, **(handlers or {})}),
            self.clock,
            slots=slots,
            lease_s=LEASE_S,
            retry=retry,
            chance=Random(7),
            changed=self.wake.set,
        )
        self.tick = Tick(
            self.store,
            self.executor,
            self.predictor,
            self.clock,
            owner=owner,
            wake=self.wake,
            lease_s=LEASE_S,
            attempts=retry.attempts,
            preemption=preemption or Preemption(factor=1.5, min_run_h=0.0),
            emphasis=emphasis,
            rules=rules,
            lookout=looking(since_h=start.timestamp() / 3600) if looks_ahead else None,
        )

    def submit(self, campaign_id: str, hours: float = 1.0, tasks: int = 1, chunks: int = 4, **facts: Any) -> None:
        """Submit a campaign with tasks of so many slot-hours each, predicted exactly."""
        handler = facts.pop("handler", "simulate")
        campaign = a_campaign(campaign_id, **{"work_units": 100.0 * hours * tasks, **facts})
        payload = {"slot_hours": hours, "chunks": chunks}
        work = [
            Task(task_id=f"t{n}", campaign_id=campaign_id, handler=handler, units=100.0 * hours, payload=payload)
            for n in range(tasks)
        ]
        self.store.submit(campaign, work, self.clock.now())

    async def step(self) -> None:
        """Step until nothing moves any more, as the loop does."""
        self.wake.set()
        while self.wake.is_set():
            self.wake.clear()
            await self.tick.step()
            await let_run()

    async def foreseen(self, campaign_id: str) -> Board:
        """The board once an outlook has a campaign."""
        self.tick.foresee(campaign_id)
        await until(lambda: campaign_id in self.tick.board.etas)
        return self.tick.board

    async def look_ahead(self) -> None:
        """Have an outlook taken now."""
        before = self.tick.board.etas
        self.tick.foresee("whoever comes next")
        await until(lambda: self.tick.board.etas is not before, deadline_s=60)

    async def pass_hours(self, hours: float, every_h: float = 0.125) -> None:
        """Let time pass, stepping as it does."""
        await self.step()
        for _ in range(round(hours / every_h)):
            self.clock.advance(every_h * 3600)
            await let_run()
            await self.step()

    async def pass_until(self, moment: datetime) -> None:
        """Let time pass up to a moment, stepping whenever anything happens: nothing is late by a grain of time."""
        await self.step()
        while (now := self.clock.now()) < moment:
            waking = self.clock.next_waking()
            upcoming = moment if waking is None else min(waking, moment)
            self.clock.advance((upcoming - now).total_seconds())
            await let_run()
            await self.step()

    def why(self, campaign_id: str) -> Why | None:
        """Why a campaign does not run, as of the last step."""
        entry = self.tick.board.entry(campaign_id)
        return None if entry is None else entry.why

    def began_h(self, campaign_id: str) -> float | None:
        """When a campaign first got a slot, hours after noon."""
        return hours_after_noon(self.standing(campaign_id).begun_at)

    def standing(self, campaign_id: str) -> Standing:
        """Where a campaign stands now."""
        return self.store.standing(campaign_id, self.clock.now())

    def states(self) -> dict[str, State]:
        """The state of every live campaign."""
        return {s.campaign_id: s.state for s in self.store.live(self.clock.now()).standings}

    def running(self) -> list[str]:
        """The campaigns on the slots."""
        return [r.lease.task.campaign_id for r in self.executor.running()]

    def launch_order(self) -> list[str]:
        """Campaigns that are done, by when."""
        done = self.store.launched(self.clock.now())
        return [s.campaign_id for s in sorted(done, key=lambda s: s.launched_at or NOON)]

    def completions(self) -> list[tuple[str, str]]:
        """Every completion ever recorded, in order."""
        return [(r["campaign_id"], r["task_id"]) for r in self.store.rows("runs") if r["outcome"] == "done"]


def hours_after_noon(moment: datetime | None) -> float | None:
    """A moment as hours after the tests' noon."""
    return None if moment is None else (moment - NOON) / timedelta(hours=1)
