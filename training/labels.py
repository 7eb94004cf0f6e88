"""Labels: what past campaigns turned out to be worth, and how much of their value we let them show.

A campaign that our own delay launched late earned less than it was worth. Its label says so: `value` is
what was observed, `share` the part of the value curve that was left when it went live.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import pandas as pd

from features.asof import known_by, later
from features.ledgers import launched_share, matured_results, window_ends
from features.schema import History


def labels(
    history: History,
    campaign_ids: Iterable[str] | None = None,
    until: datetime | None = None,
    lateness: timedelta = timedelta(0),
) -> pd.DataFrame:
    """The labels of campaigns whose results are complete.

    Parameters
    ----------
    campaign_ids : only these, in the table's order; all by default.
    until : only labels that had matured by then, that moment included; all by default.
    lateness : how long after a window results still come in before its label counts as complete.

    Returns
    -------
    Frame with `campaign_id`, `value` (dollars of revenue observed), `share` (0-1, of the value curve left at the
    actual launch; 1 if in time) and `matured_at` (when the last of its results was in, and never before its
    window and the lateness were over).
    """
    campaigns = history.campaigns
    if campaign_ids is not None:
        campaigns = campaigns[campaigns.campaign_id.isin(list(campaign_ids))]
    results = matured_results(history).groupby("campaign_id").agg(value=("value", "sum"), last=("known_at", "max"))
    results = results.reindex(campaigns.campaign_id)
    over_at = later(window_ends(campaigns), campaigns.launched_at) + lateness
    complete = pd.DataFrame(
        {
            "campaign_id": campaigns.campaign_id.to_numpy(),
            # A window without a sale is a result too: it earned nothing.
            "value": results["value"].fillna(0.0).to_numpy(),
            "share": launched_share(campaigns),
            "matured_at": later(over_at.reset_index(drop=True), results["last"].reset_index(drop=True)),
        }
    )
    return (complete if until is None else known_by(complete, until, "matured_at")).reset_index(drop=True)
