"""When a waiting campaign takes the slot of a running one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.curves import Indices
from serving.scheduling.columns import Columns
from serving.scheduling.policies import Order
from serving.scheduling.rank import pressure, rank


@dataclass(frozen=True)
class Preemption:
    """A runner gives way at a checkpoint to a clearly more pressing challenger, now and then.

    Attributes
    ----------
    factor : the challenger's key x boost must exceed the runner's this many times (hysteresis), 1 or more.
    min_run_h : hours a runner keeps its slot undisturbed.
    budget : how often one campaign may be made to give way; after that it runs to its end.
    """

    factor: float = 1.5
    min_run_h: float = 0.25
    budget: int = 3

    def __post_init__(self) -> None:
        for name, least in (("factor", 1), ("min_run_h", 0), ("budget", 0)):
            given = getattr(self, name)
            if not given >= least:
                raise ValueError(f"{name} {given} must be {least} or more")

    def disturbs(self, ran_h: float, preempted: int) -> bool:
        """Whether a runner, `ran_h` hours in its slot and `preempted` times before, may be challenged at all."""
        return ran_h >= self.min_run_h and preempted < self.budget

    def challenger(self, columns: Columns, runner: int, waiting: Indices, moment_h: float, order: Order) -> int | None:
        """Position of the waiting campaign that takes the runner's slot; None if the runner keeps it.

        A pinned challenger needs no factor against an unpinned runner, and an unpinned one has no chance against a
        pinned runner.
        """
        if not len(waiting):
            return None
        # One set of rows: keys that depend on the company are only comparable within it.
        rows = columns.take(np.append(waiting, runner))
        keys = pressure(rows, moment_h, order)
        enough = self.factor * keys[-1]
        if keys[:-1].max() <= enough and not rows.pinned.any():
            return None
        first = int(rank(rows, moment_h, order)[0])
        by_pin = rows.pinned[first] and not rows.pinned[-1]
        if first == len(waiting) or not (by_pin or keys[first] > enough):
            return None
        return int(waiting[first])
