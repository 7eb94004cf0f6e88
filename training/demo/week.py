"""One held-out week, lived by the services: real campaigns and results, simulated processing times, one crash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from features.records import Campaign, Kpi, Metric, Task
from features.schema import History, campaigns_of
from serving.client import QueueClient
from serving.scheduling.ports import Store
from serving.scheduling.states import LIVE
from training.datasets.complete_journey import CompleteJourney
from training.durations import prior, simulated_hours

CHUNKS = 4
"""Checkpoints a campaign passes."""


@dataclass(frozen=True)
class LiveWeek:
    """A week's campaigns with the one task each consists of."""

    campaigns: list[Campaign]
    tasks: dict[str, Task]

    @classmethod
    def of(cls, journey: CompleteJourney, week: int, workers: int, fill_h: float, effects: Path, seed: int) -> LiveWeek:
        """The week's campaigns; its work keeps `workers` busy for `fill_h` hours.

        Parameters
        ----------
        effects : file to which each chunk of work appends its idempotency key.
        """
        campaigns = campaigns_of(journey.history, journey.campaign_ids([week]))
        units = [c.work_units for c in campaigns]
        slot_hours = simulated_hours(prior(units, workers, fill_h), units, np.random.default_rng(seed))
        tasks = {
            campaign.campaign_id: Task(
                task_id="launch",
                campaign_id=campaign.campaign_id,
                handler="simulate",
                units=campaign.work_units,
                payload={"slot_hours": float(needed), "chunks": CHUNKS, "effects": str(effects)},
            )
            for campaign, needed in zip(campaigns, slot_hours, strict=True)
        }
        return cls(campaigns, tasks)

    def submit(self, client: QueueClient, submitted: Callable[[int], None]) -> None:
        """Put every campaign to the queue, in no order that matters; tells how many are in."""
        for count, campaign in enumerate(self.campaigns, start=1):
            client.submit(campaign, [self.tasks[campaign.campaign_id]])
            submitted(count)


def results_after(history: History, launched: dict[str, datetime]) -> pd.DataFrame:
    """The rows of KPIs from the moment each campaign went live on, of those that did."""
    kpis = history.kpis[history.kpis.campaign_id.isin(launched)]
    return kpis[kpis["at"] >= kpis.campaign_id.map(launched)]


def results_of(history: History, launched: dict[str, datetime]) -> list[Kpi]:
    """What campaigns brought after they went live: the real results, hour by hour, from the first full hour on."""
    return [
        Kpi(
            campaign_id=campaign,
            target_id=target,
            at=at.to_pydatetime(),
            known_at=known.to_pydatetime(),
            metric=Metric(metric),
            value=value,
        )
        for campaign, target, at, known, metric, value in results_after(history, launched).itertuples(index=False)
    ]


def finished(client: QueueClient, total: int) -> int:
    """How many of the campaigns submitted are not live any more."""
    return total - client.queue(limit=1).total


@dataclass(frozen=True)
class Durability:
    """What became of the campaigns submitted over a crash.

    Attributes
    ----------
    submitted, finished, lost : campaigns; lost ones are neither done nor ended with a recorded reason.
    finished_twice : campaigns with a task recorded as done more than once.
    chunks_again : chunks whose effect was produced a second time, under the same idempotency key.
    preemptions : how often campaigns gave way to others.
    states : campaigns by final state.
    """

    submitted: int
    finished: int
    lost: int
    finished_twice: int
    chunks_again: int
    preemptions: int
    states: dict[str, int]

    @property
    def holds(self) -> bool:
        """Nothing lost, nothing finished twice."""
        return self.lost == 0 and self.finished_twice == 0

    @classmethod
    def of(cls, store: Store, week: LiveWeek, effects: Path, at: datetime) -> Durability:
        """Count in the store and in the effects, after the week."""
        standings = [store.standing(c.campaign_id, at) for c in week.campaigns]
        states = Counter(str(s.state) for s in standings)
        done = Counter((run["campaign_id"], run["task_id"]) for run in store.rows("runs") if run["outcome"] == "done")
        keys = Counter(effects.read_text(encoding="utf-8").split()) if effects.exists() else Counter[str]()
        return cls(
            submitted=len(standings),
            finished=states["done"],
            lost=sum(states[str(state)] for state in LIVE),
            finished_twice=sum(count > 1 for count in done.values()),
            chunks_again=sum(count - 1 for count in keys.values()),
            preemptions=sum(s.preemptions for s in standings),
            states=dict(states),
        )


def week_end(week: LiveWeek) -> datetime:
    """When the last of the week's results is known."""
    return max(c.ends_at for c in week.campaigns if c.ends_at is not None) + timedelta(hours=1)
