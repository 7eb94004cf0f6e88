"""How sure a difference between orders of work is: a paired bootstrap over weeks and replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.curves import Floats

DRAWS = 4000
_LEVEL = (2.5, 97.5)


@dataclass(frozen=True)
class Share:
    """A ratio of sums with its 95 % interval; NaN where there is nothing to divide by."""

    estimate: float
    low: float
    high: float


def share_of_gap(gained: Floats, gap: Floats, seed: int = 0) -> Share:
    """Sum of `gained` over sum of `gap`, with a percentile interval.

    Weeks are drawn with replacement, and replicates within each drawn week; both sums see the same draw, so that
    what moves them together cancels.

    Parameters
    ----------
    gained : dollars, shape (weeks, replicates): a policy's value less FIFO's, or less another's.
    gap : same shape: the clairvoyant's value less FIFO's.
    """
    weeks, replicates = gap.shape
    chance = np.random.default_rng(seed)
    week = chance.integers(weeks, size=(DRAWS, weeks, 1))
    replicate = chance.integers(replicates, size=(DRAWS, weeks, replicates))
    drawn = _ratio(gained[week, replicate].sum(axis=(1, 2)), gap[week, replicate].sum(axis=(1, 2)))
    low, high = np.percentile(drawn, _LEVEL)
    return Share(float(_ratio(gained.sum(), gap.sum())), float(low), float(high))


def _ratio(gained: npt.ArrayLike, gap: npt.ArrayLike) -> Floats:
    below = np.asarray(gap, dtype=float)
    ratio: Floats = np.divide(gained, below, out=np.full(below.shape, np.nan), where=below > 0)
    return ratio
