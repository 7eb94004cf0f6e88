"""Campaigns, tasks and leases as the tests of stores, executors and the scheduler need them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from features.records import Campaign, Task
from serving.scheduling.progress import Progress
from serving.scheduling.states import Event, State
from serving.scheduling.work import Estimate, Forecast, Lease, Move, Outcome, Reached, Standing, Want

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def after(seconds: float = 0, hours: float = 0) -> datetime:
    """A moment after noon."""
    return NOON + timedelta(seconds=seconds, hours=hours)


def a_campaign(campaign_id: str = "sale", **facts: Any) -> Campaign:
    """A sale released at noon, whose value falls over the day from then."""
    given = {
        "account": "acme",
        "kind": "flash_sale",
        "channel": "email",
        "released_at": NOON,
        "ends_at": after(hours=24),
        "work_units": 100.0,
    }
    return Campaign(campaign_id=campaign_id, **{**given, **facts})


def a_task(task_id: str = "send", campaign_id: str = "sale", **facts: Any) -> Task:
    """A simulated task of ten units."""
    return Task(task_id=task_id, campaign_id=campaign_id, **{"handler": "simulate", "units": 10.0, **facts})


def submitted_ready(store: Any, campaign_id: str = "sale", tasks: int = 1, at: datetime = NOON) -> None:
    """Put a campaign into the store and clear it for work."""
    store.submit(a_campaign(campaign_id), [a_task(f"t{n}", campaign_id) for n in range(tasks)], at)
    store.move([Move(campaign_id=campaign_id, before=State.SUBMITTED, event=Event.CLEAR)], at)


def claimed(
    store: Any, campaign_id: str = "sale", at: datetime = NOON, owner: str = "here", for_s: float = 60, **how: Any
) -> Lease:
    """Lease the campaign's next task."""
    (lease,) = store.claim([Want(campaign_id, 1, **how)], owner, at, at + timedelta(seconds=for_s))
    return lease


def reported(
    store: Any, lease: Lease, report: Reached | Outcome, at: datetime = NOON, for_s: float = 60
) -> Lease | None:
    """Report on one lease, and return it as it is then."""
    (answer,) = store.report([(lease, report)], at, at + timedelta(seconds=for_s))
    return answer


def an_estimate(campaign_id: str = "sale", **said: Any) -> Estimate:
    """Of a campaign of $500 and two hours, three at most, of which nothing is done, unless said otherwise."""
    given = {"value": 500.0, "points": 70.0, "p50_h": 2.0, "p90_h": 3.0, "done_when_asked": 0.0, **said}
    left = {"left_p50_h": given["p50_h"], "left_p90_h": given["p90_h"]}
    return Estimate(campaign_id=campaign_id, **{**left, **given})


class DeclaredWorth:
    """A predictor that believes the plan: planned revenue is the value, a hundred work units take an hour.

    What is left of work takes as long as its share of the plan or, `by_pace`, as what is done of it took.
    """

    def __init__(self, dollars: bool = True, rhythm: tuple[float, ...] = ()) -> None:
        self.dollars, self.rhythm, self.by_pace = dollars, rhythm, False
        self.asked: list[str] = []

    async def forecast(self, asked: Sequence[Standing], at: datetime) -> Forecast:
        self.asked += [standing.campaign_id for standing in asked]
        estimates = [self._estimate(standing.campaign, standing.progress) for standing in asked]
        return Forecast(
            model_version="3" if self.dollars else None,
            source="champion" if self.dollars else "matrix",
            horizon_h=12.0,
            index_quantiles=tuple(range(101)) if self.dollars else (),
            estimates=tuple(estimates),
            rhythm=self.rhythm,
        )

    def _estimate(self, campaign: Campaign, progress: Progress) -> Estimate:
        p50_h, p90_h, done = campaign.work_units / 100, campaign.work_units / 70, progress.share_done
        slower = progress.spent_h / (p50_h * done) if self.by_pace and done else 1.0
        return Estimate(
            campaign_id=campaign.campaign_id,
            value=(campaign.planned_revenue or 0.0) if self.dollars else None,
            points=100 * (campaign.urgency or 0.0),
            p50_h=p50_h,
            p90_h=p90_h,
            left_p50_h=p50_h * slower * (1 - done),
            left_p90_h=p90_h * slower * (1 - done),
            done_when_asked=done,
            fallback=None if self.dollars else "no champion",
        )
