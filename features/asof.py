"""What was known by a moment: the only module that compares timestamps.

A `Ledger` holds dated amounts per entity, sorted and accumulated once, so that "the sum known by a
moment" is a look-up for any entity and any moment. An amount counts from its `known_at` on, never
from when it happened: that is what keeps the future out of every feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.curves import Floats, Indices

HOUR = timedelta(hours=1)
EPOCH = pd.Timestamp(0, tz="UTC")


def hours_of(times: pd.Series) -> Floats:
    """Hours since the epoch of a column of times; NaN where there is none."""
    return np.asarray((times - EPOCH) / HOUR, dtype=np.float64)


def known_by(facts: pd.DataFrame, moment: datetime, column: str = "known_at") -> pd.DataFrame:
    """The rows known by `moment`, itself included."""
    return facts[facts[column] <= moment]


def later(left: pd.Series, right: pd.Series) -> pd.Series:
    """Row by row the later of two times; a missing time gives way to the other."""
    return left.where(right.isna() | (left >= right), right)


def no_later(left: pd.Series, right: pd.Series) -> pd.Series:
    """Row by row whether the left time is not after the right one."""
    return left <= right


@dataclass(frozen=True)
class Ledger:
    """Dated amounts per entity, each counting from the hour it was known.

    Attributes
    ----------
    entities : labels, one an entity, in code order.
    known_h : hours since the epoch, sorted inside each entity.
    starts : first row of each entity, with the end of the last appended.
    amounts : columns by name, one entry a row.
    """

    entities: pd.Index
    known_h: Floats
    starts: Indices
    amounts: dict[str, Floats]

    @classmethod
    def of(cls, entity: pd.Series, known_at: pd.Series, **amounts: npt.ArrayLike) -> Self:
        """Sort dated amounts by entity and time; rows without an entity or time are left out."""
        codes, entities = pd.factorize(entity, sort=False)
        known = hours_of(known_at)
        kept = np.flatnonzero((codes >= 0) & ~np.isnan(known))
        order = kept[np.lexsort((known[kept], codes[kept]))]
        starts = np.searchsorted(codes[order], np.arange(len(entities) + 1))
        columns = {name: np.asarray(amount, dtype=float)[order] for name, amount in amounts.items()}
        return cls(pd.Index(entities), known[order], starts, columns)

    def codes_of(self, entities: Sequence[str]) -> Indices:
        """The codes of entity labels, -1 for one never seen."""
        return self.entities.get_indexer(pd.Index(pd.Series(entities, dtype="str"))).astype(np.intp)

    def sums(
        self,
        amount: str,
        codes: Indices,
        moments_h: Floats,
        *,
        window: timedelta | None = None,
        half_life: timedelta | None = None,
    ) -> Floats:
        """Sum of an amount over what each entity's moment knew.

        Parameters
        ----------
        codes, moments_h : one entry a question; code -1 asks about nobody and gets 0.
        window : only amounts known in (moment - window, moment].
        half_life : an amount weighs half as much for every `half_life` since it was known.
        """
        if half_life is None:
            total = self._accumulated(self.amounts[amount])
            sums = total[self._rows_known(codes, moments_h)]
            if window is not None:
                sums -= total[self._rows_known(codes, moments_h - window / HOUR)]
            return sums
        origin = self.known_h.min() if len(self.known_h) else 0.0
        growth = self.amounts[amount] * np.exp2((self.known_h - origin) * (HOUR / half_life))
        grown = self._accumulated(growth)[self._rows_known(codes, moments_h)]
        return np.where(grown == 0, 0.0, grown * np.exp2(-(moments_h - origin) * (HOUR / half_life)))

    def last_known_h(self, codes: Indices, moments_h: Floats) -> Floats:
        """When each entity's latest amount was known, in hours since the epoch; NaN if none was."""
        known = np.concatenate([[np.nan], self.known_h])
        return known[self._rows_known(codes, moments_h)]

    @cached_property
    def _times(self) -> Floats:
        return np.unique(self.known_h)

    @cached_property
    def _entity_of_row(self) -> Indices:
        return np.repeat(np.arange(len(self.entities)), np.diff(self.starts))

    def _keys(self, codes: Indices, moments_h: Floats) -> Indices:
        """One sortable integer per (entity, time), so that a single search answers every question."""
        return codes * (len(self._times) + 1) + np.searchsorted(self._times, moments_h, side="right")

    @cached_property
    def _row_keys(self) -> Indices:
        return self._keys(self._entity_of_row, self.known_h)

    def _rows_known(self, codes: Indices, moments_h: Floats) -> Indices:
        """For each question, one past the last row it knew; 0 if the entity had none by then."""
        ends = np.searchsorted(self._row_keys, self._keys(codes, moments_h), side="right")
        first = self.starts[np.maximum(codes, 0)]
        return np.where((codes >= 0) & (ends > first), ends, 0)

    def _accumulated(self, amount: Floats) -> Floats:
        """Running sums restarted at each entity, after a leading 0: a sum never depends on other entities."""
        running = pd.Series(amount).groupby(self._entity_of_row).cumsum().to_numpy()
        return np.concatenate([[0.0], running])
