"""The planner, a challenger of the index: it improves the index's order by trial, as long as a decision may take.

The index looks at each campaign alone. The planner lays all ready campaigns out in a line, lets the slots take
them one by one (list scheduling) on predicted times, adds up the value that would be earned, and keeps every random
swap or move that earns more. Only the first of the line starts; the next decision plans anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.curves import Floats
from serving import priority
from serving.scheduling.columns import Columns


@dataclass(frozen=True)
class Planner:
    """Places in line by a plan of all that is ready.

    Attributes
    ----------
    horizon_h : mean lookahead of the index that it starts from, hours.
    workers : slots that the line is laid out on. One is free now; of the others it is only known that they are
        busy, so they are taken to come free evenly over the mean work ahead.
    tries : swaps and moves; 3,000 of 100 campaigns take a few milliseconds.
    arriving : slot-hours of work, not known yet, expected to arrive in each slot-hour, 0 to below 1. What is planned
        for later is put off by as much.
    seed : of the tries, so that equal queues are planned alike.
    """

    horizon_h: float
    workers: int = 4
    tries: int = 3000
    arriving: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.arriving < 1:
            raise ValueError(f"arriving {self.arriving} must be at least 0 and below 1")

    def __call__(self, columns: Columns, moment_h: float) -> Floats:
        """Keys n for the first of the plan, down to 1."""
        # Compiled code takes half a second to load, which only those who plan should wait for.
        from serving.scheduling.planning import clock_of, facts, improve  # noqa: PLC0415

        n, curves, needed = len(columns), columns.at_stake, columns.needed_h
        keys = priority.index(curves, needed, columns.delay_h, moment_h, self.horizon_h)
        line = np.lexsort((columns.submitted_h, -keys))
        if n > 1 and self.tries:
            offsets = np.arange(self.workers) / self.workers * float(needed.mean())
            known = facts(curves, columns.delay_h)
            stretch = 1 / (1 - self.arriving)
            improve(line, known, clock_of(curves), offsets, moment_h, stretch, self.tries, self.seed)
        places = np.empty(n)
        places[line] = np.arange(n, 0, -1)
        return places
