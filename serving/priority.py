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
from functools import cached_property, partial
from math import log
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from features.columns import Column, exp, expm1, larger, over, smaller, where
from features.curves import DEADLINE, HALF_LIFE, WINDOW, Curve, Curves, Floats
from features.rhythm import Rhythm

Numbers = TypeVar("Numbers", float, Floats)

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


def index_of_one(curve: Curve, remaining_h: float, delay_h: float, moment_h: float, horizon_h: float) -> float:
    """`index` of a single campaign: the same formula, in plain numbers."""
    if not 0 < horizon_h < np.inf:
        raise ValueError(f"horizon_h {horizon_h} must be a positive, finite number of hours")
    if not remaining_h > 0:
        raise ValueError(f"remaining_h {remaining_h} must be more than 0: no campaign has less left than one chunk")
    lost: float = _LOSS[curve.shape](curve, moment_h + delay_h, horizon_h) / remaining_h
    return max(lost, 0.0)


def expected_loss(curves: Curves, live_h: Floats, horizon_h: float) -> Floats:
    """E[V(a) - V(a+X)] in dollars, for campaigns that would go live at a = `live_h`."""
    shape = curves.shape
    if len(shape) and (shape == shape[0]).all():  # the common queue: nothing to split and put together again
        whole: Floats = _LOSS[int(shape[0])](curves, live_h, horizon_h)
        return whole
    loss = np.zeros(len(curves))
    for code, of_shape in _LOSS.items():
        rows = np.flatnonzero(shape == code)
        if len(rows):
            loss[rows] = of_shape(curves.take(rows), live_h[rows], horizon_h)
    return loss


def loss_per_hour(index: Numbers, remaining_h: Numbers, horizon_h: float) -> Numbers:
    """Dollars an hour of delay costs each campaign: its expected loss over the mean put-off."""
    return index * remaining_h / horizon_h


def _window_loss(curves: Curves | Curve, live_h: Column, horizon_h: float) -> Column:
    """Slope v/(e-s) from s to e: v h/(e-s) (e^(-x0/h) - e^(-x1/h)), with expm1 so that a long h keeps its digits."""
    if curves.rhythm is not None:
        return _rhythmic_loss(curves, curves.rhythm, live_h, horizon_h)
    from_h = larger(curves.starts_h, live_h)
    span = larger(curves.ends_h - from_h, 0.0)
    slope = over(curves.value, curves.ends_h - curves.starts_h)
    return slope * horizon_h * exp((live_h - from_h) / horizon_h) * -expm1(-span / horizon_h)


def _rhythmic_loss(curves: Curves | Curve, rhythm: Rhythm, live_h: Column, horizon_h: float) -> Column:
    """Slope v/(e-s) times the rhythm's rate: what accrues discounted from now on, less what does from e on."""
    from_h = smaller(larger(curves.starts_h, live_h), curves.ends_h)
    ahead_of_end, ahead_of_start = _both(partial(rhythm.ahead, horizon_h=horizon_h), curves.ends_h, from_h)
    by_end, by_start = _both(rhythm.elapsed, curves.ends_h, curves.starts_h)
    after = exp((from_h - curves.ends_h) / horizon_h) * ahead_of_end
    ahead = larger(ahead_of_start - after, 0.0)
    slope = over(curves.value, by_end - by_start)
    return slope * exp((smaller(live_h, from_h) - from_h) / horizon_h) * ahead


def _deadline_loss(curves: Curves | Curve, live_h: Column, horizon_h: float) -> Column:
    """A drop of v (1 - late fraction) just after due, and of all that is left at the end."""
    ends_first = curves.ends_h <= curves.due_h
    at_due = where(ends_first, 0.0, curves.value * (1 - curves.late_fraction))
    at_end = where(ends_first, curves.value, curves.value * curves.late_fraction)
    # Live exactly at due is still in time, so that drop lies ahead; live exactly at the end is too late.
    before_due = where(live_h <= curves.due_h, _discount(curves.due_h, live_h, horizon_h), 0.0)
    before_end = where(live_h < curves.ends_h, _discount(curves.ends_h, live_h, horizon_h), 0.0)
    return at_due * before_due + at_end * before_end


def _half_life_loss(curves: Curves | Curve, live_h: Column, horizon_h: float) -> Column:
    """Decay at rate k = ln 2 / half-life from s, cut by a drop of what is left at the end."""
    rate = log(2) / curves.half_life_h
    from_h = larger(curves.starts_h, live_h)
    span = larger(curves.ends_h - from_h, 0.0)
    there = curves.value * exp(-rate * (from_h - curves.starts_h)) * exp((live_h - from_h) / horizon_h)
    faded = -expm1(-(rate + 1 / horizon_h) * span)  # share of value lost or discounted away by the end
    decay = there * rate / (rate + 1 / horizon_h) * faded
    return where(live_h < curves.ends_h, decay + there * (1 - faded), 0.0)


def _discount(drop_h: Column, live_h: Column, horizon_h: float) -> Column:
    return exp(smaller(live_h - drop_h, 0.0) / horizon_h)


def _both(of: Callable[..., Any], one_h: Column, other_h: Column) -> Any:
    """The same of two columns of moments, in one call: a column of few costs as much as one of a hundred."""
    if isinstance(one_h, float):
        return of(one_h), of(other_h)
    return of(np.concatenate((one_h, other_h))).reshape(2, -1)


_LOSS: dict[int, Callable[[Any, Any, float], Any]] = {
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
