"""Planned campaigns with what was known about them, as columns, and the sums that features are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from features.aggregates import AGGREGATES, MEMORIES
from features.curves import Floats, Indices
from features.ledgers import Entity

_PLACES: dict[str, tuple[Entity, int]] = {
    aggregate.name: (entity, place)
    for entity in Entity
    for place, aggregate in enumerate(a for a in AGGREGATES if a.entity == entity)
}
"""Where an aggregate stands among its entity's; those of one amount in several memories or windows stand in a row."""

Computed = TypeVar("Computed")


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

    def shared(self, compute: Callable[[Planned], Computed]) -> Computed:
        """What several features are made of, computed once."""
        if compute not in self._shared:
            self._shared[compute] = compute(self)
        found: Computed = self._shared[compute]
        return found

    def amount(self, name: str) -> Floats:
        """One aggregate, one entry a planned target or campaign."""
        entity, place = _PLACES[name]
        column: Floats = self.known[entity][place]
        return column

    def amounts(self, first: str, count: int = len(MEMORIES)) -> Floats:
        """An aggregate and those declared after it, a row each: one amount in all its memories, or windows."""
        entity, place = _PLACES[first]
        rows: Floats = self.known[entity][place : place + count]
        return rows

    def per_campaign(self, amount: Floats) -> Floats:
        """Sum over each campaign's targets, along the last axis; 0 where it has none."""
        return self._over_targets(np.add, amount, 0.0)

    def largest(self, amount: Floats) -> Floats:
        """Largest known over each campaign's targets; NaN where none is."""
        return self._over_targets(np.fmax, amount, np.nan)

    def per_target(self, amount: Floats) -> Floats:
        """What campaigns have, for each of their targets, along the last axis."""
        # One campaign's numbers go with all targets as they are.
        return amount if len(self.moments_h) == 1 else amount[..., self.row]

    def _over_targets(self, operation: np.ufunc, amount: Floats, of_none: float) -> Floats:
        if len(self.moments_h) == 1 and len(self.row):
            over: Floats = operation.reduce(amount, axis=-1, keepdims=True)
            return over
        begins, filled = self.shared(_segments)
        if filled is None:
            each: Floats = operation.reduceat(amount, begins, axis=-1)
            return each
        spread = np.full((*amount.shape[:-1], len(self.moments_h)), of_none)
        if len(begins):
            spread[..., filled] = operation.reduceat(amount, begins, axis=-1)
        return spread


def _segments(planned: Planned) -> tuple[Indices, Indices | None]:
    """Where each campaign's targets begin, and which campaigns have any; None when all have."""
    counts = np.bincount(planned.row, minlength=len(planned.moments_h))
    filled = np.flatnonzero(counts)
    begins = (np.cumsum(counts) - counts)[filled]
    return begins, None if len(filled) == len(counts) else filled


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Numerator over denominator; NaN where there is nothing to divide by."""
    quotient: Floats = np.divide(numerator, np.where(denominator > 0, denominator, np.nan))
    return quotient
