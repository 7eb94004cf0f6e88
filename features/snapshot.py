"""What was known at one moment, ready to look up: a history's aggregates per target, kind and channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import numpy as np
import pandas as pd

from features.aggregates import AGGREGATES
from features.builder import HistoryAggregates, computed, planned
from features.curves import Floats, hours
from features.ledgers import Entity
from features.plans import Plans
from features.records import Campaign
from features.schema import History


@dataclass(frozen=True)
class _Kept:
    """One entity's aggregates: a row a label, a column an aggregate, and a last row for the unseen."""

    names: tuple[str, ...]
    rows: dict[str, int]
    values: Floats

    def at(self, labels: Sequence[str]) -> Floats:
        unseen, row = len(self.rows), self.rows.get
        if len(labels) == 1:
            only = row(labels[0], unseen)
            return self.values[only : only + 1].T
        return self.values.take([row(label, unseen) for label in labels], axis=0).T


@dataclass(frozen=True)
class Snapshot:
    """The latest aggregates, look-up in constant time however long the history.

    A campaign's features at a later moment use the facts of `moment`, and its own plan and ages of then.
    """

    moment: datetime
    kept: dict[Entity, _Kept]

    @classmethod
    def of(cls, history: History, moment: datetime) -> Self:
        """Everything known by `moment`."""
        aggregates = HistoryAggregates(history)
        kept = {}
        for entity in Entity:
            labels = aggregates.labels(entity)
            # One label more than there are, never seen, gives the answer for every other unseen label.
            known = aggregates.known(entity, [*labels, ""], np.full(len(labels) + 1, hours(moment)))
            kept[entity] = _kept(entity, labels, known)
        return cls(moment.astimezone(UTC), kept)

    @classmethod
    def of_known(cls, moment: datetime, labels: Mapping[Entity, Sequence[str]], known: Mapping[Entity, Floats]) -> Self:
        """By entity its aggregates as declared, shape (aggregates, labels and a last one for those never seen)."""
        return cls(moment, {entity: _kept(entity, list(labels[entity]), known[entity]) for entity in Entity})

    @classmethod
    def empty(cls, moment: datetime) -> Self:
        """Nothing is known of anybody."""
        unseen = {e: [0.0 if a.amount else np.nan for a in AGGREGATES if a.entity == e] for e in Entity}
        return cls.of_known(moment, dict.fromkeys(Entity, ()), {e: np.array([row]).T for e, row in unseen.items()})

    def known(self, entity: Entity, labels: Sequence[str], moments_h: Floats) -> Floats:  # noqa: ARG002
        """See `features.builder.Aggregates`; the answer is as of the snapshot's own moment."""
        return self.kept[entity].at(labels)

    def features(self, campaigns: Sequence[Campaign], at: datetime) -> Floats:
        """Features at a moment, shape (campaigns, features) in contract order, C-contiguous float64."""
        return computed(planned(Plans.of_records(campaigns), np.full(len(campaigns), hours(at)), self))

    def age_h(self, at: datetime) -> float:
        """Hours since the snapshot was taken."""
        return hours(at) - hours(self.moment)

    def to_table(self) -> pd.DataFrame:
        """One row an entity and label, for Parquet; `from_table` reads it back exactly."""
        parts = []
        for entity, kept in self.kept.items():
            part = pd.DataFrame(kept.values, columns=list(kept.names))
            part.insert(0, "label", [*kept.rows, ""])
            part.insert(0, "entity", str(entity))
            parts.append(part)
        table = pd.concat(parts, ignore_index=True)
        table.insert(0, "moment", pd.Timestamp(self.moment).as_unit("us"))
        return table

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Self:
        """The snapshot that `to_table` wrote."""
        kept = {}
        for entity in Entity:
            rows = table[table.entity == str(entity)]
            known = np.array([rows[a.name].to_numpy(dtype=float) for a in AGGREGATES if a.entity == entity])
            kept[entity] = _kept(entity, rows.label.tolist()[:-1], known)
        return cls(table.moment.iloc[0].to_pydatetime().astimezone(UTC), kept)


def _kept(entity: Entity, labels: list[str], values: Floats) -> _Kept:
    names = tuple(a.name for a in AGGREGATES if a.entity == entity)
    return _Kept(names, {label: row for row, label in enumerate(labels)}, np.ascontiguousarray(values.T))
