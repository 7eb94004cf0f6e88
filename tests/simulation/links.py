"""What lies between a process and the store, and between the scheduler and the prediction API: it may fail."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

from serving.scheduling.ports import Store
from serving.scheduling.work import Estimate, Forecast, Standing
from tests.simulation.plagues import Plague
from tests.simulation.virtual import VirtualLoop

HORIZON_H = 1.0
LATER_S = (1.0, 90.0, 900.0)
"""How much later a report comes a second time."""


class Unreachable(Exception):
    """The store did not answer: what was asked of it may or may not have been done."""


class Link:
    """A process's connection to the store; has the store's methods.

    Attributes
    ----------
    cut : nothing gets through any more, as when the process is dead or cut off.
    muted : no report and no heartbeat gets through.
    """

    def __init__(self, store: Store, plague: Plague, chance: Random, faults: Counter[str], loop: VirtualLoop) -> None:
        self._store, self._plague, self._chance, self._faults, self._loop = store, plague, chance, faults, loop
        self.cut = self.muted = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)
        if name == "at_once":
            return partial(self._at_once, method)
        call = self._reporting(method) if name == "report" else self._calling(method, name)
        setattr(self, name, call)
        return call

    def _calling(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        reports = name in ("report", "extend")
        plague, chance, faults = self._plague, self._chance, self._faults

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.cut or (self.muted and reports):
                raise Unreachable(name)
            drawn = chance.random()
            if drawn < plague.lost:
                faults["report lost" if reports else "store error before"] += 1
                raise Unreachable(name)
            answer = method(*args, **kwargs)
            if drawn > 1 - plague.unanswered:
                faults["reply lost" if reports else "store error after"] += 1
                raise Unreachable(name)
            return answer

        return call

    @contextmanager
    def _at_once(self, method: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
        """Calls that become durable together; it may fail that they do, or that this is heard of."""
        drawn = self._chance.random()
        with method():
            yield
            if drawn < self._plague.lost:
                self._faults["store error before"] += 1
                raise Unreachable("at_once")
        if drawn > 1 - self._plague.unanswered:
            self._faults["store error after"] += 1
            raise Unreachable("at_once")

    def _reporting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Reports, which the way to the store may also double."""
        once = self._calling(method, "report")

        def call(*args: Any) -> Any:
            doubled = self._chance.random()
            if doubled < self._plague.late_again:
                self._faults["report late again"] += 1
                self._loop.later(self._chance.choice(LATER_S), method, *args)
            answer = once(*args)
            if doubled > 1 - self._plague.doubled:
                self._faults["report doubled"] += 1
                method(*args)
            return answer

        return call


class Oracle:
    """A predictor that errs a little about each campaign, the less the more is done; the matrix stands in for it."""

    def __init__(self, seed: int, dollars: bool, plague: Plague, faults: Counter[str], loop: VirtualLoop) -> None:
        self._seed, self._dollars, self._plague = seed, dollars, plague
        self._faults, self._loop = faults, loop

    async def forecast(self, asked: Sequence[Standing], at: datetime) -> Forecast:
        """One estimate a campaign, in the order asked; see `Predictor.forecast`."""
        now, dollars = self._loop.time(), self._dollars
        for outage in self._plague.outages:
            if outage.from_s <= now < outage.to_s:
                self._faults["prediction late" if outage.late_s else "prediction down"] += 1
                dollars = dollars and bool(outage.late_s)
                await asyncio.sleep(outage.late_s)
        return Forecast(
            model_version="3" if dollars else None,
            source="champion" if dollars else "matrix",
            horizon_h=HORIZON_H,
            index_quantiles=tuple(float(q) for q in range(0, 1000, 10)) if dollars else (),
            estimates=tuple(self._estimate(standing, dollars) for standing in asked),
        )

    def _estimate(self, standing: Standing, dollars: bool) -> Estimate:
        campaign, done = standing.campaign, standing.progress.share_done
        error = Random(f"{self._seed}/{campaign.campaign_id}").choice((0.5, 0.9, 1.0, 1.0, 1.5))
        true_h = campaign.work_units / 3600
        hours, left_h = true_h * error, true_h * (1 - done) * (error + (1 - error) * done)
        return Estimate(
            campaign_id=campaign.campaign_id,
            value=campaign.planned_revenue or 0.0 if dollars else None,
            points=100 * (campaign.urgency or 0.0),
            p50_h=hours,
            p90_h=hours * 1.5,
            left_p50_h=left_h,
            left_p90_h=left_h * 1.5,
            done_when_asked=done,
            fallback=None if dollars else "no champion",
        )
