"""The setting of the play: campaigns, windows and revenue are the data's; workers and processing times are simulated.

All of a week's campaigns are released together on its Monday, 00:00, to four workers that never interrupt what
they started. The data do not say how long work takes, so it is made up, and figures must say so: slot-hours in
proportion to 500 + work units, the week's total as much as the load says, times noise that no order of work
gets to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from features.contract import FEATURE_NAMES
from features.curves import Floats, Indices, hours
from features.matrix import Matrix
from features.records import Campaign
from features.schema import campaigns_of
from serving.model import ProcessingPrior
from training.datasets.complete_journey import CompleteJourney, week_start
from training.datasets.truth import HourlyValue
from training.durations import prior, simulated_hours


@dataclass(frozen=True)
class Setting:
    """What is simulated, and how often.

    Attributes
    ----------
    workers : slots.
    load : the week's work as a share of `workers` x `fill_h` slot-hours.
    fill_h : hours that load 1.0 keeps every worker busy.
    due_h : a campaign done within these hours of its start is on time.
    replicates : how often each week is played, with fresh noise and a fresh order of arrival.
    """

    workers: int = 4
    load: float = 1.0
    fill_h: float = 72.0
    due_h: float = 24.0
    replicates: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("replicates", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} {getattr(self, name)} must be {least} or more")
        if not 0 < self.load < np.inf:
            raise ValueError(f"load {self.load} must be a number above 0")


@dataclass(frozen=True)
class Draw:
    """The chance of one replicate of a week, the same for every order of work.

    `actual_h` is what each campaign's processing really takes, in slot-hours; `turn` is its place in the order of
    arrival, from 0 to below 1.
    """

    actual_h: Floats
    turn: Floats


@dataclass(frozen=True)
class PlayedWeek:
    """A week's campaigns, what was known about them at its start, and what came true.

    Attributes
    ----------
    features : one row a campaign, as of `start_h` (hours since the epoch).
    points : of the hand-weighted matrix.
    prior : of processing times; known to every order of work.
    rows : its campaigns' rows of `truth`.
    """

    week: int
    start_h: float
    campaigns: Sequence[Campaign]
    features: pd.DataFrame
    points: Floats
    prior: ProcessingPrior
    truth: HourlyValue = field(repr=False)
    rows: Indices = field(repr=False)

    @property
    def units(self) -> Floats:
        """Work units of each campaign."""
        return np.array([c.work_units for c in self.campaigns])

    @property
    def true_value(self) -> Floats:
        """Dollars of each campaign if live from its start."""
        return self.truth.total[self.rows]

    def paid(self, live_h: Floats) -> Floats:
        """Dollars each campaign earns when it goes live at `live_h`, hours since the epoch; infinite for never."""
        return self.truth.left(self.rows, live_h - self.truth.starts_h[self.rows])

    def draw(self, seed: int, replicate: int) -> Draw:
        """The chance of one replicate."""
        chance = np.random.default_rng([seed, self.week, replicate])
        n = len(self.campaigns)
        return Draw(simulated_hours(self.prior, self.units, chance), chance.permutation(n) / n)


def played_weeks(
    journey: CompleteJourney, features: pd.DataFrame, weeks: Iterable[int], setting: Setting
) -> list[PlayedWeek]:
    """The weeks, ready to play.

    Parameters
    ----------
    features : by campaign id, each campaign's as of its release.
    weeks : of the data's calendar.
    """
    ids = {week: journey.campaign_ids([week]) for week in weeks}
    records = campaigns_of(journey.history, [campaign_id for chosen in ids.values() for campaign_id in chosen])
    by_id = {c.campaign_id: c for c in records}
    return [
        _played_week(journey.truth, features.loc[chosen], [by_id[i] for i in chosen], week, setting)
        for week, chosen in ids.items()
    ]


def _played_week(
    truth: HourlyValue, features: pd.DataFrame, campaigns: list[Campaign], week: int, setting: Setting
) -> PlayedWeek:
    return PlayedWeek(
        week=week,
        start_h=hours(week_start(week)),
        campaigns=campaigns,
        features=features,
        points=Matrix.default().points(campaigns, features[list(FEATURE_NAMES)].to_numpy(dtype=float)),
        prior=prior([c.work_units for c in campaigns], setting.workers, setting.fill_h * setting.load),
        truth=truth,
        rows=truth.rows([c.campaign_id for c in campaigns]),
    )
