"""Planned campaigns with what was known about them, as columns, and the sums that features are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from features.aggregates import AGGREGATES
from features.curves import Floats, Indices
from features.ledgers import Entity

_PLACES: dict[str, tuple[Entity, int]] = {
    aggregate.name: (entity, place)
    for entity in Entity
    for place, aggregate in enumerate(a for a in AGGREGATES if a.entity == entity)
}
"""Where an aggregate stands among its entity's; those of one amount in several memories or windows stand in a row."""

Computed = TypeVar("Computed")

Column = Floats | float
"""One entry a campaign. Of a single campaign it is a plain number, with which Python is ten times as fast as NumPy with
an array of one: definitions are written once, for both."""


@dataclass(frozen=True, eq=False)
class Planned:
    """Planned campaigns with what was known about them, as columns.

    Attributes
    ----------
    moments_h : the moment asked about, one a campaign, hours since the epoch.
    facts : declared numbers, one entry a campaign, NaN where not declared.
    row : position of its campaign, one entry a planned target; rising.
    exposures : planned exposures, one entry a planned target.
    known : by entity its aggregates as declared, shape (aggregates, planned targets) for target entities, else
        (aggregates, campaigns).
    """

    moments_h: Floats
    facts: Mapping[str, Floats]
    row: Indices
    exposures: Floats
    known: Mapping[Entity, Floats] = field(default_factory=dict)
    _shared: dict[Callable[[Planned], Any], Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def single(self) -> bool:
        """Whether it is one campaign, and columns are numbers."""
        return len(self.moments_h) == 1

    def shared(self, compute: Callable[[Planned], Computed]) -> Computed:
        """What several features are made of, computed once."""
        if compute not in self._shared:
            self._shared[compute] = compute(self)
        found: Computed = self._shared[compute]
        return found

    def of_campaigns(self, name: str, later: int = 0) -> Column:
        """An aggregate of an entity that campaigns are of, or one declared so much later: another memory or window."""
        entity, place = _PLACES[name]
        return self._column(self.known[entity][place + later])

    def of_targets(self, first: str, count: int = 1) -> Floats:
        """An aggregate of targets and those declared after it, a row each, one entry a planned target."""
        entity, place = _PLACES[first]
        rows: Floats = self.known[entity][place : place + count]
        return rows

    def fact(self, name: str) -> Column:
        """A number that campaigns declare."""
        return self._column(self.facts[name])

    @property
    def moment_h(self) -> Column:
        """The moment asked about."""
        return self._column(self.moments_h)

    def per_campaign(self, amounts: Floats) -> Sequence[Column]:
        """Sums over each campaign's targets of some amounts, shape (amounts, planned targets); 0 where it has none."""
        return self._over_targets(np.add, amounts, 0.0)

    def largest(self, amount: Floats) -> Column:
        """Largest known over each campaign's targets; NaN where none is."""
        return self._over_targets(np.fmax, amount[None], np.nan)[0]

    def per_target(self, column: Column) -> Column:
        """What campaigns have, for each of their targets; one campaign's number goes with all as it is."""
        return column if isinstance(column, float) else column[self.row]

    def _column(self, column: Floats) -> Column:
        return column.item() if self.single else column

    def _over_targets(self, operation: np.ufunc, amounts: Floats, of_none: float) -> Sequence[Column]:
        if self.single:
            if not len(self.row):
                return [of_none] * len(amounts)
            numbers: list[float] = operation.reduce(amounts, axis=1).tolist()
            return numbers
        begins, filled = self.shared(_segments)
        over = np.full((len(amounts), len(self.moments_h)), of_none)
        if len(begins):
            over[:, filled] = operation.reduceat(amounts, begins, axis=1)
        return list(over)


def _segments(planned: Planned) -> tuple[Indices, Indices]:
    """Where the targets of each campaign that has any begin, and which those campaigns are."""
    counts = np.bincount(planned.row, minlength=len(planned.moments_h))
    filled = np.flatnonzero(counts)
    return (np.cumsum(counts) - counts)[filled], filled


def ratio(numerator: Column, denominator: Column, least: Column = 0.0) -> Column:
    """Numerator over denominator; NaN where there is nothing to divide by.

    `least`: the denominator is known to be so much at least, and need not be looked at where that is more than 0.
    """
    if isinstance(denominator, float):
        return numerator / denominator if denominator > 0 else numerator * np.nan
    if isinstance(least, float) and least > 0:
        return numerator / denominator
    quotient: Floats = np.divide(numerator, np.where(denominator > 0, denominator, np.nan))
    return quotient


def where_any(count: Column, column: Column) -> Column:
    """A column where there is anything to speak of; NaN elsewhere."""
    if isinstance(count, float):
        return column if count > 0 else np.nan
    return np.where(count > 0, column, np.nan)
