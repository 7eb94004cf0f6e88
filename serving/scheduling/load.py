"""How much work there is for how many slots: what those who add and remove workers go by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, inf
from typing import Self

from serving.scheduling.board import Board


@dataclass(frozen=True)
class Load:
    """The work that runs or could start now, limits apart; of what nobody estimated yet, only the tasks.

    Attributes
    ----------
    tasks : that run or could start.
    slot_h : slot-hours predicted for what is left of their campaigns.
    slots : there are to work it off.
    """

    tasks: int = 0
    slot_h: float = 0.0
    slots: int = 0

    @classmethod
    def of(cls, board: Board, moment: datetime, fresh_for: timedelta) -> Self:
        """The load of a board; none of one that is older than `fresh_for`, as whoever leads now tells of its own."""
        if board.moment < moment - fresh_for:
            return cls()
        lineup = board.lineup
        tasks = lineup.open + lineup.running
        return cls(int(tasks.sum()), float(lineup.columns.remaining_h[tasks > 0].sum()), board.slots)

    @property
    def drain_h(self) -> float:
        """Hours until all is done on the slots there are; infinite without any.

        >>> Load(tasks=8, slot_h=6.0, slots=4).drain_h, Load().drain_h, Load(tasks=1, slot_h=1.0).drain_h
        (1.5, 0.0, inf)
        """
        if not self.tasks:
            return 0.0
        return self.slot_h / self.slots if self.slots else inf

    def workers_wanted(self, within_h: float, slots_each: int) -> int:
        """Workers of so many slots that would be done in time; never more than there are tasks for, one for any work.

        >>> [Load(tasks, slot_h=60.0).workers_wanted(2.0, 4) for tasks in (0, 1, 20, 500)]
        [0, 1, 5, 8]
        """
        return ceil(max(min(self.slot_h / within_h, self.tasks), min(self.tasks, 1)) / slots_each)
