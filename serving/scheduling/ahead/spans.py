"""How long work may still take, drawn from what was predicted and what is known by now."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from features.curves import Floats

_Z90 = float(ndtri(0.9))
_LEAST_SPREAD = 1e-6
_MOST_SPREAD = 3.0
"""Beyond it a prediction says nothing, and draws from it would only take time."""
_CERTAIN = 1 - 1e-9
"""Of what lasted longer than all but this share of its like, no more is asked than that it goes on a little."""


def spread(p50_h: npt.ArrayLike, p90_h: npt.ArrayLike) -> Floats:
    """Standard deviation of the logarithm of work whose median and 90th percentile were predicted."""
    ratio = np.asarray(p90_h, dtype=float) / np.asarray(p50_h, dtype=float)
    deviation: Floats = np.clip(np.log(np.maximum(ratio, 1.0)) / _Z90, _LEAST_SPREAD, _MOST_SPREAD)
    return deviation


def left_h(
    chance: np.random.Generator,
    samples: int,
    *,
    work_h: Floats,
    remaining_h: Floats,
    chunk_h: Floats,
    spread: Floats,
    spent_h: Floats,
    running: npt.NDArray[np.bool_],
) -> Floats:
    """Slot-hours that campaigns may still need, shape (samples, campaigns), each above 0.

    All of a campaign's work is taken to be lognormal, and to go on at the pace it went so far: after `spent_h` it is
    past its last checkpoint and has not reached the next, which leaves only some of its possible totals. What was not
    begun, or whose time spent is not known, has its predicted spread.

    Parameters
    ----------
    work_h, remaining_h, chunk_h : predicted medians: of all, of what is left since the last checkpoint, of a chunk.
    spread : of the logarithm, see `spread`.
    spent_h : slot-hours worked so far; NaN where that is not known.
    running : holds a slot, and so may be past its last checkpoint.
    """
    n = len(work_h)
    done = np.clip(1 - remaining_h / work_h, 0.0, 1.0)
    known = np.isfinite(spent_h) & (spent_h > 0)
    spent = np.where(known, spent_h, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Totals that have it between the checkpoint it reached and the next: at `done`, and at one chunk more.
        longest = np.where(known & (done > 0), spent / done, np.inf)
        ahead = np.minimum(done + np.where(running, chunk_h / work_h, 0.0), 1.0)
        least = np.where(known, np.where(running, spent / ahead, longest), 0.0)
        lower, upper = (ndtr(np.log(total / work_h) / spread) for total in (least, longest))
    drawn = chance.random((samples, n))
    share = np.clip(lower + drawn * (upper - lower), 1 - _CERTAIN, _CERTAIN)
    total = work_h * np.exp(spread * ndtri(share))
    # Rounding, and what lasts beyond belief, must not lead out of what is known.
    total = np.clip(total, least, longest)
    left: Floats = np.where(known, total - spent, total * (remaining_h / work_h))
    return np.maximum(left, 1e-3 * np.minimum(chunk_h, work_h))
