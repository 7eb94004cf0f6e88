"""Features of many campaigns, each at its own moment, from the history known by then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
import pandas as pd

from features.aggregates import AGGREGATES, Aggregate
from features.asof import Known, hours_of
from features.contract import FEATURE_NAMES
from features.curves import Floats, hours
from features.definitions import FEATURES
from features.ledgers import Entity, ledgers_of
from features.planned import Planned
from features.plans import Plans
from features.records import Campaign
from features.schema import History

TARGET_ENTITIES = (Entity.TARGET, Entity.TARGET_IN_CHANNEL)

_AT_ONCE = 20_000
"""Campaigns whose features are computed at once: what several features share would take gigabytes for a million."""


class Aggregates(Protocol):
    """Where aggregates are looked up: in the ledgers of a history, or in a snapshot of one."""

    def known(self, entity: Entity, labels: Sequence[str], moments_h: Floats) -> Floats:
        """Every aggregate of an entity as declared, shape (aggregates, labels). Never seen: sums 0, times NaN."""
        ...


class HistoryAggregates:
    """Aggregates of a whole history, for any moment in it."""

    def __init__(self, history: History) -> None:
        self._ledgers = ledgers_of(history)

    def known(self, entity: Entity, labels: Sequence[str], moments_h: Floats) -> Floats:
        """See `Aggregates.known`."""
        known = {name: led.known(labels, moments_h) for (kind, name), led in self._ledgers.items() if kind == entity}
        asked = [a for a in AGGREGATES if a.entity == entity]
        found = np.empty((len(asked), len(labels)))
        for place, aggregate in enumerate(asked):
            found[place] = aggregated(known[aggregate.ledger], aggregate)
        return found

    def labels(self, entity: Entity) -> list[str]:
        """Every label of an entity that has a past."""
        seen = [ledger.entities for (kind, _), ledger in self._ledgers.items() if kind == entity]
        return sorted(set().union(*seen))


def aggregated(known: Known, aggregate: Aggregate) -> Floats:
    """One declared aggregate, one entry a question."""
    if aggregate.amount is None:
        return known.last_known_h()
    return known.sums(aggregate.amount, window=aggregate.window, half_life=aggregate.half_life)


def planned(plans: Plans, moments_h: Floats, aggregates: Aggregates) -> Planned:
    """Planned campaigns with what `aggregates` knew at their moments."""
    known = {
        entity: aggregates.known(entity, asked, moments_h[plans.row] if entity in TARGET_ENTITIES else moments_h)
        for entity, asked in plans.labels.items()
    }
    return Planned(moments_h, plans.facts, plans.row, plans.exposures, known)


def computed(plan: Planned) -> Floats:
    """Every declared feature in contract order, shape (campaigns, features), C-contiguous."""
    campaigns = len(plan.moments_h)
    if campaigns > _AT_ONCE:
        parts = (_part(plan, n, min(n + _AT_ONCE, campaigns)) for n in range(0, campaigns, _AT_ONCE))
        return np.concatenate([computed(part) for part in parts])
    columns = np.array([feature.compute(plan) for feature in FEATURES], dtype=float)
    return np.ascontiguousarray(columns.reshape(len(FEATURES), campaigns).T)


def _part(plan: Planned, first: int, last: int) -> Planned:
    """Some campaigns that follow each other, with their targets."""
    begin, end = np.searchsorted(plan.row, (first, last))
    return Planned(
        plan.moments_h[first:last],
        {name: fact[first:last] for name, fact in plan.facts.items()},
        plan.row[begin:end] - first,
        plan.exposures[begin:end],
        {e: k[:, begin:end] if e in TARGET_ENTITIES else k[:, first:last] for e, k in plan.known.items()},
    )


def build_features(
    history: History, campaigns: Sequence[Campaign], moments: Sequence[datetime] | datetime
) -> pd.DataFrame:
    """Features of campaigns as they would have been served at their moments.

    Parameters
    ----------
    moments : one for all, or one a campaign. Nothing known after a campaign's moment touches its row.

    Returns
    -------
    float64 frame indexed by `campaign_id`, columns in contract order; NaN where nothing is known.
    """
    each = [moments] * len(campaigns) if isinstance(moments, datetime) else moments
    moments_h = np.array([hours(moment) for moment in each], dtype=float)
    plan = planned(Plans.of_records(campaigns), moments_h, HistoryAggregates(history))
    return _frame(plan, pd.Index([c.campaign_id for c in campaigns]))


def features_of_tables(history: History, campaign_ids: pd.Series) -> pd.DataFrame:
    """Features of a history's own campaigns as of their release; as `build_features`, without making records."""
    campaigns = history.campaigns.set_index("campaign_id", drop=False).loc[campaign_ids].reset_index(drop=True)
    plans = Plans.of_tables(campaigns, history.targets)
    plan = planned(plans, hours_of(campaigns.released_at), HistoryAggregates(history))
    return _frame(plan, pd.Index(campaigns.campaign_id))


def _frame(plan: Planned, campaign_ids: pd.Index) -> pd.DataFrame:
    return pd.DataFrame(computed(plan), index=campaign_ids.rename("campaign_id"), columns=list(FEATURE_NAMES))
