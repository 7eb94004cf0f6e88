"""By what the queue is ordered and bound: everything about a decision that is not the campaigns themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from features.curves import Floats, hours
from features.rhythm import Rhythm
from serving.priority import Scale
from serving.scheduling.policies import Order, index, matrix
from serving.scheduling.preemption import Preemption
from serving.scheduling.roster import columns_of
from serving.scheduling.rules import Rules
from serving.scheduling.work import Standing


@dataclass(frozen=True)
class Policy:
    """By what the queue is ordered.

    Attributes
    ----------
    horizon_h : hours; the index's mean lookahead.
    scale : places an index among past contenders; None when there is no bundle.
    preemption : when a runner gives way.
    emphasis : how far large campaigns are favoured over what a slot-hour earns, 0-1; see `policies.Index`. Indices and
        scores that are shown stay the index itself.
    rhythm : of the market, in which the value of windows accrues; None for evenly.
    rules : what binds campaigns beside their worth.
    """

    horizon_h: float
    scale: Scale | None
    preemption: Preemption
    emphasis: float = 0.0
    rhythm: Rhythm | None = None
    rules: Rules = field(default_factory=Rules)

    def order(self, *, by_matrix: bool) -> Order:
        """What gives the keys: the index, or matrix points while some campaign has no value in dollars."""
        return matrix if by_matrix else index(self.horizon_h, self.emphasis)

    def score(self, indices: Floats) -> Floats | None:
        """Scores, 0-100, of indices; None where there is nothing to compare with."""
        return None if self.scale is None else self.scale.score(indices)

    def scores(self, standings: Sequence[Standing], moment: datetime) -> list[float | None]:
        """Scores, 0-100, of campaigns with an estimate; None where there is nothing to compare with."""
        estimates = [s.estimate for s in standings]
        if any(e is None or e.value is None for e in estimates):
            return [None if e is None else e.points for e in estimates]
        if not standings:
            return []
        columns = columns_of(standings)
        columns = replace(columns, curves=replace(columns.curves, rhythm=self.rhythm))
        scores = self.score(index(self.horizon_h)(columns, hours(moment)))
        return [None] * len(standings) if scores is None else list(scores.tolist())
