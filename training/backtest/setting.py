"""The setting of the play: campaigns and revenue are the data's; workers, times and releases are simulated.

Four workers take the campaigns of a week. The data do not say how long work takes, so it is made up, and figures
must say so: slot-hours in proportion to 500 + work units, the week's total as much as the load says, times noise
that no order of work gets to see. Nor do they say when work may start: see `Release`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

import numpy as np
import pandas as pd

from features.contract import FEATURE_NAMES
from features.curves import Floats, Indices, hours
from features.matrix import Matrix
from features.records import Campaign
from features.rhythm import Rhythm
from features.schema import campaigns_of
from serving.model import ProcessingPrior
from training.datasets.complete_journey import CompleteJourney, week_start
from training.datasets.truth import HourlyValue
from training.durations import prior, simulated_hours

DAY_H = 24.0


class Release(StrEnum):
    """When a week's campaigns may be worked on, and in which part of the week they earn.

    `together` : all on Monday 00:00. First come, first served then follows a random order of arrival.
    `staggered` : evenly within 36 hours either side of Monday 00:00; they earn from Monday on.
    `mixed_windows` : each earns from the start of one of the first four days, for one to four days (evenly drawn,
        cut at the week's end), and is released between 24 hours before and 6 hours after that.
    """

    TOGETHER = "together"
    STAGGERED = "staggered"
    MIXED_WINDOWS = "mixed_windows"


FILL_H = {Release.TOGETHER: 72.0, Release.STAGGERED: 72.0, Release.MIXED_WINDOWS: 96.0}
"""Hours that load 1.0 keeps every worker busy."""


@dataclass(frozen=True)
class Setting:
    """What is simulated, and how often.

    Attributes
    ----------
    workers : slots.
    load : the week's work as a share of `workers` x `fill_h` slot-hours.
    due_h : a campaign done within these hours of its start is on time.
    replicates : how often each week is played, with fresh noise, a fresh order of arrival and fresh releases.
    preemptive : runners give way at a checkpoint, one an hour, by the live scheduler's own rule.
    expire : never start what can no longer earn, as the live scheduler does. By default the queue does not know,
        as the plain queues do not that the others are compared with.
    """

    workers: int = 4
    load: float = 1.0
    due_h: float = 24.0
    replicates: int = 8
    seed: int = 0
    release: Release = Release.TOGETHER
    preemptive: bool = False
    expire: bool = False

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("replicates", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} {getattr(self, name)} must be {least} or more")
        if not 0 < self.load < np.inf:
            raise ValueError(f"load {self.load} must be a number above 0")

    @property
    def fill_h(self) -> float:
        """Hours that load 1.0 keeps every worker busy."""
        return FILL_H[self.release]


@dataclass(frozen=True)
class Draw:
    """The chance of one replicate of a week, the same for every order of work; one entry a campaign.

    Attributes
    ----------
    actual_h : what its processing really takes, slot-hours.
    turn : its place in the order of arrival, from 0 to below 1.
    released_h, starts_h, ends_h : when it may be worked on, and from when to when it earns; hours since the epoch.
    """

    actual_h: Floats
    turn: Floats
    released_h: Floats
    starts_h: Floats
    ends_h: Floats


@dataclass(frozen=True)
class PlayedWeek:
    """A week's campaigns, what was known about them at its start, and what came true.

    Attributes
    ----------
    features : one row a campaign, as of `start_h` (hours since the epoch). Work released before is judged by them
        too: up to 36 hours of what nobody could know yet, the same for every order of work.
    points : of the hand-weighted matrix.
    prior : of processing times; known to every order of work.
    rhythm : of the market, as known at `start_h`; None where too little was known.
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
    rhythm: Rhythm | None = None

    @property
    def units(self) -> Floats:
        """Work units of each campaign."""
        return np.array([c.work_units for c in self.campaigns])

    @property
    def true_value(self) -> Floats:
        """Dollars of each campaign if live from its start."""
        return self.truth.total[self.rows]

    def paid(self, live_h: Floats, draw: Draw | None = None) -> Floats:
        """Dollars each campaign earns when it goes live at `live_h`, hours since the epoch; infinite for never.

        Within the windows of a draw, or the whole week's without one.
        """
        opened_h = self.truth.starts_h[self.rows]
        if draw is None:
            return self.truth.left(self.rows, live_h - opened_h)
        live = np.clip(live_h, draw.starts_h, draw.ends_h)
        after: Floats = self.truth.left(self.rows, draw.ends_h - opened_h)
        return self.truth.left(self.rows, live - opened_h) - after

    def worth(self, draw: Draw) -> Floats:
        """Dollars of each campaign if live from the start of its window."""
        return self.paid(draw.starts_h, draw)

    def window_share(self, draw: Draw, rhythm: Rhythm | None = None) -> Floats:
        """How much of a week's value is expected to fall into each window: by a rhythm, else with the calendar."""
        opened_h, closed_h = self.truth.starts_h[self.rows], self.truth.ends_h[self.rows]
        if rhythm is None:
            share: Floats = (draw.ends_h - draw.starts_h) / (closed_h - opened_h)
            return share
        opened, starts, ends, closed = (rhythm.elapsed(h) for h in (opened_h, draw.starts_h, draw.ends_h, closed_h))
        return (ends - starts) / (closed - opened)

    def draw(self, setting: Setting, replicate: int) -> Draw:
        """The chance of one replicate."""
        chance = np.random.default_rng([setting.seed, self.week, replicate])
        n = len(self.campaigns)
        actual_h, turn = simulated_hours(self.prior, self.units, chance), chance.permutation(n) / n
        opened, closed = self.truth.starts_h[self.rows], self.truth.ends_h[self.rows]
        if setting.release is Release.MIXED_WINDOWS:
            starts = self.start_h + DAY_H * chance.integers(0, 4, n).astype(float)
            ends: Floats = np.minimum(starts + DAY_H * chance.integers(1, 5, n).astype(float), closed)
            return Draw(actual_h, turn, starts - chance.uniform(-6, 24, n), starts, ends)
        early_h = 36.0 if setting.release is Release.STAGGERED else 0.0
        return Draw(actual_h, turn, self.start_h + chance.uniform(-early_h, early_h, n), opened, closed)

    def under(self, setting: Setting) -> Self:
        """The same week with processing times as another setting has them."""
        return replace(self, prior=prior(self.units, setting.workers, setting.fill_h * setting.load))


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
        _played_week(journey, features.loc[chosen], [by_id[i] for i in chosen], week, setting)
        for week, chosen in ids.items()
    ]


def _played_week(
    journey: CompleteJourney, features: pd.DataFrame, campaigns: list[Campaign], week: int, setting: Setting
) -> PlayedWeek:
    return PlayedWeek(
        week=week,
        start_h=hours(week_start(week)),
        campaigns=campaigns,
        features=features,
        points=Matrix.default().points(campaigns, features[list(FEATURE_NAMES)].to_numpy(dtype=float)),
        prior=prior([c.work_units for c in campaigns], setting.workers, setting.fill_h * setting.load),
        truth=journey.truth,
        rows=journey.truth.rows([c.campaign_id for c in campaigns]),
        rhythm=journey.sales.rhythm(week_start(week)),
    )
