"""The market's rhythm, learned from when past campaigns earned what they earned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import pandas as pd

from features.asof import HOUR, hours_of, later
from features.curves import Floats, Indices, hours
from features.ledgers import accrues_from, matured_results, window_ends
from features.rhythm import WEEK_H, Rhythm
from features.schema import History

HALF_LIFE = timedelta(weeks=4)
"""A result weighs half as much for every four weeks of age: habits drift, and clocks are put forward and back."""

LEAST_RESULTS = 10 * WEEK_H
"""With fewer than ten results an hour the noise would be taken for a rhythm."""

LEAST_HOURS_OF_DAY = 12
"""Results that are dated by the day, say all at midnight, tell nothing of hours."""

PRIOR_RESULTS = 5.0
"""How many results at the mean rate each hour is given besides its own, so that no hour is ever thought dead."""


@dataclass(frozen=True)
class Sales:
    """Past results by the hour, ready to ask for the rhythm as it was known at any moment.

    Attributes
    ----------
    hour : of the week, one entry a result; `dollars`, and `known_h` when it counts (hours since the epoch).
    campaign : the row of its campaign.
    live_h, ends_h : from when to when each campaign earned, hours since the epoch.
    """

    hour: Indices
    dollars: Floats
    known_h: Floats
    campaign: Indices
    live_h: Floats
    ends_h: Floats

    @classmethod
    def of(cls, history: History) -> Self:
        """The results of campaigns whose windows are over."""
        campaigns, results = history.campaigns, matured_results(history)
        row = pd.Index(campaigns.campaign_id).get_indexer(pd.Index(results.campaign_id)).astype(np.intp)
        return cls(
            hour=(np.floor(hours_of(results["at"])) % WEEK_H).astype(np.intp),
            dollars=np.maximum(results["value"].to_numpy(dtype=float), 0.0),
            known_h=hours_of(results.matured_at),
            campaign=row,
            live_h=hours_of(later(accrues_from(campaigns), campaigns.launched_at)),
            ends_h=hours_of(window_ends(campaigns)),
        )

    def rhythm(self, moment: datetime) -> Rhythm | None:
        """The rhythm as known at a moment; None while too little is known to tell it from an even one."""
        moment_h = hours(moment)
        known = self.known_h <= moment_h
        earning = known & (self.dollars > 0)
        if earning.sum() < LEAST_RESULTS or len(np.unique(self.hour[earning] % 24)) < LEAST_HOURS_OF_DAY:
            return None
        weight = np.exp2((self.known_h[known] - moment_h) * (HOUR / HALF_LIFE))
        dollars = weight * self.dollars[known]
        earned = np.bincount(self.hour[known], dollars, minlength=WEEK_H)
        of_campaigns: Floats = np.bincount(self.campaign[known], dollars, minlength=len(self.live_h)).astype(float)
        expected = self._even(of_campaigns)
        a_result = PRIOR_RESULTS * dollars.sum() / weight.sum()
        rates: Floats = (earned + a_result) / (expected + a_result)
        return Rhythm(rates / rates.mean())

    def _even(self, dollars: Floats) -> Floats:
        """Dollars by hour of the week if each campaign had earned its own evenly while it was live."""
        earning = np.flatnonzero((dollars > 0) & (self.ends_h > self.live_h))
        first, last = np.floor(self.live_h[earning]), np.ceil(self.ends_h[earning])
        # Campaigns of one window are one: there are few different ones, and each takes a line of 168 hours.
        windows, of = np.unique(np.column_stack([first % WEEK_H, last - first]), axis=0, return_inverse=True)
        per_hour = np.bincount(of.ravel(), dollars[earning] / (last - first), minlength=len(windows))
        opens, lasts = windows[:, :1], windows[:, 1:]
        since_open = (np.arange(WEEK_H) - opens) % WEEK_H
        times = np.ceil(np.maximum(lasts - since_open, 0.0) / WEEK_H)
        even: Floats = per_hour @ times
        return even
