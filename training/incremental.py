"""Incremental value: what a campaign adds to what its targets would have earned without it.

The label takes off what the same targets earned without a campaign in the weeks *after* it. Features know readings
from before it alone, so that label and input share no noise: a model scored on its own input would look better the
worse the input. A prediction takes the expected baseline off the predicted gross value: learning the difference itself
is no better, and its labels are complete two months late.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from features.asof import HOUR, hours_of
from features.curves import Floats
from features.ledgers import accrues_from, target_baselines, window_ends
from features.schema import History

AFTERWARDS = timedelta(weeks=8)
"""How long after a campaign its targets' earnings are read."""

LEAST_READINGS = 4
"""With fewer the noise of the baseline would drown the difference."""


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


def over_baseline(gross: Floats, features: pd.DataFrame) -> Floats:
    """Predicted dollars above the expected baseline, 0 at least: nothing is lost by putting off what adds nothing."""
    expected = np.nan_to_num(features["target_baseline"].to_numpy(dtype=float))
    above: Floats = np.maximum(gross - expected, 0.0)
    return above


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
