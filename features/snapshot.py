"""What was known at one moment, ready to look up: a history's aggregates per target, kind and channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import pandas as pd

from features.aggregates import AGGREGATES, CAMPAIGN_ENTITIES
from features.builder import HistoryAggregates, computed, planned
from features.columns import Column
from features.curves import Floats, hours
from features.kept import Kept, KeptTargets
from features.ledgers import Entity
from features.plans import Plans
from features.records import Campaign
from features.schema import History


@dataclass(frozen=True)
class Snapshot:
    """The latest aggregates, look-up in constant time however long the history.

    A campaign's features at a later moment use the facts of `moment`, and its own plan and ages of then.
    """

    moment: datetime
    targets: KeptTargets
    kept: dict[Entity, Kept]

    @classmethod
    def of(cls, history: History, moment: datetime) -> Self:
        """Everything known by `moment`."""
        aggregates = HistoryAggregates(history)
        labels = {entity: aggregates.labels(entity) for entity in Entity}
        # One label more than there are, never seen, gives the answer for every other unseen label.
        known = {entity: aggregates.of(entity, [*labels[entity], ""], hours(moment)) for entity in Entity}
        return cls.of_known(moment.astimezone(UTC), labels, known)

    @classmethod
    def of_known(cls, moment: datetime, labels: Mapping[Entity, Sequence[str]], known: Mapping[Entity, Floats]) -> Self:
        """By entity its aggregates as declared, shape (aggregates, labels and a last one for those never seen)."""
        of_campaigns = {entity: Kept.of(labels[entity], known[entity]) for entity in CAMPAIGN_ENTITIES}
        return cls(moment, KeptTargets.of(labels, known), of_campaigns)

    @classmethod
    def empty(cls, moment: datetime) -> Self:
        """Nothing is known of anybody."""
        unseen = {e: [0.0 if a.amount else np.nan for a in AGGREGATES if a.entity == e] for e in Entity}
        return cls.of_known(moment, dict.fromkeys(Entity, ()), {e: np.array([row]).T for e, row in unseen.items()})

    def of_targets(self, channels: Any, targets: Any, moments_h: Column) -> Floats:  # noqa: ARG002
        """See `features.builder.Aggregates`; the answer is as of the snapshot's own moment."""
        return self.targets.many(channels, targets)

    def of_campaigns(self, labels: Mapping[Entity, Any], moments_h: Column) -> Sequence[Column]:
        """See `of_targets`."""
        if isinstance(moments_h, float):
            return [number for entity, kept in self.kept.items() for number in kept.one(labels[entity][0])]
        return [column for entity, kept in self.kept.items() for column in kept.many(labels[entity])]

    def features(self, campaigns: Sequence[Campaign], at: datetime) -> Floats:
        """Features at a moment, shape (campaigns, features) in contract order, C-contiguous float64."""
        moment_h = hours(at)
        moments_h = moment_h if len(campaigns) == 1 else np.full(len(campaigns), moment_h)
        return computed(planned(Plans.of_records(campaigns), moments_h, self))

    def age_h(self, at: datetime) -> float:
        """Hours since the snapshot was taken."""
        return hours(at) - hours(self.moment)

    def to_table(self) -> pd.DataFrame:
        """One row an entity and label, for Parquet; `from_table` reads it back exactly."""
        parts = []
        whole = [*self.targets.tables(), *((entity, *kept.table()) for entity, kept in self.kept.items())]
        for entity, labels, values in whole:
            part = pd.DataFrame(values, columns=[a.name for a in AGGREGATES if a.entity == entity])
            part.insert(0, "label", [*labels, ""])
            part.insert(0, "entity", str(entity))
            parts.append(part)
        table = pd.concat(parts, ignore_index=True)
        table.insert(0, "moment", pd.Timestamp(self.moment).as_unit("us"))
        return table

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Self:
        """The snapshot that `to_table` wrote."""
        labels, known = {}, {}
        for entity in Entity:
            rows = table[table.entity == str(entity)]
            labels[entity] = rows.label.tolist()[:-1]
            known[entity] = np.array([rows[a.name].to_numpy(dtype=float) for a in AGGREGATES if a.entity == entity])
        return cls.of_known(table.moment.iloc[0].to_pydatetime().astimezone(UTC), labels, known)
