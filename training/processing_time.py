"""Processing times learned from logged runs, once there are enough of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import lightgbm
import numpy as np
import pandas as pd

from features.asof import hours_of, known_by
from features.curves import Floats, Indices
from features.schema import History
from serving.model.meta import ProcessingPrior
from serving.model.processing import LABELS, TRAITS, ProcessingTimes, Usual, traits

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
"""The median, and bounds of 80 % and 90 % intervals."""

LEAST_CAMPAIGNS = 200
"""Campaigns worked off before runs are believed more than the prior: a tail of 5 % needs some to show itself in."""

MOST_CAMPAIGNS = 3_000
"""The latest; older runs tell of other machines."""

FOLDS = 3
"""Every campaign is predicted once by trees that did not see it, to shift quantiles until they hold for such."""

CHECKPOINTS = (0.25, 0.5, 0.75)
"""After which shares of a campaign's runs it is asked how much is left."""

WHOLE = 0.99
"""Share of a campaign's units that makes it worked off, where nobody noted its launch."""

_PARAMETERS = {
    "objective": "quantile",
    "num_leaves": 8,
    "learning_rate": 0.08,
    "min_data_in_leaf": 30,
    "min_data_per_group": 30,
    "cat_smooth": 20,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "seed": 0,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
_ROUNDS = 80


@dataclass(frozen=True)
class WorkedOff:
    """Campaigns whose work was done, asked at their start and at checkpoints; one entry a question, by time.

    Attributes
    ----------
    campaign : number of the question's campaign, in the order of their ends.
    facts : labels of its campaign, by name.
    work_units, targets : of its campaign.
    done : share of the work done, 0 at the start; spent_h, left_h : slot-hours before and after.
    """

    campaign: Indices
    facts: dict[str, list[str]]
    work_units: Floats
    targets: Floats
    done: Floats
    spent_h: Floats
    left_h: Floats

    @classmethod
    def of(cls, history: History, until: datetime) -> Self:
        """The campaigns of a history that runs had worked off by a moment."""
        runs = known_by(history.runs, until, "finished_at").sort_values(["campaign_id", "finished_at"], kind="stable")
        hours = (hours_of(runs.finished_at) - hours_of(runs.started_at)) * runs.capacity.fillna(1.0).to_numpy()
        by = runs.assign(hours=hours).groupby("campaign_id", sort=False)
        runs = runs.assign(spent_h=by.hours.cumsum(), so_far=by.units.cumsum(), place=by.cumcount() + 1)
        ends = by.agg(
            total_h=("hours", "sum"), units=("units", "sum"), parts=("hours", "size"), end=("finished_at", "max")
        )
        plans = history.campaigns.set_index("campaign_id").join(ends, how="inner")
        launched = plans.index.isin(known_by(history.campaigns, until, "launched_at").campaign_id)
        worked_off = launched | (plans.units >= WHOLE * plans.work_units)
        plans = plans[worked_off & (plans.total_h > 0) & (plans.units > 0)].sort_values("end", kind="stable")
        plans = plans.tail(MOST_CAMPAIGNS)
        targets = history.targets.groupby("campaign_id").size().reindex(plans.index, fill_value=0)
        plans = plans.assign(number=np.arange(len(plans)), targets=targets).reset_index()
        from_start = plans.assign(so_far=0.0, spent_h=0.0)
        reached = runs[["campaign_id", "place", "so_far", "spent_h"]].merge(plans, on="campaign_id")
        middle = np.logical_or.reduce([reached.place == (share * reached.parts).astype(int) for share in CHECKPOINTS])
        reached = reached[middle & (reached.so_far > 0)]
        asked = pd.concat([from_start, reached], ignore_index=True)
        asked = asked[(asked.so_far < asked.units) & (asked.spent_h < asked.total_h)]
        return cls(
            asked.number.to_numpy(dtype=np.intp),
            {name: asked[name].tolist() for name in LABELS},
            asked.work_units.to_numpy(dtype=float),
            asked.targets.to_numpy(dtype=float),
            (asked.so_far / asked.units).to_numpy(dtype=float),
            asked.spent_h.to_numpy(dtype=float),
            (asked.total_h - asked.spent_h).to_numpy(dtype=float),
        )

    @property
    def campaigns(self) -> int:
        """How many there are."""
        return int(self.campaign.max()) + 1 if len(self.campaign) else 0


def processing_times(history: History, prior: ProcessingPrior, until: datetime) -> ProcessingTimes | None:
    """Quantiles of processing time from the runs known by a moment; None until enough campaigns were worked off.

    Parameters
    ----------
    prior : whose set-up is taken over; trees correct it where it does not fit.
    """
    worked = WorkedOff.of(history, until)
    if worked.campaigns < LEAST_CAMPAIGNS:
        return None
    start = worked.done <= 0
    units = float((prior.setup_units + worked.work_units[start]).sum())
    usual = Usual(setup_units=prior.setup_units, slot_hours_per_unit=float(worked.left_h[start].sum()) / units)
    labels = {name: tuple(sorted(set(worked.facts[name]))) for name in LABELS}
    codes = {name: {label: code for code, label in enumerate(known)} for name, known in labels.items()}
    rows = traits(usual, codes, worked.facts, worked.work_units, worked.targets, worked.done, worked.spent_h)
    factor = np.log(worked.left_h / usual.left_h(worked.work_units, worked.done))
    fold = worked.campaign % FOLDS
    off = {level: _unseen(rows, factor, fold, level) for level in LEVELS}
    return ProcessingTimes(
        usual=usual,
        levels=LEVELS,
        trees=tuple(_fitted(rows, factor, level).model_to_string() for level in LEVELS),
        from_start=tuple(_shift(off[level][start], level) for level in LEVELS),
        from_checkpoint=tuple(_shift(off[level][~start], level) for level in LEVELS),
        labels=labels,
    )


def _fitted(rows: Floats, factor: Floats, level: float) -> lightgbm.Booster:
    data = lightgbm.Dataset(rows, factor, feature_name=list(TRAITS), categorical_feature=list(range(len(LABELS))))
    return lightgbm.train({**_PARAMETERS, "alpha": level}, data, num_boost_round=_ROUNDS)


def _unseen(rows: Floats, factor: Floats, fold: Indices, level: float) -> Floats:
    """How far factors come out from what trees say that learned from the other folds."""
    off = np.empty(len(factor))
    for held_out in range(FOLDS):
        asked = fold == held_out
        off[asked] = factor[asked] - _fitted(rows[~asked], factor[~asked], level).predict(rows[asked], num_threads=1)
    return off


def _shift(off: Floats, level: float) -> float:
    """The rank of what was left over that a further one lies below with the level's probability; 0 of none."""
    n = len(off)
    if not n:
        return 0.0
    rank = np.ceil(level * (n + 1)) if level >= 0.5 else np.floor(level * (n + 1))
    return float(np.sort(off)[int(np.clip(rank, 1, n)) - 1])
