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
    times_h : every hour at which something was known, since the epoch, rising.
    keys : of each row, by entity and then by time: rising integers, so that one search finds what a question knew.
    known_h : hours since the epoch, one a row.
    starts : first row of each entity, with the end of the last appended.
    amounts : columns by name, one entry a row.
    """

    entities: pd.Index
    times_h: Floats
    keys: Indices
    known_h: Floats
    starts: Indices
    amounts: dict[str, Floats]

    @classmethod
    def of(cls, entity: pd.Series, known_at: pd.Series, **amounts: npt.ArrayLike) -> Self:
        """Sort dated amounts by entity and time; rows without an entity or time are left out."""
        codes, entities = pd.factorize(entity, sort=False)
        known = hours_of(known_at)
        places, times = pd.factorize(known, sort=True)
        keys = np.where((codes >= 0) & (places >= 0), _keys(times, codes, places + 1), _LEFT_OUT)
        order = np.argsort(keys, kind="stable")
        order = order[np.count_nonzero(keys == _LEFT_OUT) :]
        keys = keys[order]
        starts = np.searchsorted(keys, _keys(times, np.arange(len(entities) + 1), 0))
        columns = {name: np.asarray(amount, dtype=float)[order] for name, amount in amounts.items()}
        return cls(pd.Index(entities), times, keys, known[order], starts, columns)

    def known(self, labels: Sequence[str], moments_h: Floats) -> Known:
        """What was known of entities at moments; one entry a question."""
        codes = self.entities.get_indexer(pd.Index(pd.Series(labels, dtype="str"))).astype(np.intp)
        return Known(self, codes, moments_h, self.rows_known(codes, moments_h))

    def rows_known(self, codes: Indices, moments_h: Floats) -> Indices:
        """For each question, one past the last row it knew; 0 if the entity had none by then. Code -1 is nobody."""
        asked = _keys(self.times_h, codes, np.searchsorted(self.times_h, moments_h, side="right"))
        # In rising order, neighbours are found in the same corner of memory: at random it takes many times as long.
        order = np.argsort(asked)
        ends = np.empty(len(asked), dtype=np.intp)
        ends[order] = np.searchsorted(self.keys, asked[order], side="right")
        first = self.starts[np.maximum(codes, 0)]
        return np.where((codes >= 0) & (ends > first), ends, 0)

    def accumulated(self, amount: Floats) -> Floats:
        """Running sums restarted at each entity, after a leading 0: a sum never depends on other entities."""
        running = pd.Series(amount).groupby(self._entity_of_row).cumsum().to_numpy()
        return np.concatenate([[0.0], running])

    @cached_property
    def _entity_of_row(self) -> Indices:
        return np.repeat(np.arange(len(self.entities)), np.diff(self.starts))


@dataclass(frozen=True)
class Known:
    """What a ledger knew of entities at moments: its rows are looked for once, whatever is then asked of them.

    Attributes
    ----------
    codes, moments_h : one entry a question; code -1 asks about nobody.
    rows : see `Ledger.rows_known`.
    """

    ledger: Ledger
    codes: Indices
    moments_h: Floats
    rows: Indices

    def sums(self, amount: str, *, window: timedelta | None = None, half_life: timedelta | None = None) -> Floats:
        """Sum of an amount over what each question knew; 0 of nobody.

        Parameters
        ----------
        window : only amounts known in (moment - window, moment].
        half_life : an amount weighs half as much for every `half_life` since it was known.
        """
        ledger, amounts = self.ledger, self.ledger.amounts[amount]
        if half_life is None:
            total = ledger.accumulated(amounts)
            sums = total[self.rows]
            if window is not None:
                sums -= total[ledger.rows_known(self.codes, self.moments_h - window / HOUR)]
            return sums
        origin = ledger.known_h.min() if len(ledger.known_h) else 0.0
        growth = amounts * np.exp2((ledger.known_h - origin) * (HOUR / half_life))
        grown = ledger.accumulated(growth)[self.rows]
        return np.where(grown == 0, 0.0, grown * np.exp2(-(self.moments_h - origin) * (HOUR / half_life)))

    def last_known_h(self) -> Floats:
        """When each entity's latest amount was known, in hours since the epoch; NaN if none was."""
        return np.concatenate([[np.nan], self.ledger.known_h])[self.rows]


_LEFT_OUT = -1


def _keys(times_h: Floats, codes: Indices, passed: Indices | int) -> Indices:
    """One sortable integer per entity and how many of the times have `passed`."""
    return codes * (len(times_h) + 1) + passed
