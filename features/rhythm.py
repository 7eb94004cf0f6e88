"""The market's rhythm: how fast value accrues in each hour of the week.

Nobody buys at four in the morning, so work that would be done by then may as well be done by seven. All
campaigns of a market share the rhythm, and still it decides whose turn it is: of two pieces of work begun at
night, the long one ends when value is being made and the short one does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self, overload

import numpy as np
import numpy.typing as npt

from features.columns import Column, Floats, exp, expm1

WEEK_H = 168


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

    rates: Floats

    def __post_init__(self) -> None:
        rates = np.asarray(self.rates, dtype=float)
        if rates.shape != (WEEK_H,) or not (rates > 0).all() or not abs(rates.mean() - 1) < 1e-6:
            raise ValueError(f"a rhythm is {WEEK_H} positive rates of mean 1, one an hour of the week; got {rates}")

    @classmethod
    def of(cls, rates: Sequence[float]) -> Self | None:
        """The rhythm of some rates; none of none, which stands for an even one."""
        return cls(np.array(rates, dtype=float)) if len(rates) else None

    @cached_property
    def clock(self) -> Floats:
        """Value accrued by the end of each hour of the week, in mean hours; 169 entries, the first is 0."""
        return np.concatenate([[0.0], np.cumsum(self.rates)])

    def rate(self, moment_h: npt.ArrayLike) -> Floats:
        """Value accrued per hour at moments in hours since the epoch, relative to the mean hour."""
        rates: Floats = self.rates[_begun(np.asarray(moment_h))[1]]
        return rates

    @overload
    def elapsed(self, moment_h: float) -> float: ...
    @overload
    def elapsed(self, moment_h: Floats) -> Floats: ...
    def elapsed(self, moment_h: Column) -> Column:
        """Mean hours' worth of value accrued from the epoch to each moment, in hours since the epoch."""
        begun, hour = _begun(moment_h)
        accrued: Column = begun - hour + self._clock.at(hour) + (moment_h - begun) * self._rates.at(hour)
        return accrued

    @overload
    def ahead(self, moment_h: float, horizon_h: float) -> float: ...
    @overload
    def ahead(self, moment_h: Floats, horizon_h: float) -> Floats: ...
    def ahead(self, moment_h: Column, horizon_h: float) -> Column:
        """What accrues from each moment on, an hour x from then counting e^(-x / horizon_h); in mean hours."""
        begun, hour = _begun(moment_h)
        rest = (begun + 1 - moment_h) / horizon_h
        from_next = self._ahead_of_hours(horizon_h).at(hour + 1)
        seen: Column = self._rates.at(hour) * horizon_h * -expm1(-rest) + exp(-rest) * from_next
        return seen

    def ahead_of_hours(self, horizon_h: float) -> Floats:
        """`ahead` at the beginning of each hour of the week; 169 entries, the last is the first again."""
        return self._ahead_of_hours(horizon_h).column

    def _ahead_of_hours(self, horizon_h: float) -> _Hourly:
        try:
            return self._ahead[horizon_h]
        except KeyError:
            fade, hourly = np.exp(-1 / horizon_h), self.rates * horizon_h * -np.expm1(-1 / horizon_h)
            ahead = np.empty(WEEK_H + 1)
            ahead[-1] = hourly @ fade ** np.arange(WEEK_H) / -np.expm1(-WEEK_H / horizon_h)
            for hour in reversed(range(WEEK_H)):
                ahead[hour] = hourly[hour] + fade * ahead[hour + 1]
            self._ahead[horizon_h] = _Hourly(ahead, ahead.tolist())
            return self._ahead[horizon_h]

    @cached_property
    def _ahead(self) -> dict[float, _Hourly]:
        return {}

    @cached_property
    def _clock(self) -> _Hourly:
        return _Hourly(self.clock, self.clock.tolist())

    @cached_property
    def _rates(self) -> _Hourly:
        return _Hourly(self.rates, self.rates.tolist())


class _Hourly(NamedTuple):
    """Numbers by hour of the week, of which one hour picks one and a column of hours a column."""

    column: Floats
    plain: list[float]

    def at(self, hour: Any) -> Any:
        return self.plain[hour] if isinstance(hour, int) else self.column[hour]


def _begun(moment_h: Any) -> tuple[Any, Any]:
    """When the hour of each moment began, and which of the week it is; of infinite ones any: nothing asks."""
    if isinstance(moment_h, float):
        if not math.isfinite(moment_h):
            return moment_h, 0
        begun = math.floor(moment_h)
        return begun, begun % WEEK_H
    begun_h = np.floor(moment_h)
    return begun_h, np.where(np.isfinite(begun_h), begun_h % WEEK_H, 0).astype(np.intp)
