"""Incremental value: what a campaign adds to what its targets would have earned without it.

The label takes off what the same targets earned without a campaign in the weeks *after* it. Features know readings
from before it alone, so that label and input share no noise: a model scored on its own input would look better the
worse the input. A prediction takes the expected baseline off the predicted gross value: learning the difference itself
is no better, and its labels are complete two months late.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd

from features.asof import HOUR, hours_of
from features.ledgers import accrues_from, target_baselines, window_ends
from features.records import ValueLabel
from features.schema import History
from training.datasets.complete_journey import WEEKS, CompleteJourney

AFTERWARDS = timedelta(weeks=8)
"""How long after a campaign its targets' earnings are read."""

LEAST_READINGS = 4
"""With fewer the noise of the baseline would drown the difference."""

LAST_WEEK = WEEKS[-1] - LEAST_READINGS
"""The last week of the data after which there are so many readings."""


def valued(journey: CompleteJourney, label: ValueLabel) -> CompleteJourney:
    """The year with its truth as a label tells it; incremental value is known up to `LAST_WEEK`, and NaN after it."""
    if label is ValueLabel.GROSS:
        return journey
    baselines = baselines_of(journey.history).loc[journey.truth.campaign_ids]
    return replace(journey, truth=journey.truth.above(baselines.to_numpy()))


def incremental(history: History, labelled: pd.DataFrame) -> pd.DataFrame:
    """Labels with `value` above the baseline instead of gross, in dollars; it may be negative.

    Parameters
    ----------
    labelled : from `training.labels.labels`. Of the time before a late launch no baseline is taken off.

    Returns
    -------
    The labels of campaigns after which baselines were read often enough, `matured_at` when the last of them was.
    """
    baseline = baselines_of(history).reindex(labelled.campaign_id)
    above = labelled.assign(
        value=labelled["value"].to_numpy() - labelled["share"].to_numpy() * baseline.to_numpy(),
        matured_at=labelled.matured_at + AFTERWARDS,
    )
    known: pd.DataFrame = above[baseline.notna().to_numpy()].reset_index(drop=True)
    return known


def baselines_of(history: History) -> pd.Series:
    """Dollars each campaign's targets would have earned without it, over its exposures and its window.

    By campaign id, from the readings of `AFTERWARDS`; NaN where there were too few. A target that a reading leaves out
    earned nothing then. A window longer or shorter than the time between readings has its share of it.
    """
    signals, campaigns = target_baselines(history), history.campaigns
    read_h = hours_of(signals["at"])
    moments = np.unique(read_h)
    starts, ends = hours_of(accrues_from(campaigns)), hours_of(window_ends(campaigns))
    first, last = (np.searchsorted(moments, h, side="right") for h in (ends, ends + AFTERWARDS / HOUR))
    period_h = float(np.median(np.diff(moments))) if len(moments) > 1 else np.nan
    plans = pd.DataFrame(
        {"first": first, "readings": last - first, "periods": (ends - starts) / period_h}, index=campaigns.campaign_id
    )
    plans = plans[plans.readings >= LEAST_READINGS]
    # One line a reading that counts for a campaign, then one for each of its targets that earned something then.
    counted = plans.loc[plans.index.repeat(plans.readings), ["first"]].reset_index()
    counted["reading"] = counted["first"] + counted.groupby("campaign_id", sort=False).cumcount()
    rates = pd.DataFrame(
        {
            "target_id": signals.target_id.to_numpy(),
            "reading": np.searchsorted(moments, read_h),
            "rate": signals["value"].to_numpy(dtype=float),
        }
    )
    earned = history.targets.merge(counted, on="campaign_id").merge(rates, on=["target_id", "reading"])
    total = (earned.planned_exposures * earned.rate).groupby(earned.campaign_id).sum().reindex(plans.index).fillna(0.0)
    return (total / plans.readings * plans.periods).reindex(campaigns.campaign_id)
