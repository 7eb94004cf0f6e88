"""A floor that relies on one ranking for a while: much faster, and true but for what changes meanwhile."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import ceil, inf
from typing import Any

import numpy as np

from serving.scheduling.floor import HAIR, Floor
from serving.scheduling.rank import in_line, pressure

_GROWS = 0.3
"""What is further off may be less exact: a ranking is relied on for this share of the hours played so far at least."""


class RelyingFloor(Floor):
    """Ranks everybody, those still to come as well, once every `good_for_h` hours; in between it goes by that.

    A runner is challenged when somebody more pressing comes or all are ranked anew, at its first checkpoint then,
    rather than looked at at each of its checkpoints: between two rankings nothing else could give another answer.
    So a play takes in the order of n log n, whatever is waiting and in however many chunks.

    Parameters
    ----------
    awaited : the play may end when the first so many campaigns are done with.
    """

    def __init__(self, *given: Any, good_for_h: float, awaited: int, **rules: Any) -> None:
        super().__init__(*given, **rules)
        n = len(self.columns)
        self.good_for_h, self.started_h, self.ranked_until = good_for_h, self.now, -inf
        self.place, self.at_place, self.keys = [0] * n, [0] * n, [0.0] * n
        self.line: list[int] = []  # places of those waiting
        self.front = n  # place of the first in line when last looked at
        self.runners: set[int] = set()
        self.ends = self.columns.curves.ends_h.tolist() if self.expire else [inf] * n
        self.pinned = self.columns.pinned.tolist()
        self.worked_from = [0.0] * n
        self.stop_of: list[tuple[float, int, float] | None] = [None] * n
        self.awaited = set(np.flatnonzero(np.isfinite(self.columns.ready_h[:awaited])).tolist())

    def _next(self) -> float:
        if not self.awaited:
            return inf
        upcoming = super()._next()
        return min(upcoming, self.ranked_until) if self.line and self.preemption and upcoming < inf else upcoming

    def _stop(self) -> list[int]:
        at_checkpoint = []
        while self.stops and self.stops[0][0] <= self.now:
            stop = heappop(self.stops)
            _, i, done = stop
            if self.stop_of[i] is not stop:
                continue  # it was challenged meanwhile, and stopped earlier
            self.stop_of[i], self.worked_from[i] = None, self.now
            self.left[i] -= done
            self.busy[i] += done
            if self.left[i] > 0:
                self.remaining[i] = self.left[i] * self.predicted_over_actual[i]
                at_checkpoint.append(i)
            else:
                self.remaining[i] = 0.0
                self.finished[i] = self.now
                self.awaited.discard(i)
                self._leave(i)
        return at_checkpoint

    def _arrive(self) -> None:
        if self.now >= self.ranked_until:
            self._rank()
        while self.arrivals and self.arrivals[-1][0] <= self.now:
            i = self.arrivals.pop()[1]
            if self.started[i] == inf:
                heappush(self.line, self.place[i])

    def _rank(self) -> None:
        self.ranked_until = self.now + max(self.good_for_h, _GROWS * (self.now - self.started_h))
        self.front = len(self.place)
        waiting = [self.at_place[place] for place in self.line]
        for i in waiting:
            if self.ends[i] <= self.now:
                self.awaited.discard(i)
        for i in self.runners:
            chunks = int((self.now - self.worked_from[i]) * self.held[i] / self.chunk[i] + HAIR)
            self.remaining[i] = (self.left[i] - chunks * self.chunk[i]) * self.predicted_over_actual[i]
        pressing = pressure(self.columns, self.now, self.order)
        positions = in_line(self.columns, self.now, pressing, self.columns.pinned)
        self.at_place = positions.tolist()
        places = np.empty(len(positions), dtype=np.intp)
        places[positions] = np.arange(len(positions))
        self.place = places.tolist()
        if self.preemption is not None:
            self.keys = pressing.tolist()
        self.line = [self.place[i] for i in waiting if self.ends[i] > self.now]
        heapify(self.line)

    def _first(self) -> int | None:
        """The first in line; who is past their end drops out."""
        while self.line:
            i = self.at_place[self.line[0]]
            if self.ends[i] > self.now:
                return i
            heappop(self.line)
            self.awaited.discard(i)
        return None

    def _fill(self) -> None:
        while self.free:
            i = self._first()
            if i is None:
                return
            heappop(self.line)
            self._seat(i, min(self.slots[i], self.free))
        first = self._first()
        front = len(self.place) if first is None else self.line[0]
        if front < self.front and first is not None:
            self._challenge(first)
        self.front = front

    def _challenge(self, first: int) -> None:
        """Have runners stop at their next checkpoint whom a new first in line outranks clearly.

        Those behind it have no better chance, and who is first once it is served had its turn before.
        """
        rule = self.preemption
        if rule is None:
            return
        for i in self.runners:
            if self.preempted[i] < rule.budget and self._outranks(first, i):
                elapsed = max(self.now, self.since[i] + rule.min_run_h) - self.worked_from[i]
                done = max(1, ceil(elapsed * self.held[i] / self.chunk[i] - HAIR)) * self.chunk[i]
                stop = self.stop_of[i]
                if stop is not None and done < min(self.left[i] * (1 - HAIR), stop[2]):
                    self._until(i, done)

    def _outranks(self, challenger: int, runner: int) -> bool:
        rule = self.preemption
        if rule is None or self.pinned[challenger] != self.pinned[runner]:
            return rule is not None and self.pinned[challenger]
        return self.keys[challenger] > rule.factor * self.keys[runner]

    def _go_on_or_give_way(self, i: int) -> None:
        rule, first = self.preemption, self._first()
        if rule is not None and first is not None and self._outranks(first, i):
            heappop(self.line)
            self._leave(i)
            self.preempted[i] += 1
            self._seat(first, min(self.slots[first], self.free))
            heappush(self.line, self.place[i])
            self._fill()
        else:
            self._work(i)

    def _leave(self, i: int) -> None:
        super()._leave(i)
        self.runners.discard(i)

    def _work(self, i: int) -> None:
        self.runners.add(i)
        self.worked_from[i] = self.now
        self._until(i, self.left[i])

    def _until(self, i: int, done: float) -> None:
        """Have it stop when so many slot-hours more are done."""
        self.stop_of[i] = stop = (self.worked_from[i] + done / self.held[i], i, done)
        heappush(self.stops, stop)
