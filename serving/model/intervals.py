"""Between what bounds a campaign's value will lie: conformal factors of the predicted value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, NonNegativeFloat, PositiveFloat

from features.curves import Floats, Indices

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Interval:
    """Bounds as factors of the predicted value, one pair a part of `ValueIntervals`.

    `level` is the share of campaigns (0-1) whose value they promise to hold.
    """

    level: PositiveFloat
    low: tuple[NonNegativeFloat, ...]
    high: tuple[NonNegativeFloat, ...]

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class ValueIntervals:
    """How far values came out from what was predicted, for small campaigns and for large ones.

    Attributes
    ----------
    above : rising dollars, from 0; each begins a part of the predictions with factors of its own.
    intervals : of every level there is.
    """

    above: tuple[NonNegativeFloat, ...]
    intervals: tuple[Interval, ...]

    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        parts = len(self.above)
        if not parts or self.above[0] != 0 or np.any(np.diff(self.above) <= 0):
            raise ValueError("intervals.above must be rising dollars that begin with 0")
        for each in self.intervals:
            if len(each.low) != parts or len(each.high) != parts or np.any(np.less(each.high, each.low)):
                raise ValueError(
                    f"the {each.level:.0%} interval needs a low and a high factor for each of {parts} parts"
                )

    @classmethod
    def of(cls, predicted: Floats, actual: Floats, levels: Sequence[float] = (0.8, 0.9), parts: int = 8) -> Self:
        """From predictions above 0 and how they turned out, dollars; both of campaigns nothing was learned from.

        Split conformal prediction by equal parts of the predictions: in each, the bounds are those ranks of actual
        over predicted that a further campaign of the part lies between with at least the level's probability.
        """
        first = np.arange(parts) * len(predicted) // parts
        above = np.unique(np.sort(predicted)[first])
        above[0] = 0.0
        part = _part(above, predicted)
        factors = [np.sort(actual[part == i] / predicted[part == i]) for i in range(len(above))]
        bounds = {level: [_bounds(each, 1 - level) for each in factors] for level in levels}
        intervals = [Interval(level, *zip(*pairs, strict=True)) for level, pairs in bounds.items()]
        return cls(tuple(above.tolist()), tuple(intervals))

    @property
    def levels(self) -> tuple[float, ...]:
        """Every level there is."""
        return tuple(each.level for each in self.intervals)

    def between(self, values: npt.ArrayLike, level: float) -> tuple[Floats, Floats]:
        """Lower and upper bounds in dollars for predicted values.

        Raises
        ------
        ValueError
            When there is no interval of that level.
        """
        chosen = next((each for each in self.intervals if np.isclose(each.level, level)), None)
        if chosen is None:
            raise ValueError(f"level {level:g} is not one of {', '.join(f'{known:g}' for known in self.levels)}")
        dollars = np.asarray(values, dtype=float)
        part = _part(np.array(self.above), dollars)
        return dollars * np.array(chosen.low)[part], dollars * np.array(chosen.high)[part]

    def covered(self, predicted: Floats, actual: Floats) -> dict[float, float]:
        """By level, the share of what came true that lies within the bounds, which are part of them."""
        shares = {}
        for level in self.levels:
            low, high = self.between(predicted, level)
            # An actual value that is a bound must not miss it by rounding.
            held = (actual >= low * (1 - 1e-12)) & (actual <= high * (1 + 1e-12))
            shares[level] = float(held.mean())
        return shares


def _part(above: Floats, values: Floats) -> Indices:
    return np.maximum(np.searchsorted(above, values, side="right") - 1, 0)


def _bounds(factors: Floats, miss: float) -> tuple[float, float]:
    """Low and high of sorted factors: half of the misses below, the rest above.

    Where many campaigns earn nothing no bound can leave some of them out below: then more are left out above.
    """
    n = len(factors)
    rank = int(miss / 2 * (n + 1))
    low = float(factors[rank - 1]) if rank else 0.0
    below = int(np.searchsorted(factors, low))
    upper = int(np.ceil((1 - miss) * (n + 1))) + below
    return low, float(factors[min(upper, n) - 1])
