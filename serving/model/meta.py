"""What a bundle says about itself: the JSON beside the model's trees."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, FiniteFloat, NonNegativeFloat, PositiveFloat

from features.columns import Column
from features.curves import Floats
from features.records import ValueLabel
from features.rhythm import Rhythm
from serving.model.intervals import STRICT, ValueIntervals

_NINETIETH = 1.2815515655446004
"""The standard normal's 90th percentile."""


@dataclass(frozen=True)
class ProcessingPrior:
    """Processing time before enough runs exist: lognormal around a line in work units.

    The mean is `slot_hours_per_unit` x (`setup_units` + work units), in slot-hours; `sigma` is the
    standard deviation of its logarithm.
    """

    setup_units: NonNegativeFloat
    slot_hours_per_unit: PositiveFloat
    sigma: NonNegativeFloat

    __pydantic_config__ = STRICT

    def p50_h(self, work_units: npt.ArrayLike) -> Floats:
        """Median slot-hours; what `remaining_h` is taken to be before any work is done."""
        return np.asarray(self._quantiles(np.asarray(work_units, dtype=float))[0])

    def p90_h(self, work_units: npt.ArrayLike) -> Floats:
        """Slot-hours that nine of ten campaigns of this size stay below."""
        return np.asarray(self._quantiles(np.asarray(work_units, dtype=float))[1])

    def left_h(self, work_units: npt.ArrayLike, done: npt.ArrayLike) -> Floats:
        """Slot-hours still needed, p50 and p90, shape (campaigns, 2): in proportion to the share not `done`, 0-1."""
        quantiles = self._quantiles(np.asarray(work_units, dtype=float), np.asarray(done, dtype=float))
        return np.column_stack(quantiles)

    def left_of_one_h(self, work_units: float, done: float) -> tuple[float, float]:
        """The same of a single campaign, in plain numbers."""
        p50, p90 = self._quantiles(float(work_units), done)
        return float(p50), float(p90)

    def _quantiles(self, work_units: Column, done: Column = 0.0) -> tuple[Column, Column]:
        mean = self.slot_hours_per_unit * (self.setup_units + work_units)
        median = mean * exp(-(self.sigma**2) / 2) * (1 - done)
        return median, median * exp(_NINETIETH * self.sigma)


@dataclass(frozen=True)
class MatrixDollars:
    """A monotone map from matrix points (0-100) to dollars, so that a fallback keeps its unit.

    Points between two knots are interpolated, points outside take the nearest knot.
    """

    points: tuple[FiniteFloat, ...]
    dollars: tuple[FiniteFloat, ...]

    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if len(self.points) != len(self.dollars) or not self.points:
            raise ValueError("matrix_dollars needs as many dollars as points, at least one")
        if np.any(np.diff(self.points) <= 0) or np.any(np.diff(self.dollars) < 0):
            raise ValueError("matrix_dollars must rise: points strictly, dollars never falling")

    def of(self, points: npt.ArrayLike) -> Floats:
        """Dollars of matrix points."""
        dollars: Floats = np.interp(np.asarray(points, dtype=float), self.points, self.dollars)
        return dollars


@dataclass(frozen=True, kw_only=True)
class Meta:
    """A bundle's metadata.

    Attributes
    ----------
    contract : fingerprint of the feature definitions the model was trained on.
    horizon_h : hours; the index's mean lookahead.
    index_quantiles : rising reference indices ($ per slot-hour) of past contenders, for scores.
    intervals : how far values come out from the predicted ones; None where too little was known to tell.
    rhythm : of the market, in which the value of windows accrues, see `features.rhythm.Rhythm`; empty for evenly.
    training_window : first and last moment the training data cover.
    by_targets : whether every campaign the model learned from named its targets.
    recipe : how the model was fitted, for whoever would fit it again or tell two recipes apart; its `label` says
        what the value of a campaign is taken to be.
    version : the registry's version, unknown until registered.
    """

    name: str
    trained_at: AwareDatetime
    training_window: tuple[AwareDatetime, AwareDatetime]
    contract: str
    features: tuple[str, ...]
    objective: str
    horizon_h: PositiveFloat
    index_quantiles: tuple[FiniteFloat, ...]
    seconds_per_unit_prior: ProcessingPrior
    matrix_dollars: MatrixDollars
    metrics: dict[str, float | dict[str, float]] = field(default_factory=dict)
    by_targets: bool = False
    rhythm: tuple[PositiveFloat, ...] = ()
    intervals: ValueIntervals | None = None
    recipe: dict[str, str | bool | int | float | None] = field(default_factory=dict)
    version: str | None = None

    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if len(self.index_quantiles) < 2 or np.any(np.diff(self.index_quantiles) < 0):
            raise ValueError("index_quantiles must be at least two numbers that never fall")
        Rhythm.of(self.rhythm)  # raises ValueError

    @property
    def label(self) -> ValueLabel:
        """What its dollars are, as the recipe says; gross where it says nothing."""
        return ValueLabel(str(self.recipe.get("label", ValueLabel.GROSS)))
