"""Features of many campaigns, each at its own moment, from the history known by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import numpy as np
import pandas as pd

from features.asof import Ledger
from features.contract import FEATURE_NAMES
from features.curves import Floats, Indices, hours
from features.definitions import AGGREGATES, FEATURES, Aggregate, Planned
from features.ledgers import THE_MARKET, Entity, ledgers_of
from features.records import Campaign
from features.schema import History

DECLARED = ("work_units", "planned_revenue", "urgency", "brand")
TARGET_ENTITIES = (Entity.TARGET, Entity.TARGET_IN_CHANNEL)


class Aggregates(Protocol):
    """Where aggregates are looked up: in the ledgers of a history, or in a snapshot of one."""

    def known(self, entity: Entity, labels: Sequence[str], moments_h: Floats) -> Mapping[str, Floats]:
        """Every aggregate of an entity, by name: one entry a label. Never seen: sums 0, times NaN."""
        ...


class HistoryAggregates:
    """Aggregates of a whole history, for any moment in it."""

    def __init__(self, history: History) -> None:
        self._ledgers = ledgers_of(history)

    def known(self, entity: Entity, labels: Sequence[str], moments_h: Floats) -> dict[str, Floats]:
        """See `Aggregates.known`."""
        codes = {name: ledger.codes_of(labels) for (kind, name), ledger in self._ledgers.items() if kind == entity}
        return {
            a.name: aggregated(self._ledgers[entity, a.ledger], a, codes[a.ledger], moments_h)
            for a in AGGREGATES
            if a.entity == entity
        }

    def labels(self, entity: Entity) -> list[str]:
        """Every label of an entity that has a past."""
        seen = [ledger.entities for (kind, _), ledger in self._ledgers.items() if kind == entity]
        return sorted(set().union(*seen))


def aggregated(ledger: Ledger, aggregate: Aggregate, codes: Indices, moments_h: Floats) -> Floats:
    """One declared aggregate, one entry a (code, moment)."""
    if aggregate.amount is None:
        return ledger.last_known_h(codes, moments_h)
    return ledger.sums(aggregate.amount, codes, moments_h, window=aggregate.window, half_life=aggregate.half_life)


def planned(campaigns: Sequence[Campaign], moments_h: Floats, aggregates: Aggregates) -> Planned:
    """Campaigns as columns, with what `aggregates` knew at their moments."""
    facts = {
        name: np.array([np.nan if (v := getattr(c, name)) is None else v for c in campaigns], dtype=float)
        for name in DECLARED
    }
    facts["window_h"] = np.array([hours(c.ends_at, np.nan) - hours(c.accrues_from) for c in campaigns], dtype=float)
    row = np.repeat(np.arange(len(campaigns)), [len(c.targets) for c in campaigns])
    exposures = np.array([e for c in campaigns for e in c.targets.values()], dtype=float)
    labels = {
        Entity.TARGET: [t for c in campaigns for t in c.targets],
        Entity.TARGET_IN_CHANNEL: [f"{c.channel}/{t}" for c in campaigns for t in c.targets],
        Entity.CHANNEL: [c.channel for c in campaigns],
        Entity.KIND: [c.kind for c in campaigns],
        Entity.MARKET: [THE_MARKET] * len(campaigns),
    }
    plan = Planned(moments_h, facts, row, exposures)
    known: dict[str, Floats] = {}
    for entity, asked in labels.items():
        known |= aggregates.known(entity, asked, moments_h[row] if entity in TARGET_ENTITIES else moments_h)
    return replace(plan, known=known)


def computed(plan: Planned) -> Floats:
    """Every declared feature in contract order, shape (campaigns, features), C-contiguous."""
    columns = np.empty((len(plan.moments_h), len(FEATURES)))
    for position, feature in enumerate(FEATURES):
        columns[:, position] = feature.compute(plan)
    return columns


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
    plan = planned(campaigns, moments_h, HistoryAggregates(history))
    index = pd.Index([c.campaign_id for c in campaigns], name="campaign_id")
    return pd.DataFrame(computed(plan), index=index, columns=list(FEATURE_NAMES))
