"""The year and what a service logged, as one: history, calendar of weeks, and the truth that weeks are played by."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd

from features.asof import hours_of
from features.ledgers import launched_share
from features.schema import History
from serving.errors import HistoryEmpty
from serving.settings import Settings
from training.datasets.complete_journey import CompleteJourney, weeks_at
from training.datasets.outcome_log import OutcomeLog, outcome_log
from training.datasets.truth import HourlyValue
from training.estimators import LEAST_SHARE


def continued(journey: CompleteJourney, log: OutcomeLog) -> CompleteJourney:
    """The year gone on with by the campaigns of a log whose results are complete.

    Each belongs to the week it was released in. What a late launch forfeited is added to its truth as labels add it;
    those that could show hardly anything of their value are left out of the weeks, and teach what they can. A campaign
    of the year that was lived again teaches as it was lived, and stays in its week as the year has it.
    """
    known = log.settled_by(log.until)
    new = known.campaigns[~known.campaigns.campaign_id.isin(journey.week_of.index)]
    new = new[launched_share(new) >= LEAST_SHARE]
    weeks = pd.Series(weeks_at(new.released_at).to_numpy(), index=pd.Index(new.campaign_id), name="week", dtype=int)
    return replace(
        journey,
        history=journey.history.joined(known),
        truth=journey.truth.joined(_truth(known, new)),
        week_of=pd.concat([journey.week_of, weeks]),
        logged_until=log.until,
    )


def continued_by_service(journey: CompleteJourney, settings: Settings) -> CompleteJourney:
    """The year with what the service has logged since, where it has logged anything."""
    try:
        return continued(journey, outcome_log(settings))
    except HistoryEmpty:
        return journey


def _truth(known: History, campaigns: pd.DataFrame) -> HourlyValue:
    """What some campaigns of a history would have earned hour by hour, had they all been live in time."""
    theirs = {table.name: getattr(known, table.name) for table in fields(known)}
    earned = HourlyValue.of(History.of_tables({**theirs, "campaigns": campaigns}))
    live_h = hours_of(campaigns.launched_at)
    return earned.in_time(np.where(np.isnan(live_h), earned.starts_h, live_h), launched_share(campaigns))
