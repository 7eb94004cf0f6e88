"""Who takes slots when, under a virtual clock and all that binds: ready, waiting, seated, done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from features.curves import Floats
from serving.scheduling.ahead.paper import Paper
from serving.scheduling.ahead.works import Stop, Works
from serving.scheduling.books import Books
from serving.scheduling.lineup import Lineup, Via
from serving.scheduling.policies import Order

_GROWS = 0.3
"""What is further off may be less exact: a ranking is relied on for this share of the hours played so far at least."""


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


class Seating(Works):
    """Campaigns that become ready, wait, take slots and are done.

    Attributes
    ----------
    free : slots nobody holds.
    waiting : tasks of each that may start now.
    paper : who is next, as last ranked.
    """

    paper: Paper

    def __init__(
        self,
        lineup: Lineup,
        books: Books,
        actual_h: Floats,
        *,
        workers: int,
        order: Order,
        start_h: float,
        since_h: Floats,
        reliance: Reliance,
    ) -> None:
        rated = books.rules.rated
        chunked = {row for row, terms in enumerate(lineup.terms) if rated and not rated.isdisjoint(terms.limits)}
        super().__init__(lineup, actual_h, start_h, since_h, chunked)
        self.books, self.order, self.workers, self.reliance, self.start_h = books, order, workers, reliance, start_h
        # Changed in place, and seen by the policy as it stands.
        own = {name: getattr(lineup, name).copy() for name in ("open", "running", "via", "lent", "begun")}
        self.lineup = replace(lineup, columns=replace(lineup.columns, remaining_h=self.remaining), **own)
        self.free = workers - sum(self.held)
        n = len(actual_h)
        self.waiting, self.waits_since = [0] * n, list(lineup.since_h.tolist())
        self.ends: list[float] = lineup.columns.curves.ends_h.tolist()
        self._unready: list[int] = lineup.open.tolist()  # tasks of those that are not ready yet
        self._ready_h = np.maximum(lineup.columns.ready_h, start_h)
        self._ready: list[float] = self._ready_h.tolist()
        self._coming: list[int] = np.argsort(-self._ready_h, kind="stable").tolist()  # the next one last
        self._before: dict[int, set[int]] = defaultdict(set)
        self._after: dict[int, list[int]] = defaultdict(list)
        for row, first in lineup.follows:
            self._before[row].add(first)
            self._after[first].append(row)
        self._account = [terms.account for terms in lineup.terms]
        self._binding = [terms.binding for terms in lineup.terms]
        self._contending: Counter[str] = Counter()  # rows that hold slots or wait, by account
        self._guaranteed: Mapping[str, float] = {}
        self._slots_by: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}  # by share, or else by rank
        self._by_reserve = 0
        self._passes = bool(books.spent or books.rules.shares.total or books.rules.reserve.share)
        awaited = n if reliance.awaited is None else reliance.awaited
        self.awaited = {row for row in range(awaited) if self._ready[row] < inf}
        self.ranked_until = -inf
        for row in self.runners:
            self.started[row] = start_h
            self._contending[self._account[row]] += 1
            lent = int(lineup.lent[row])
            self._count(row, self.held[row] - lent, lent)
            self.go_on(row)

    def next_h(self) -> float:
        """When something happens next; infinite for never."""
        ready_h = self._ready[self._coming[-1]] if self._coming else inf
        return min(self.next_stop_h(), ready_h, self.paper.next_turn_h())

    def pass_time(self) -> None:
        """Let the books go on to now."""
        if not self._passes or self.now <= self.books.at_h:
            return
        self.books.pass_to(
            self.now,
            slots=self.workers,
            guaranteed=self._guaranteed,
            by_rank=self._slots_by[False],
            by_share=self._slots_by[True],
            by_reserve=self._by_reserve,
            overdue=bool(self.books.rules.reserve.share) and self.paper.overdue(),
        )

    def arrive(self) -> None:
        """Take in who is ready by now."""
        while self._coming and self._ready[self._coming[-1]] <= self.now:
            self._become_ready(self._coming.pop())

    def rank(self) -> None:
        """Rank all that may want a slot before the next ranking, by what is known now."""
        good_for = self.reliance.good_for_h
        self.ranked_until = self.now + (max(good_for, _GROWS * (self.now - self.start_h)) if good_for else 0.0)
        for row, waiting in enumerate(self.waiting):
            if waiting and self.ends[row] <= self.now:
                self.expire(row)
        self.note_checkpoints()
        wanted = (np.array(self.waiting) > 0) | (self.lineup.running > 0)
        unready = np.array(self._unready) > 0
        if not good_for:  # whoever follows another is ranked when that is done
            unready[[row for row, before in self._before.items() if before]] = False
        wanted |= unready & (self._ready_h <= self.ranked_until)
        self.lineup = replace(self.lineup, open=wanted.astype(np.int64))
        self._guaranteed = self._guarantees()
        self.paper = Paper(
            self.lineup,
            self.books,
            self.now,
            self.order,
            self.workers,
            waiting=self.waiting,
            waits_since=self.waits_since,
            guaranteed=self._guaranteed,
            binding=self._binding,
        )

    def fill(self) -> None:
        """Give the free slots to those whose turn it is."""
        while self.free > 0:
            turn = self.paper.turn()
            if turn is None:
                return
            self.seat(*turn)

    def seat(self, row: int, via: Via) -> None:
        """Start tasks of a row; one that is past its end drops out instead."""
        if self.ends[row] <= self.now:
            self.expire(row)
            return
        single = via in (Via.RESERVE, Via.SHARE) or bool(self.lineup.terms[row].limits)
        tasks = 1 if single else min(self.waiting[row], self.free)
        before = int(self.lineup.lent[row])
        self.paper.start(row, tasks, via)
        lent = int(self.lineup.lent[row]) - before
        self.take(row, tasks)
        self.free -= tasks
        self._count(row, tasks - lent, lent)

    def expire(self, row: int) -> None:
        """Start no more of a row."""
        self.waiting[row] = 0
        if not self.held[row]:
            self._be_gone(row)

    def end(self, row: int) -> None:
        """Let a row that is done go, and whoever followed it come."""
        self._spend(row)
        self.finish(row)
        self.let_go(row, self.held[row])
        self.waiting[row] = 0
        self.paper.end(row)
        self._be_gone(row)
        for follower in self._after.get(row, ()):
            self._before[follower].discard(row)
            self._become_ready(follower)

    def end_chunk(self, row: int) -> None:
        """Put its tasks back in the queue, from which the limit lets them go on."""
        self._spend(row)
        self.at_checkpoint(row)
        tasks = self.held[row]
        self.let_go(row, tasks)
        self.wait_again(row, tasks)

    def let_go(self, row: int, tasks: int) -> None:
        """Free slots of a row."""
        before = int(self.lineup.lent[row])
        self.paper.stop(row, tasks)
        lent = int(self.lineup.lent[row]) - before
        self._count(row, -tasks - lent, lent)
        self.give(row, tasks)
        self.free += tasks

    def wait_again(self, row: int, tasks: int) -> None:
        """Put tasks back in the queue."""
        self.waiting[row] += tasks
        if not self.held[row]:
            self.waits_since[row] = self.now
        self.paper.wait(row)

    def stop(self, row: int, why: Stop) -> bool:
        """Note that a row stopped; whether it is dealt with by that."""
        if self.held[row]:
            self.note(row)
            if why is Stop.END:
                self.end(row)
            elif why is Stop.CHUNK:
                self.end_chunk(row)
            else:
                return False
        return True

    def _become_ready(self, row: int) -> None:
        """Have it wait, unless it follows what is not done, or all its tasks run."""
        if self._before.get(row) or self._ready[row] > self.now or not self._unready[row]:
            return
        self.waiting[row], self._unready[row] = self._unready[row], 0
        if not self.held[row]:
            self._contending[self._account[row]] += 1
        if self.ranked_until > self.now:  # else all are ranked anew at once
            if self._account[row] not in self._guaranteed:
                self._guaranteed = self._guarantees()
                self.paper.guarantee(self._guaranteed)
            self.paper.wait(row)

    def _be_gone(self, row: int) -> None:
        self.awaited.discard(row)
        self._contending[self._account[row]] -= 1

    def _guarantees(self) -> dict[str, float]:
        shares = self.books.rules.shares
        if not shares.total:
            return {}
        return shares.guaranteed([account for account, rows in self._contending.items() if rows > 0])

    def _count(self, row: int, by_rank: int, lent: int) -> None:
        """Count slots taken, or given back below 0: those that rank gave, and those that a right did."""
        self._slots_by[False][self._account[row]] += by_rank
        if lent and self.lineup.via[row] == Via.RESERVE:
            self._by_reserve += lent
        elif lent:
            self._slots_by[True][self._account[row]] += lent

    def _spend(self, row: int) -> None:
        if row in self.rated:
            part = min((self.now - self.phase[row]) / self.chunk[row], 1.0)
            units = float(self.lineup.chunk_units[row]) * self.held[row] * part
            self.books.spend(self.lineup.terms[row].limits, units)
