"""How things go from here under all that binds: the play of live campaigns, task by task.

What `play` is to a backtest, with limits, conflicts, caps, the reserve, shares and what follows what; and a ranking may
be relied on for a while, so that it takes in the order of n log n, whatever waits and in however many chunks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from serving.scheduling.ahead.seating import Seating
from serving.scheduling.ahead.works import Stop
from serving.scheduling.lineup import Via
from serving.scheduling.play import Played
from serving.scheduling.preemption import Preemption

_RESERVE = ""
"""The claimant that is no account."""


class Course(Seating):
    """One play: the loop, and who gives way to whom.

    A runner stops at its first checkpoint after somebody got a right to its slot or came to outrank it clearly, and
    gives way if that still is so. Between two rankings nothing but a new first in line can outrank anybody who was not
    outranked before, so checkpoints at which nothing can have changed are not looked at.

    Parameters
    ----------
    given : as `Seating`.
    preemption : when a runner gives way to whom it does not owe its slot; None for never.
    preempted : how often each gave way.
    """

    def __init__(self, *given: Any, preemption: Preemption | None, preempted: Sequence[int], **rules: Any) -> None:
        super().__init__(*given, **rules)
        self.rule, self.preempted = preemption, list(preempted)
        self.events = 0
        self._promised: Counter[str] = Counter()  # slots that will come to those with a right to them
        self._promised_by: dict[int, str] = {}
        self._front = len(self.held)  # place of the first in line when last looked at

    def run(self) -> None:
        """Play on until nothing is left to come that is looked at."""
        self.arrive()
        self._rank()
        while True:
            self.events += 1
            self.pass_time()
            self.paper.at(self.now)
            challenged = [(row, why) for row, why in self.due() if not self.stop(row, why)]
            self.arrive()
            if self.now >= self.ranked_until:
                self._rank()
            self.fill()
            for row, why in challenged:
                self._go_on_or_give_way(row, why)
            self._challenge()
            upcoming = self.next_h()
            if upcoming > self.reliance.until_h or not self.awaited or self.events > self.reliance.most_events:
                return
            self.now = upcoming

    def played(self) -> Played:
        """What happened so far."""
        preemptions = np.array(self.preempted, dtype=np.int64)
        return Played(np.array(self.started), np.array(self.finished), np.array(self.busy), preemptions)

    def next_h(self) -> float:
        """When something happens next, as may let somebody outrank a runner: a new ranking, or the end of the first."""
        upcoming = super().next_h()
        if self.rule is None or not self.runners or (first := self.paper.first()) is None:
            return upcoming
        return min(upcoming, self.ends[first], self.ranked_until if self.reliance.good_for_h else inf)

    def let_go(self, row: int, tasks: int) -> None:
        """Free slots of a row, and whoever was to get one gets it now or looks for another."""
        super().let_go(row, tasks)
        self._unpromise(row)

    def _rank(self) -> None:
        self.rank()
        self._front = len(self.held)

    def _unpromise(self, row: int) -> None:
        claimant = self._promised_by.pop(row, None)
        if claimant is not None:
            self._promised[claimant] -= 1

    def _go_on_or_give_way(self, row: int, why: Stop) -> None:
        """Give way, a task at a time, to whoever has a right to its slot or clearly outranks it still."""
        if not self.held[row]:
            return
        self.at_checkpoint(row)
        self._unpromise(row)
        if why is Stop.CLAIMED and (claim := self.paper.claim(self._promised)) is not None and claim[0] != row:
            self._replace(row, *claim)
        while self.held[row] and (challenger := self._challenger(row)) is not None:
            self.preempted[row] += not self.paper.lent(row)
            self._replace(row, challenger, Via.PIN if self.paper.pins[challenger] else Via.RANK)
        if self.held[row]:
            self.go_on(row)

    def _replace(self, row: int, challenger: int, via: Via) -> None:
        self.let_go(row, 1)
        self.seat(challenger, via)
        self.wait_again(row, 1)

    def _by_right(self, row: int) -> bool:
        """Whether all slots of a runner are its by a right that holds still."""
        return self.held[row] <= self.lineup.lent[row] and self.paper.by_right(row)

    def _challenger(self, row: int) -> int | None:
        """Who waits and may take a slot of a runner; None if nobody may."""
        rule, paper = self.rule, self.paper
        first = paper.first()
        if rule is None or first is None or paper.place[first] > paper.place[row]:
            return None
        lent = paper.lent(row)
        by_rank = self.held[row] > self.lineup.lent[row]
        if not lent and not (by_rank and self.preempted[row] < rule.budget):
            return None
        if paper.shared(row):
            first = paper.first_of(self.lineup.terms[row].account)
        if first is None or first == row or self.ends[first] <= self.now:
            return None
        if paper.pins[first] != paper.pins[row]:
            return first if paper.pins[first] else None
        return first if paper.keys[first] > (1.0 if lent else rule.factor) * paper.keys[row] else None

    def _challenge(self) -> None:
        """Have runners stop at their next checkpoint for whoever has a right to a slot, or newly outranks them."""
        while (first := self.paper.first()) is not None and self.ends[first] <= self.now:
            self.expire(first)  # whoever comes after it may outrank somebody too
        if first is None:
            self._front = len(self.held)
            return
        self._claim()
        front = self.paper.place[first]
        if self.rule is not None and front < self._front:
            for row in self.runners:
                if row not in self._promised_by and self._challenger(row) is not None:
                    least_h = self.now if self.paper.lent(row) else self.since[row] + self.rule.min_run_h
                    self.cut_short(row, least_h, Stop.CHALLENGED)
        self._front = front

    def _claim(self) -> None:
        """Promise those with a right to a slot that of the least pressing runner which has none."""
        paper = self.paper
        while (claim := paper.claim(self._promised)) is not None:
            claimant, via = claim
            may_leave = [
                row
                for row in self.runners
                if row != claimant
                and row not in self._promised_by
                and not (paper.pins[row] or paper.shared(row) or self._by_right(row))
            ]
            if not may_leave:
                return
            row = min(may_leave, key=lambda runner: (paper.keys[runner], runner))
            by = _RESERVE if via is Via.RESERVE else self.lineup.terms[claimant].account
            self._promised_by[row] = by
            self._promised[by] += 1
            self.cut_short(row, self.now, Stop.CLAIMED)
