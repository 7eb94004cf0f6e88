"""How things go from here under all that binds: the play of live campaigns, task by task.

What `floor` is to a backtest, with limits, conflicts, caps, the reserve, shares and what follows what; and a ranking may
be relied on for a while, so that it takes in the order of n log n, whatever waits and in however many chunks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import ceil, inf

import numpy as np

from features.curves import Floats
from serving.scheduling.books import Books
from serving.scheduling.floor import HAIR, Played
from serving.scheduling.lineup import Lineup, Via
from serving.scheduling.paper import Paper
from serving.scheduling.policies import Order
from serving.scheduling.preemption import Preemption

_GROWS = 0.3
"""What is further off may be less exact: a ranking is relied on for this share of the hours played so far at least."""
_END, _CHUNK, _CHALLENGED, _CLAIMED = range(4)


@dataclass(frozen=True)
class Reliance:
    """How far, and how exactly, a play looks.

    Attributes
    ----------
    good_for_h : hours for which one ranking is relied on; 0 ranks whenever anything happens.
    until_h : what comes after is not played.
    most_events : after so many things happened the play breaks off, whatever is left.
    awaited : the play may end when the first so many campaigns are done with; all for None.
    """

    good_for_h: float = 0.0
    until_h: float = inf
    most_events: float = inf
    awaited: int | None = None


class Course:
    """One play.

    Parameters
    ----------
    lineup : as of `start_h`; `open` tasks may start when the campaign is ready and what it follows is done.
    books : as of `start_h`; changed in place.
    actual_h : true slot-hours left of each.
    since_h : since when those that hold slots hold them.
    preempted : how often each gave way.
    """

    def __init__(
        self,
        lineup: Lineup,
        books: Books,
        actual_h: Floats,
        *,
        workers: int,
        order: Order,
        preemption: Preemption | None,
        start_h: float,
        since_h: Floats,
        preempted: Sequence[int],
        reliance: Reliance,
    ) -> None:
        columns, n = lineup.columns, len(actual_h)
        self.books, self.order, self.rule, self.workers = books, order, preemption, workers
        self.reliance, self.start_h, self.now, self.ranked_until = reliance, start_h, start_h, -inf
        self.remaining = columns.remaining_h.copy()
        self.lineup = replace(
            lineup,
            columns=replace(columns, remaining_h=self.remaining),
            open=lineup.open.copy(),
            running=lineup.running.copy(),
            via=lineup.via.copy(),
            begun=lineup.begun.copy(),
        )
        self.held: list[int] = lineup.running.tolist()
        self.free = workers - sum(self.held)
        self.tasks = lineup.open.tolist()  # of those that are not ready yet
        self.waiting = [0] * n
        self.waits_since: list[float] = lineup.since_h.tolist()
        self.ready_h = np.maximum(columns.ready_h, start_h)
        self.ready: list[float] = self.ready_h.tolist()
        self.coming = np.argsort(-self.ready_h, kind="stable").tolist()
        self.before: dict[int, set[int]] = defaultdict(set)
        self.after: dict[int, list[int]] = defaultdict(list)
        for row, first in lineup.follows:
            self.before[row].add(first)
            self.after[first].append(row)
        self.left: list[float] = actual_h.tolist()
        self.predicted_over_actual = (columns.remaining_h / actual_h).tolist()
        parts = np.maximum(columns.remaining_h / columns.chunk_h, 1.0)
        self.chunk: list[float] = (actual_h / parts).tolist()
        self.ends: list[float] = columns.curves.ends_h.tolist()
        self.since: list[float] = since_h.tolist()
        self.worked_to, self.phase, self.version = [start_h] * n, [start_h] * n, [0] * n
        self.cut: list[float] = [inf] * n
        self.preempted = list(preempted)
        rated = books.rules.rated
        self.rated = [bool(rated) and not rated.isdisjoint(terms.limits) for terms in lineup.terms]
        self.binding = [terms.binding for terms in lineup.terms]
        self.runners = {row for row, held in enumerate(self.held) if held}
        self.stops: list[tuple[float, int, int, int]] = []
        self.slots_by: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}  # by share, or else by rank
        self.by_reserve = 0
        self.contending: Counter[str] = Counter()
        self.guaranteed: Mapping[str, float] = {}
        self.promised: Counter[str] = Counter()  # slots that will come to those with a right to them
        self.promised_by: dict[int, str] = {}
        self.front = n
        self.started, self.finished = [inf] * n, [inf] * n
        self.busy, self.events = [0.0] * n, 0
        awaited = n if reliance.awaited is None else reliance.awaited
        self.awaited = {row for row in range(awaited) if self.ready[row] < inf}
        for row in self.runners:
            self.started[row] = start_h
            self.contending[self.lineup.terms[row].account] += 1
            self._count(row, self.held[row])
            self._go_on(row)

    def played(self) -> Played:
        """What happened so far."""
        preemptions = np.array(self.preempted, dtype=np.int64)
        return Played(np.array(self.started), np.array(self.finished), np.array(self.busy), preemptions)

    def run(self) -> None:
        """Play on until nothing is left to come that is looked at."""
        passes = bool(self.books.spent or self.books.rules.shares.total or self.books.rules.reserve.share)
        while True:
            self.events += 1
            if passes and self.now > self.books.at_h:
                self._pass_time()
            stopped = self._due()
            while self.coming and self.ready[self.coming[-1]] <= self.now:
                self._arrive(self.coming.pop())
            if self.now >= self.ranked_until:
                self._rank()
            self.paper.at(self.now)
            for row, kind in stopped:
                self._stop(row, kind)
            self._fill()
            self._challenge()
            upcoming = self._next_h()
            if upcoming > self.reliance.until_h or not self.awaited or self.events > self.reliance.most_events:
                return
            self.now = upcoming

    def _next_h(self) -> float:
        while self.stops and self.version[self.stops[0][1]] != self.stops[0][3]:
            heappop(self.stops)
        upcoming = min(
            self.stops[0][0] if self.stops else inf,
            self.ready[self.coming[-1]] if self.coming else inf,
            self.paper.next_turn_h(),
        )
        if self.rule and self.runners and self.reliance.good_for_h and self.paper.first() is not None:
            return min(upcoming, self.ranked_until)
        return upcoming if upcoming < inf else inf

    def _pass_time(self) -> None:
        self.books.pass_to(
            self.now,
            slots=self.workers,
            guaranteed=self.guaranteed,
            by_rank=self.slots_by[False],
            by_share=self.slots_by[True],
            by_reserve=self.by_reserve,
            overdue=bool(self.books.rules.reserve.share) and self.paper.overdue(),
        )

    def _due(self) -> list[tuple[int, int]]:
        """Rows that stop now, and why."""
        due = []
        while self.stops and self.stops[0][0] <= self.now:
            _, row, kind, version = heappop(self.stops)
            if version == self.version[row]:
                due.append((row, kind))
        return due

    def _arrive(self, row: int) -> None:
        """It is ready, unless it follows what is not done; or it was from the start, with tasks running."""
        if self.before.get(row) or self.ready[row] > self.now or not self.tasks[row]:
            return
        self.waiting[row], self.tasks[row] = self.tasks[row], 0
        if not self.held[row]:
            self.contending[self.lineup.terms[row].account] += 1
        if self.ranked_until > self.now:
            if not self.guaranteed.get(self.lineup.terms[row].account):
                self._guarantee()
            self.paper.wait(row)

    def _guarantee(self) -> None:
        shares = self.books.rules.shares
        accounts = [account for account, rows in self.contending.items() if rows > 0]
        guaranteed = shares.guaranteed(accounts) if shares.total else {}
        if guaranteed != self.guaranteed:
            self.guaranteed = guaranteed
            self.paper.guarantee(guaranteed)

    def _rank(self) -> None:
        good_for = self.reliance.good_for_h
        self.ranked_until = self.now + (max(good_for, _GROWS * (self.now - self.start_h)) if good_for else 0.0)
        for row, waiting in enumerate(self.waiting):
            if waiting and self.ends[row] <= self.now:
                self._expire(row)
        for row in self.runners:
            self._note(row)
            chunks = int((self.now - self.phase[row]) / self.chunk[row] + HAIR) if not self.rated[row] else 0
            since_chunk = (self.now - self.phase[row] - chunks * self.chunk[row]) * self.held[row]
            self.remaining[row] = (self.left[row] + max(since_chunk, 0.0)) * self.predicted_over_actual[row]
        lineup = self.lineup
        wanted = (np.array(self.waiting) > 0) | (lineup.running > 0)
        wanted |= (np.array(self.tasks) > 0) & (self.ready_h <= self.ranked_until)
        self.lineup = lineup = replace(lineup, open=wanted.astype(np.int64))
        shares = self.books.rules.shares
        accounts = [account for account, rows in self.contending.items() if rows > 0]
        self.guaranteed = shares.guaranteed(accounts) if shares.total else {}
        self.paper = Paper(
            lineup,
            self.books,
            self.now,
            self.order,
            self.workers,
            waiting=self.waiting,
            waits_since=self.waits_since,
            guaranteed=self.guaranteed,
            binding=self.binding,
        )
        self.front = len(self.waiting)

    def _expire(self, row: int) -> None:
        self.waiting[row] = 0
        if not self.held[row]:
            self._gone(row)

    def _gone(self, row: int) -> None:
        self.awaited.discard(row)
        self.contending[self.lineup.terms[row].account] -= 1

    def _fill(self) -> None:
        while self.free > 0:
            turn = self.paper.turn()
            if turn is None:
                return
            self._seat(*turn)

    def _seat(self, row: int, via: Via) -> None:
        if self.ends[row] <= self.now:
            self._expire(row)
            return
        single = via in (Via.RESERVE, Via.SHARE) or bool(self.lineup.terms[row].limits)
        tasks = 1 if single else min(self.waiting[row], self.free)
        if self.held[row]:
            self._note(row)
        else:
            self.since[row] = self.phase[row] = self.worked_to[row] = self.now
            self.runners.add(row)
        self.paper.start(row, tasks, via)
        self.held[row] += tasks
        self.free -= tasks
        self._count(row, tasks)
        if self.started[row] == inf:
            self.started[row] = self.now
        self._go_on(row)

    def _count(self, row: int, tasks: int) -> None:
        via = int(self.lineup.via[row])
        if via == Via.RESERVE:
            self.by_reserve += tasks
        else:
            self.slots_by[via == Via.SHARE][self.lineup.terms[row].account] += tasks

    def _note(self, row: int) -> None:
        """Note the progress made by now."""
        done = (self.now - self.worked_to[row]) * self.held[row]
        self.left[row] -= done
        self.busy[row] += done
        self.worked_to[row] = self.now

    def _go_on(self, row: int) -> None:
        """Work on to the end, to the next chunk where a rate is limited, or to where it was challenged."""
        self.version[row] += 1
        ends = self.now + self.left[row] / self.held[row]
        kind, stops = _END, ends
        if self.rated[row] and (chunk_ends := self.phase[row] + self.chunk[row]) < ends - HAIR:
            kind, stops = _CHUNK, max(chunk_ends, self.now)
        if self.cut[row] < stops - HAIR:
            kind, stops = (_CLAIMED if row in self.promised_by else _CHALLENGED), self.cut[row]
        heappush(self.stops, (stops, row, kind, self.version[row]))

    def _stop(self, row: int, kind: int) -> None:
        if not self.held[row]:
            return
        self._note(row)
        if kind == _END:
            self.busy[row] += self.left[row]
            self.left[row] = self.remaining[row] = 0.0
            self._spend(row)
            self.finished[row] = self.now
            self._let_go(row, self.held[row])
            self.waiting[row] = 0
            self.paper.end(row)
            self._gone(row)
            for follower in self.after.get(row, ()):
                self.before[follower].discard(row)
                self._arrive(follower)
        elif kind == _CHUNK:
            self._spend(row)
            self.remaining[row] = self.left[row] * self.predicted_over_actual[row]
            self._give_back(row, self.held[row])
        else:
            self._at_checkpoint(row, kind)

    def _spend(self, row: int) -> None:
        if self.rated[row]:
            units = float(self.lineup.chunk_units[row]) * self.held[row]
            part = min((self.now - self.phase[row]) / self.chunk[row], 1.0) if self.chunk[row] > 0 else 1.0
            self.books.spend(self.lineup.terms[row].limits, units * part)

    def _let_go(self, row: int, tasks: int) -> None:
        self.paper.stop(row, tasks)
        self._count(row, -tasks)
        self.held[row] -= tasks
        self.free += tasks
        self.version[row] += 1
        self.cut[row] = inf
        claimant = self.promised_by.pop(row, None)
        if claimant is not None:
            self.promised[claimant] -= 1
        if not self.held[row]:
            self.runners.discard(row)

    def _give_back(self, row: int, tasks: int) -> None:
        """Tasks go back to the queue."""
        self._let_go(row, tasks)
        self.waiting[row] += tasks
        if not self.held[row]:
            self.waits_since[row] = self.now
        self.paper.wait(row)

    def _at_checkpoint(self, row: int, kind: int) -> None:
        """Give way, a task at a time, to whoever has a right to its slot or clearly outranks it still."""
        self.remaining[row] = self.left[row] * self.predicted_over_actual[row]
        self.cut[row] = inf
        claimant = self.promised_by.pop(row, None)
        if claimant is not None:
            self.promised[claimant] -= 1
        if kind == _CLAIMED and (claim := self.paper.claim(self.promised)) is not None and claim[0] != row:
            self._replace(row, *claim)
        while self.held[row] and (challenger := self._challenger(row)) is not None:
            self.preempted[row] += not self.paper.lent(row)
            self._replace(row, challenger, Via.PIN if self.paper.pins[challenger] else Via.RANK)
        if self.held[row]:
            self._go_on(row)

    def _replace(self, row: int, challenger: int, via: Via) -> None:
        self._let_go(row, 1)
        self._seat(challenger, via)
        self.waiting[row] += 1
        if not self.held[row]:
            self.waits_since[row] = self.now
        self.paper.wait(row)

    def _challenger(self, row: int) -> int | None:
        """Who waits and may take a slot of a runner; None if nobody may."""
        rule, paper = self.rule, self.paper
        first = paper.first()
        if rule is None or first is None or paper.place[first] > paper.place[row]:
            return None
        lent = paper.lent(row)
        if paper.by_right(row) or not (lent or self.preempted[row] < rule.budget):
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
        first = self.paper.first()
        if first is None:
            self.front = len(self.waiting)
            return
        self._claim()
        front = self.paper.place[first]
        if self.rule is not None and front < self.front:
            for row in self.runners:
                if self._challenger(row) is not None:
                    least_h = self.now if self.paper.lent(row) else self.since[row] + self.rule.min_run_h
                    self._cut(row, least_h)
        self.front = front

    def _claim(self) -> None:
        while (claim := self.paper.claim(self.promised)) is not None:
            claimant, paper = claim[0], self.paper
            may = [
                row
                for row in self.runners
                if row != claimant
                and row not in self.promised_by
                and not (paper.pins[row] or paper.by_right(row) or paper.shared(row))
            ]
            if not may:
                return
            row = min(may, key=lambda runner: (paper.keys[runner], runner))
            by = "" if claim[1] is Via.RESERVE else self.lineup.terms[claimant].account
            self.promised_by[row] = by
            self.promised[by] += 1
            self.cut[row] = inf
            self._cut(row, self.now)

    def _cut(self, row: int, least_h: float) -> None:
        """Stop a runner at its first checkpoint from a moment on, if it comes before its end."""
        chunks = max(1, ceil((max(self.now, least_h) - self.phase[row]) / self.chunk[row] - HAIR))
        at_h = self.phase[row] + chunks * self.chunk[row]
        if at_h < self.cut[row]:
            self.cut[row] = at_h
            self._note(row)
            self._go_on(row)
