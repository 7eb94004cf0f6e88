"""Campaigns that may come: those seen coming lately, drawn again at other moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from features.curves import Floats
from serving.scheduling.columns import Columns


@dataclass(frozen=True)
class Arrivals:
    """What was seen to come, from which what comes next is drawn.

    Campaigns come one by one at any time, at the rate seen, which is the less certain the fewer were seen; each is
    like one of those seen, at another time. Bursts and the hours of the day are not modelled.

    Attributes
    ----------
    columns : the campaigns as they came, untouched, with all times in hours since their own submission.
    spread : logarithmic standard deviation of the work each takes; see `durations.spread`.
    seen_for_h : hours for which it was watched; nothing is expected to come while that is 0.
    """

    columns: Columns
    spread: Floats
    seen_for_h: float

    @classmethod
    def seen(cls, columns: Columns, spread: Floats, since_h: float, until_h: float) -> Self:
        """From campaigns submitted between two moments, hours since the epoch."""
        among = np.flatnonzero((columns.submitted_h >= since_h) & (columns.submitted_h < until_h))
        rows = columns.take(among)
        return cls(rows.later(-rows.submitted_h), spread[among], max(until_h - since_h, 0.0))

    @property
    def per_h(self) -> float:
        """Campaigns an hour."""
        return len(self.columns) / self.seen_for_h if self.seen_for_h > 0 else 0.0

    def drawn(self, chance: np.random.Generator, from_h: float, until_h: float) -> tuple[Columns, Floats]:
        """Campaigns submitted between two moments, in that order, and the spread of their work."""
        seen = len(self.columns)
        count = 0
        if seen and self.seen_for_h > 0 and until_h > from_h:
            count = int(chance.poisson(chance.gamma(seen) / self.seen_for_h * (until_h - from_h)))
        which = chance.integers(0, max(seen, 1), count)
        at_h = np.sort(chance.uniform(from_h, until_h, count))
        return self.columns.take(which).later(at_h), self.spread[which]

    def __len__(self) -> int:
        return len(self.columns)
