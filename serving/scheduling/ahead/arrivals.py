"""Campaigns that may come: those seen coming lately, drawn again at other moments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from features.curves import Floats, Indices
from serving.scheduling.columns import Columns
from serving.scheduling.lineup import Lineup, alone
from serving.scheduling.rules import Terms

_LEAST_SEEN_H = 24.0


@dataclass(frozen=True)
class Arrivals:
    """What was seen to come, from which what comes next is drawn.

    Campaigns come at any time, at the rate seen, which is the less certain the fewer were seen; each is like one of
    those seen, at another time. What was submitted within one minute comes together again: many loaded at once
    are one event, not a rate at which they go on coming. The hours of the day are not modelled.

    Attributes
    ----------
    columns : the campaigns as they came, untouched, with all times in hours since their own submission.
    terms : what binds each; nothing that is new comes with the very key of another, so without exclusive ones.
    chunk_units : units until a checkpoint.
    spread : logarithmic standard deviation of the work each takes; see `spans.spread`.
    together : positions of those that came in the same minute, a minute each.
    seen_for_h : hours for which it was watched; taken as a day if less, as what comes within a minute of the start, all
        at once perhaps, says little of the hours to come.
    """

    columns: Columns
    terms: tuple[Terms, ...]
    chunk_units: Floats
    spread: Floats
    together: tuple[Indices, ...]
    seen_for_h: float

    @classmethod
    def seen(cls, lineup: Lineup, spread: Floats, since_h: float, until_h: float) -> Self:
        """From campaigns submitted after a moment and up to another, hours since the epoch."""
        submitted_h = lineup.columns.submitted_h
        among = np.flatnonzero((submitted_h > since_h) & (submitted_h <= until_h))
        rows = lineup.columns.take(among)
        _, minute = np.unique(np.floor(rows.submitted_h * 60), return_inverse=True)
        by_minute = np.argsort(minute, kind="stable")
        return cls(
            replace(rows.later(-rows.submitted_h), remaining_h=rows.work_h),
            tuple(replace(lineup.terms[row], exclusive=()) for row in among.tolist()),
            lineup.chunk_units[among],
            spread[among],
            tuple(np.split(by_minute, np.flatnonzero(np.diff(minute[by_minute])) + 1)) if len(among) else (),
            until_h - since_h,
        )

    @property
    def per_h(self) -> float:
        """Campaigns an hour."""
        return len(self.columns) / max(self.seen_for_h, _LEAST_SEEN_H)

    def drawn(self, chance: np.random.Generator, from_h: float, until_h: float) -> tuple[Lineup, Floats]:
        """Campaigns submitted between two moments, in that order, and the spread of their work."""
        seen = len(self.together)
        # With a chance of its own, as the rate itself is only known from those seen.
        rate = chance.gamma(seen) / max(self.seen_for_h, _LEAST_SEEN_H) if seen else 0.0
        times = np.sort(chance.uniform(from_h, until_h, chance.poisson(rate * max(until_h - from_h, 0.0))))
        drawn = [self.together[minute] for minute in chance.integers(0, max(seen, 1), len(times)).tolist()]
        which: Indices = np.concatenate([*drawn, _NONE])
        columns = self.columns.take(which).later(np.repeat(times, [len(rows) for rows in drawn]))
        terms = [self.terms[row] for row in which.tolist()]
        lineup = replace(alone(columns), terms=terms, chunk_units=self.chunk_units[which])
        return lineup, self.spread[which]

    def __len__(self) -> int:
        return len(self.columns)


_NONE: Indices = np.empty(0, dtype=np.intp)
