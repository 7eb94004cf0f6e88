"""The market's rhythm: how fast value accrues in each hour of the week.

Nobody buys at four in the morning, so work that would be done by then may as well be done by seven. All
campaigns of a market share the rhythm, and still it decides whose turn it is: of two pieces of work begun at
night, the long one ends when value is being made and the short one does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

WEEK_H = 168

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rhythm:
    """Value accrued per hour by hour of the week (UTC), relative to the mean hour.

    Attributes
    ----------
    rates : 168 positive numbers of mean 1, the first for Thursday 00:00 to 01:00 (the epoch began on a Thursday).

    Raises
    ------
    ValueError
        When they are not that.
    """

    rates: _Floats

    def __post_init__(self) -> None:
        rates = np.asarray(self.rates, dtype=float)
        if rates.shape != (WEEK_H,) or not (rates > 0).all() or not abs(rates.mean() - 1) < 1e-6:
            raise ValueError(f"a rhythm is {WEEK_H} positive rates of mean 1, one an hour of the week; got {rates}")

    @classmethod
    def of(cls, rates: Sequence[float]) -> Self | None:
        """The rhythm of some rates; none of none, which stands for an even one."""
        return cls(np.array(rates, dtype=float)) if len(rates) else None

    @cached_property
    def clock(self) -> _Floats:
        """Value accrued by the end of each hour of the week, in mean hours; 169 entries, the first is 0."""
        return np.concatenate([[0.0], np.cumsum(self.rates)])

    def rate(self, moment_h: npt.ArrayLike) -> _Floats:
        """Value accrued per hour at moments in hours since the epoch, relative to the mean hour."""
        rates: _Floats = self.rates[_hour(np.floor(moment_h))]
        return rates

    def elapsed(self, moment_h: npt.ArrayLike) -> _Floats:
        """Mean hours' worth of value accrued from the epoch to each moment, in hours since the epoch."""
        moment = np.asarray(moment_h, dtype=float)
        begun = np.floor(moment)
        hour = _hour(begun)
        accrued: _Floats = begun - hour + self.clock[hour] + (moment - begun) * self.rates[hour]
        return accrued

    def ahead(self, moment_h: npt.ArrayLike, horizon_h: float) -> _Floats:
        """What accrues from each moment on, an hour x from then counting e^(-x / horizon_h); in mean hours."""
        moment = np.asarray(moment_h, dtype=float)
        begun = np.floor(moment)
        hour = _hour(begun)
        rest = (begun + 1 - moment) / horizon_h
        from_next = self.ahead_of_hours(horizon_h)[hour + 1]
        seen: _Floats = self.rates[hour] * horizon_h * -np.expm1(-rest) + np.exp(-rest) * from_next
        return seen

    def ahead_of_hours(self, horizon_h: float) -> _Floats:
        """`ahead` at the beginning of each hour of the week; 169 entries, the last is the first again."""
        if horizon_h not in self._ahead:
            fade, hourly = np.exp(-1 / horizon_h), self.rates * horizon_h * -np.expm1(-1 / horizon_h)
            ahead = np.empty(WEEK_H + 1)
            ahead[-1] = hourly @ fade ** np.arange(WEEK_H) / -np.expm1(-WEEK_H / horizon_h)
            for hour in reversed(range(WEEK_H)):
                ahead[hour] = hourly[hour] + fade * ahead[hour + 1]
            self._ahead[horizon_h] = ahead
        return self._ahead[horizon_h]

    @cached_property
    def _ahead(self) -> dict[float, _Floats]:
        return {}


def _hour(begun_h: _Floats) -> npt.NDArray[np.intp]:
    """Hour of the week of whole hours since the epoch; of infinite ones any, as nothing asks for them."""
    return np.where(np.isfinite(begun_h), begun_h % WEEK_H, 0).astype(np.intp)
