"""Planned campaigns with what was known about them, as columns, and the sums that features are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from features.aggregates import OF_CAMPAIGNS, OF_TARGETS
from features.columns import Column
from features.curves import Floats, Indices

_PLACES = {aggregate.name: place for kept in (OF_TARGETS, OF_CAMPAIGNS) for place, aggregate in enumerate(kept)}
"""Where an aggregate stands among its like; those of one amount in several memories or windows stand in a row."""

Computed = TypeVar("Computed")


@dataclass(frozen=True, eq=False)
class Planned:
    """Planned campaigns with what was known about them, as columns.

    Attributes
    ----------
    moment_h : the moment asked about, hours since the epoch.
    facts : declared numbers, NaN where not declared.
    row : position of its campaign, one entry a planned target; rising.
    exposures : planned exposures, one entry a planned target.
    known_of_targets : `OF_TARGETS`, shape (aggregates, planned targets).
    known_of_campaigns : `OF_CAMPAIGNS`, a column each.
    """

    moment_h: Column
    facts: Mapping[str, Column]
    row: Indices
    exposures: Floats
    known_of_targets: Floats
    known_of_campaigns: Sequence[Column]
    _shared: dict[Callable[[Planned], Any], Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def single(self) -> bool:
        """Whether it is one campaign, and columns are numbers."""
        return isinstance(self.moment_h, float)

    @property
    def count(self) -> int:
        """How many campaigns they are."""
        return 1 if isinstance(self.moment_h, float) else len(self.moment_h)

    def shared(self, compute: Callable[[Planned], Computed]) -> Computed:
        """What several features are made of, computed once."""
        found: Computed
        try:
            found = self._shared[compute]
        except KeyError:
            found = self._shared[compute] = compute(self)
        return found

    def of_campaigns(self, name: str, later: int = 0) -> Column:
        """An aggregate of an entity that campaigns are of, or one declared so much later: another memory or window."""
        return self.known_of_campaigns[_PLACES[name] + later]

    def of_targets(self, first: str, count: int = 1) -> Floats:
        """An aggregate of targets and those declared after it, a row each, one entry a planned target."""
        place = _PLACES[first]
        return self.known_of_targets[place : place + count]

    def fact(self, name: str) -> Column:
        """A number that campaigns declare."""
        return self.facts[name]

    def per_campaign(self, amounts: Floats, of_none: float = 0.0) -> Sequence[Column]:
        """Sums over each campaign's targets of some amounts, shape (amounts, planned targets)."""
        return self._over_targets(np.add, amounts, of_none)

    def largest(self, amounts: Floats) -> Sequence[Column]:
        """Largest known over each campaign's targets of some amounts; NaN where none is."""
        return self._over_targets(np.fmax, amounts, np.nan)

    def per_target(self, columns: Sequence[Column]) -> Floats:
        """What campaigns have, for each of their targets: a row a column; one campaign's goes with all targets."""
        rows = np.array(columns)
        return rows[:, None] if self.single else rows[:, self.row]

    def _over_targets(self, operation: np.ufunc, amounts: Floats, of_none: float) -> Sequence[Column]:
        if self.single:
            if not len(self.row):
                return [of_none] * len(amounts)
            numbers: list[float] = operation.reduce(amounts, 1).tolist()
            return numbers
        begins, filled = self.shared(_segments)
        over = np.full((len(amounts), self.count), of_none)
        if len(begins):
            over[:, filled] = operation.reduceat(amounts, begins, axis=1)
        return list(over)


def _segments(planned: Planned) -> tuple[Indices, Indices]:
    """Where the targets of each campaign that has any begin, and which those campaigns are."""
    counts = np.bincount(planned.row, minlength=planned.count)
    filled = np.flatnonzero(counts)
    return (np.cumsum(counts) - counts)[filled], filled
