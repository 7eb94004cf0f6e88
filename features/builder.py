"""Features of many campaigns, each at its own moment, from the history known by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import pandas as pd

from features.aggregates import AGGREGATES, OF_CAMPAIGNS, OF_TARGETS, Aggregate
from features.asof import Known, hours_of
from features.columns import Column
from features.contract import FEATURE_NAMES
from features.curves import Floats, hours
from features.definitions import FEATURES
from features.ledgers import Entity, ledgers_of
from features.planned import Planned
from features.plans import Plans
from features.records import Campaign
from features.schema import History

_AT_ONCE = 20_000
"""Campaigns whose features are computed at once: what several features share would take gigabytes for a million."""


class Aggregates(Protocol):
    """Where aggregates are looked up: in the ledgers of a history, or in a snapshot of one.

    Of what was never seen sums are 0 and times NaN. Labels are lists or columns of text, `moments_h` hours since the
    epoch: one a label, or a number for the only campaign.
    """

    def of_targets(self, channels: Any, targets: Any, moments_h: Column) -> Floats:
        """`OF_TARGETS` of targets, each in a channel, shape (aggregates, targets)."""
        ...

    def of_campaigns(self, labels: Mapping[Entity, Any], moments_h: Column) -> Sequence[Column]:
        """`OF_CAMPAIGNS` by their labels, a column each."""
        ...


class HistoryAggregates:
    """Aggregates of a whole history, for any moment in it."""

    def __init__(self, history: History) -> None:
        self._ledgers = ledgers_of(history)

    def of_targets(self, channels: Any, targets: Any, moments_h: Column) -> Floats:
        """See `Aggregates.of_targets`."""
        target = pd.Series(targets, dtype="str")
        labels = {Entity.TARGET: target, Entity.TARGET_IN_CHANNEL: pd.Series(channels, dtype="str") + "/" + target}
        return self._known(OF_TARGETS, labels, np.broadcast_to(moments_h, len(target)))

    def of_campaigns(self, labels: Mapping[Entity, Any], moments_h: Column) -> Sequence[Column]:
        """See `Aggregates.of_campaigns`."""
        if isinstance(moments_h, float):
            numbers: list[float] = self._known(OF_CAMPAIGNS, labels, np.array([moments_h])).ravel().tolist()
            return numbers
        return list(self._known(OF_CAMPAIGNS, labels, moments_h))

    def of(self, entity: Entity, labels: Sequence[str], moment_h: float) -> Floats:
        """Every aggregate of an entity at a moment, shape (aggregates, labels)."""
        asked = [a for a in AGGREGATES if a.entity == entity]
        return self._known(asked, {entity: labels}, np.full(len(labels), moment_h))

    def _known(self, asked: Sequence[Aggregate], labels: Mapping[Entity, Any], moments_h: Floats) -> Floats:
        """Aggregates by the labels of their entities, shape (aggregates, moments)."""
        known = {at: led.known(labels[at[0]], moments_h) for at, led in self._ledgers.items() if at[0] in labels}
        found = np.empty((len(asked), len(moments_h)))
        for place, aggregate in enumerate(asked):
            found[place] = aggregated(known[aggregate.entity, aggregate.ledger], aggregate)
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


def planned(plans: Plans, moment_h: Column, aggregates: Aggregates) -> Planned:
    """Planned campaigns with what `aggregates` knew at their moments; a number for the moment of a single one."""
    of_each_target = moment_h if isinstance(moment_h, float) else moment_h[plans.row]
    return Planned(
        moment_h,
        plans.facts,
        plans.row,
        plans.exposures,
        aggregates.of_targets(plans.channels, plans.targets, of_each_target),
        aggregates.of_campaigns(plans.labels, moment_h),
    )


def computed(plan: Planned) -> Floats:
    """Every declared feature in contract order, shape (campaigns, features), C-contiguous."""
    if plan.single:
        return np.array([[feature.compute(plan) for feature in FEATURES]])
    if plan.count > _AT_ONCE:
        parts = (_part(plan, n, min(n + _AT_ONCE, plan.count)) for n in range(0, plan.count, _AT_ONCE))
        return np.concatenate([computed(part) for part in parts])
    columns = np.array([feature.compute(plan) for feature in FEATURES], dtype=float)
    return np.ascontiguousarray(columns.T)


def _part(plan: Planned, first: int, last: int) -> Planned:
    """Some campaigns that follow each other, with their targets."""
    begin, end = np.searchsorted(plan.row, (first, last))

    def part(column: Column) -> Column:
        return column if isinstance(column, float) else column[first:last]

    return Planned(
        part(plan.moment_h),
        {name: part(fact) for name, fact in plan.facts.items()},
        plan.row[begin:end] - first,
        plan.exposures[begin:end],
        plan.known_of_targets[:, begin:end],
        [part(column) for column in plan.known_of_campaigns],
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
    plan = planned(Plans.of_records(campaigns), _hours(each), HistoryAggregates(history))
    return _frame(plan, pd.Index([c.campaign_id for c in campaigns]))


def _hours(moments: Sequence[datetime]) -> Column:
    """Moments in hours since the epoch; a number for a single one."""
    return hours(moments[0]) if len(moments) == 1 else np.array([hours(m) for m in moments], dtype=float)


def features_of_tables(history: History, campaign_ids: pd.Series) -> pd.DataFrame:
    """Features of a history's own campaigns as of their release; as `build_features`, without making records."""
    campaigns = history.campaigns.set_index("campaign_id", drop=False).loc[campaign_ids].reset_index(drop=True)
    plans = Plans.of_tables(campaigns, history.targets)
    plan = planned(plans, hours_of(campaigns.released_at), HistoryAggregates(history))
    return _frame(plan, pd.Index(campaigns.campaign_id))


def _frame(plan: Planned, campaign_ids: pd.Index) -> pd.DataFrame:
    return pd.DataFrame(computed(plan), index=campaign_ids.rename("campaign_id"), columns=list(FEATURE_NAMES))
