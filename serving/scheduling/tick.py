"""The scheduler's loop: read how everything stands, decide, carry out, log; again when something happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from features.rhythm import Rhythm
from serving.clock import Clock
from serving.priority import Scale
from serving.scheduling.board import Board, Policy
from serving.scheduling.decide import decide, logged
from serving.scheduling.ports import Executor, Predictor, Store
from serving.scheduling.preemption import Preemption
from serving.scheduling.work import Forecast, Standing

log = logging.getLogger(__name__)

_LOCK = "scheduler"
_MOST_ASKED = 1_000
"""Campaigns one step asks the model about; the next step asks about the others."""
_SOONER = 30
"""How many times as often a model is asked again when it was the matrix that answered."""
_HORIZON_H = 12.0
"""Only until the first forecast brings its own."""


class Tick:
    """Schedules the campaigns of a store onto an executor.

    Decides late: a task is leased only when a slot is free for it, so what is submitted or changed a moment before is
    still ranked with the rest. One process at a time leads, by a lock in the store; others stand by.

    Parameters
    ----------
    owner : a name no other living scheduler bears, such as host and port. A restart under the same name takes over at
        once what it held before; under another name, when the leases run out.
    wake : set by whoever knows that something changed; see `LocalExecutor`.
    lease_s : seconds of the clock for which a task, and the lead, are held without a sign of life.
    attempts : failures or losses of one chunk after which its task becomes a dead letter.
    refresh_s : seconds of the clock after which a campaign is estimated anew.
    emphasis : how far large campaigns are favoured over what a slot-hour earns, 0-1.

    Attributes
    ----------
    board : the queue as the last step left it.
    steps, failed_steps : how many were taken, and how many of them broke off.
    failing, failure : how many broke off in a row up to now, and what the last of them raised.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor,
        predictor: Predictor,
        clock: Clock,
        *,
        owner: str,
        wake: asyncio.Event,
        lease_s: float,
        attempts: int,
        refresh_s: float = 900.0,
        preemption: Preemption | None = None,
        emphasis: float = 0.0,
    ) -> None:
        self._store, self._executor, self._predictor, self._clock = store, executor, predictor, clock
        self._owner, self._wake, self._attempts = owner, wake, attempts
        self._lease, self._refresh = timedelta(seconds=lease_s), timedelta(seconds=refresh_s)
        self._policy = Policy(_HORIZON_H, None, preemption or Preemption(), emphasis)
        self._knows_scale = False
        self._led_until: datetime | None = None
        self._waiting: list[asyncio.Future[Board]] = []
        self._stopping = False
        self.board = Board.of([], executor.slots, self._policy, clock.now())
        self.steps = self.failed_steps = self.failing = 0
        self.failure: Exception | None = None

    async def run(self) -> None:
        """Step whenever something happened or is due, until stopped. A step that fails is logged, and tried again."""
        while not self._stopping:
            self._wake.clear()
            asked, self._waiting = self._waiting, []
            try:
                due = await self.step()
                self.failing = 0
            except Exception as error:
                self.failure = error
                self.failed_steps += 1
                self.failing += 1
                log.exception("step_failed", extra={"failed_steps": self.failed_steps})
                due = None
            for answer in asked:
                if not answer.done():
                    answer.set_result(self.board)
            await self._until(due)

    async def stop(self, grace_s: float) -> None:
        """End the loop, let running tasks reach a checkpoint within `grace_s` seconds of the wall clock, settle all."""
        self._stopping = True
        self._wake.set()
        await self._executor.stop(grace_s)

    async def refreshed(self) -> Board:
        """The board of a step that begins after this call; calls made meanwhile share one step of the running loop."""
        answer: asyncio.Future[Board] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._wake.set()
        return await answer

    async def step(self) -> datetime | None:
        """Take one step, and return when the next is due although nothing happens; None for whenever."""
        self.steps += 1
        if not self._leads(self._clock.now()):
            return None
        self._store.recover(self._clock.now(), attempts=self._attempts)
        standings = await self._estimated()
        at = self._clock.now()
        plan = decide(standings, self._executor.running(), self._executor.slots, self._policy, at)
        self._store.move(plan.moves)
        leases = []
        if plan.free and plan.starts:
            leases = self._store.claim(plan.starts, plan.free, self._owner, at, at + self._lease)
        for lease in leases:
            self._executor.start(lease)
        for giving_way in plan.yields:
            preempted = giving_way.challenger is not None
            self._executor.give_way(giving_way.running.lease.lease_id, preempted=preempted)
        self._store.decided(logged(plan, [lease.task.campaign_id for lease in leases]))
        self.board = plan.board.started(leases)
        if plan.moves:
            self._wake.set()  # whoever waited for one that moved is judged at once
        return plan.look_again

    def _leads(self, at: datetime) -> bool:
        """Whether this scheduler holds the lead; kept with half a lease to spare, so that most steps need not write."""
        if self._led_until is not None and at < self._led_until - self._lease / 2:
            return True
        held = self._store.hold(_LOCK, self._owner, at, at + self._lease)
        if held and self._led_until is None:
            lost = self._store.recover(at, attempts=self._attempts, owner=self._owner)
            log.info("leading", extra={"owner": self._owner, "recovered": lost})
        self._led_until = at + self._lease if held else None
        return held

    async def _estimated(self) -> list[Standing]:
        """Live campaigns, after asking about those never estimated, changed since, or estimated long ago."""
        at = self._clock.now()
        standings = self._store.live(at)
        stale = [s for s in standings if s.estimated_at is None or at - s.estimated_at >= self._good_for(s)]
        stale.sort(key=lambda s: s.estimated_at is not None)  # the never estimated first: they cannot start without
        asked = stale[:_MOST_ASKED]
        if not asked and self._knows_scale:
            return standings
        forecast = await self._predictor.forecast([s.campaign for s in asked], at)
        scale = Scale(np.array(forecast.index_quantiles)) if forecast.index_quantiles else None
        rhythm = Rhythm.of(forecast.rhythm)
        self._policy = replace(self._policy, horizon_h=forecast.horizon_h, scale=scale, rhythm=rhythm)
        self._knows_scale = True
        self._store.estimated(asked, forecast, self._scores(asked, forecast, at), at)
        if len(stale) > len(asked):
            self._wake.set()
        return self._store.live(self._clock.now())

    def _good_for(self, standing: Standing) -> timedelta:
        """How long an estimate is relied on: the matrix only stands in, and for as short as can be."""
        return self._refresh / _SOONER if standing.source == "matrix" else self._refresh

    def _scores(self, asked: Sequence[Standing], forecast: Forecast, at: datetime) -> list[float | None]:
        estimated = [replace(s, estimate=e) for s, e in zip(asked, forecast.estimates, strict=True)]
        return Board.of(estimated, self._executor.slots, self._policy, at).scores

    async def _until(self, due: datetime | None) -> None:
        """Wait until woken or due, a third of a lease at most: leases of others run out unannounced."""
        wait = self._lease / 3 if due is None else min(due - self._clock.now(), self._lease / 3)
        waits = {
            asyncio.ensure_future(self._wake.wait()),
            asyncio.ensure_future(self._clock.sleep(max(wait.total_seconds(), 0.0))),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pending in waits:
                pending.cancel()
