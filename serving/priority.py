"""What a slot-hour spent on a campaign now is worth more than the same slot-hour spent later.

    index(t) = E[ V(t+d) - V(t+d+X) ] / p,   X ~ exponential with mean h

With a = t+d, integration by parts turns the expectation into a discounted sum of the value the curve still
loses: every loss dL at a+x counts e^(-x/h), be it a slope (an integral) or a drop (a single term). That gives
a closed form for each shape of `features.curves`. One deadline is ATC (Vepsalainen & Morton 1987), h -> 0 the
generalised c-mu rule (van Mieghem 1995), h -> infinity V(t+d)/p.

Pure and vectorised: one array entry a campaign, hours since the epoch, dollars, slot-hours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from features.curves import DEADLINE, HALF_LIFE, WINDOW, Curves, Floats
from features.rhythm import Rhythm

BANDS = 10
"""Brokers offer ten levels at least; each maps the band to its own direction."""


def index(
    curves: Curves, remaining_h: npt.ArrayLike, delay_h: npt.ArrayLike, moment_h: float, horizon_h: float
) -> Floats:
    """Expected dollars lost per slot-hour of work if each campaign is put off, never below 0.

    Parameters
    ----------
    remaining_h : slot-hours of work left (p), more than 0: callers never let it fall below one chunk.
    delay_h : hours from starting now to going live (d).
    moment_h : now (t), hours since the epoch.
    horizon_h : mean of the put-off X (h), hours.

    Raises
    ------
    ValueError
        When `horizon_h` is not a positive, finite number of hours, or work left is not positive.
    """
    if not 0 < horizon_h < np.inf:
        raise ValueError(f"horizon_h {horizon_h} must be a positive, finite number of hours")
    remaining = np.asarray(remaining_h, dtype=float)
    if not (remaining > 0).all():
        raise ValueError(f"remaining_h {remaining.min()} must be more than 0: no campaign has less left than one chunk")
    live: Floats = moment_h + np.asarray(delay_h, dtype=float)
    if live.shape != curves.value.shape:
        live = np.broadcast_to(live, curves.value.shape)
    lost: Floats = expected_loss(curves, live, horizon_h) / remaining
    return np.maximum(lost, 0.0, out=lost)


def expected_loss(curves: Curves, live_h: Floats, horizon_h: float) -> Floats:
    """E[V(a) - V(a+X)] in dollars, for campaigns that would go live at a = `live_h`."""
    shape = curves.shape
    if len(shape) and (shape == shape[0]).all():  # the common queue: nothing to split and put together again
        return _LOSS[int(shape[0])](curves, live_h, horizon_h)
    loss = np.zeros(len(curves))
    for code, of_shape in _LOSS.items():
        rows = np.flatnonzero(shape == code)
        if len(rows):
            loss[rows] = of_shape(curves.take(rows), live_h[rows], horizon_h)
    return loss


def loss_per_hour(index: Floats, remaining_h: npt.ArrayLike, horizon_h: float) -> Floats:
    """Dollars an hour of delay costs each campaign: its expected loss over the mean put-off."""
    expected: Floats = index * np.asarray(remaining_h, dtype=float)
    return expected / horizon_h


def _window_loss(curves: Curves, live_h: Floats, horizon_h: float) -> Floats:
    """Slope v/(e-s) from s to e: v h/(e-s) (e^(-x0/h) - e^(-x1/h)), with expm1 so that a long h keeps its digits."""
    if curves.rhythm is not None:
        return _rhythmic_loss(curves, curves.rhythm, live_h, horizon_h)
    from_h = np.maximum(curves.starts_h, live_h)
    span = np.maximum(curves.ends_h - from_h, 0.0)
    slope = curves.value / (curves.ends_h - curves.starts_h)
    loss: Floats = slope * horizon_h * np.exp((live_h - from_h) / horizon_h) * -np.expm1(-span / horizon_h)
    return loss


def _rhythmic_loss(curves: Curves, rhythm: Rhythm, live_h: Floats, horizon_h: float) -> Floats:
    """Slope v/(e-s) times the rhythm's rate: what accrues discounted from now on, less what does from e on."""
    from_h = np.minimum(np.maximum(curves.starts_h, live_h), curves.ends_h)
    # Both moments, and both ends of the window, in one call each: a single campaign costs as much as a hundred.
    ahead_of_end, ahead_of_start = rhythm.ahead(np.concatenate((curves.ends_h, from_h)), horizon_h).reshape(2, -1)
    by_end, by_start = rhythm.elapsed(np.concatenate((curves.ends_h, curves.starts_h))).reshape(2, -1)
    after = np.exp((from_h - curves.ends_h) / horizon_h) * ahead_of_end
    ahead = np.maximum(ahead_of_start - after, 0.0)
    slope = curves.value / (by_end - by_start)
    loss: Floats = slope * np.exp((np.minimum(live_h, from_h) - from_h) / horizon_h) * ahead
    return loss


def _deadline_loss(curves: Curves, live_h: Floats, horizon_h: float) -> Floats:
    """A drop of v (1 - late fraction) just after due, and of all that is left at the end."""
    ends_first = curves.ends_h <= curves.due_h
    at_due = np.where(ends_first, 0.0, curves.value * (1 - curves.late_fraction))
    at_end = np.where(ends_first, curves.value, curves.value * curves.late_fraction)
    # Live exactly at due is still in time, so that drop lies ahead; live exactly at the end is too late.
    at_due *= (live_h <= curves.due_h) * _discount(curves.due_h, live_h, horizon_h)
    at_end *= (live_h < curves.ends_h) * _discount(curves.ends_h, live_h, horizon_h)
    return at_due + at_end


def _half_life_loss(curves: Curves, live_h: Floats, horizon_h: float) -> Floats:
    """Decay at rate k = ln 2 / half-life from s, cut by a drop of what is left at the end."""
    rate = np.log(2) / curves.half_life_h
    from_h = np.maximum(curves.starts_h, live_h)
    span = np.maximum(curves.ends_h - from_h, 0.0)
    there = curves.value * np.exp(-rate * (from_h - curves.starts_h)) * np.exp((live_h - from_h) / horizon_h)
    faded = -np.expm1(-(rate + 1 / horizon_h) * span)  # share of value lost or discounted away by the end
    decay = there * rate / (rate + 1 / horizon_h) * faded
    loss: Floats = (decay + there * (1 - faded)) * (live_h < curves.ends_h)
    return loss


def _discount(drop_h: Floats, live_h: Floats, horizon_h: float) -> Floats:
    discount: Floats = np.exp(np.minimum(live_h - drop_h, 0.0) / horizon_h)
    return discount


_LOSS: dict[int, Callable[[Curves, Floats, float], Floats]] = {
    WINDOW: _window_loss,
    DEADLINE: _deadline_loss,
    HALF_LIFE: _half_life_loss,
}


@dataclass(frozen=True, eq=False)
class Scale:
    """Places an index among past contenders: 87 means more pressing than 87 % of them.

    Attributes
    ----------
    quantiles : evenly spaced quantiles of past contenders' indices.

    Raises
    ------
    ValueError
        When there are fewer than two quantiles, or they are not ascending finite numbers.
    """

    quantiles: Floats

    def __post_init__(self) -> None:
        values = self.quantiles
        if len(values) < 2 or not np.isfinite(values).all() or (np.diff(values) < 0).any():
            raise ValueError(f"index quantiles must be two or more ascending finite numbers, got {values}")

    @classmethod
    def of(cls, indices: npt.ArrayLike, count: int = 201) -> Self:
        """The scale of observed `indices`, kept as `count` quantiles."""
        return cls(np.quantile(np.asarray(indices, dtype=float), np.linspace(0, 1, count)))

    def score(self, index: npt.ArrayLike) -> Floats:
        """Mid-rank percentile, 0-100: indices tied with many past ones get the middle of their range."""
        values, percentile = self._percentiles
        score: Floats = np.interp(np.asarray(index, dtype=float), values, percentile, left=0.0, right=100.0)
        return score

    @cached_property
    def _percentiles(self) -> tuple[Floats, Floats]:
        values, first, times = np.unique(self.quantiles, return_index=True, return_counts=True)
        return values, 100 * (first + (times - 1) / 2) / (len(self.quantiles) - 1)


def band(score: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The broker level of each score: 0 (least pressing) to 9."""
    levels: Floats = np.asarray(score, dtype=float) // (100 / BANDS)
    return np.minimum(levels, BANDS - 1).astype(np.int64)
