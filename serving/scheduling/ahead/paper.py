"""An allotment that is kept up as time passes, so that each turn costs a look at the front of some lines.

Everything that decides is `Allotment`'s own; here is only who is found how: lines in the order of one ranking, one of
all and one of each account, from which those that something holds step aside until it may have let go of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from math import inf

from serving.scheduling.allot import NEW, Allotment, Hindrance
from serving.scheduling.books import Books
from serving.scheduling.lineup import Lineup, Via, by_right
from serving.scheduling.policies import Order
from serving.scheduling.reasons import Reason


class Paper(Allotment):
    """Who is next, by one ranking of everybody who may come before the next ranking.

    Parameters
    ----------
    lineup : `open` is above 0 for all that are to be ranked; changed in place as tasks start and stop.
    waiting : tasks that may start now of each row; changed in place.
    waits_since : since when each row waits, where it holds no slot.
    guaranteed : share of the slots of each account that contends.
    binding : whether anything can ever hold each row.
    """

    def __init__(
        self,
        lineup: Lineup,
        books: Books,
        moment_h: float,
        order: Order,
        slots: float,
        *,
        waiting: list[int],
        waits_since: list[float],
        guaranteed: Mapping[str, float],
        binding: Sequence[bool],
    ) -> None:
        super().__init__(lineup, books, moment_h, order, slots)
        self.left, self._since, self._terms = waiting, waits_since, lineup.terms
        self._guaranteed = dict(guaranteed)
        self.place = [len(waiting)] * len(waiting)
        for place, row in enumerate(self.ranked):
            self.place[row] = place
        self.keys, self.pins = self.pressing.tolist(), self.pinned.tolist()
        self._binding = binding
        self._line: list[int] = []
        self._lines: dict[str, list[int]] = {account: [] for account in guaranteed}
        self._longest: list[tuple[float, int]] = []  # those that hold no slot, the longest wait first
        self._aside: dict[str, list[int]] = defaultdict(list)  # places of those held, by what holds them
        self._held_by: dict[int, str] = {}
        self._was_held_by: dict[int, str] = {}
        self._wakes: list[tuple[float, str]] = []
        rows = [row for row in self.ranked if waiting[row] > 0]
        places = [self.place[row] for row in rows]
        self._line = places.copy()
        if guaranteed:
            for row, place in zip(rows, places, strict=True):
                self._lines[lineup.terms[row].account].append(place)
        if books.rules.reserve.share:
            self._longest = [(waits_since[row], row) for row in rows if not lineup.running[row]]
            heapify(self._longest)

    def at(self, moment_h: float) -> None:
        """Go on to a moment: what time alone was in the way of is looked at again."""
        self._now = moment_h
        while self._wakes and self._wakes[0][0] <= moment_h:
            self._look_again(heappop(self._wakes)[1])

    def guarantee(self, guaranteed: Mapping[str, float]) -> None:
        """Take account of others that contend now."""
        for account in guaranteed:
            if account not in self._lines:
                rows = [row for row in self.ranked if self.left[row] > 0 and self._terms[row].account == account]
                self._lines[account] = [self.place[row] for row in rows]
        self._guaranteed = dict(guaranteed)

    def wait(self, row: int) -> None:
        """Have a row stand in line, with the tasks it has left."""
        self._held_by.pop(row, None)
        place = self.place[row]
        heappush(self._line, place)
        line = self._lines.get(self._terms[row].account)
        if line is not None:
            heappush(line, place)
        if self._books.rules.reserve.share and not self._lineup.running[row]:
            heappush(self._longest, (self._since[row], row))

    def start(self, row: int, tasks: int, via: Via) -> None:
        """Count tasks as started; for good, unlike `grant`."""
        lineup, terms = self._lineup, self._terms[row]
        right, lent = by_right(int(lineup.via[row]), int(lineup.lent[row]), via, tasks)
        self.grant(row, tasks, Via(int(right)) if lent > lineup.lent[row] else via)
        lineup.via[row], lineup.lent[row] = self._via[row], self._lent[row] = int(right), int(lent)
        lineup.running[row] += tasks
        if not lineup.begun[row]:
            lineup.begun[row] = True
            for target in terms.targets:  # in the books from now on
                self._addressed[target] -= 1
            self._books.addressed(terms.targets, self._now)
        for key in terms.limits:
            self._look_again(key)

    def stop(self, row: int, tasks: int) -> None:
        """Count running tasks as stopped, those that hold their slots by a right last."""
        lineup, terms = self._lineup, self._terms[row]
        self._held[terms.account] -= tasks
        lineup.running[row] -= tasks
        lost = max(self._lent[row] - int(lineup.running[row]), 0)
        if self._via[row] == Via.RESERVE:
            self._by_reserve -= lost
        self._lent[row] -= lost
        lineup.lent[row] = self._lent[row]
        for key in terms.limits:
            self._tasks[key] -= tasks
            self._units[key] -= tasks * float(lineup.chunk_units[row])
            self._look_again(key)

    def end(self, row: int) -> None:
        """Let go of what a row holds beyond its last task."""
        self._lineup.begun[row] = False
        for key in self._terms[row].exclusive:
            if self._holders.get(key) == row:
                del self._holders[key]
            while self._aside.get(key):
                self._look_again(key)

    def first(self) -> int | None:
        """The first in rank that may start."""
        return self._front(self._line)

    def first_of(self, account: str) -> int | None:
        """The first of an account that may start; None also where no account has a share."""
        line = self._lines.get(account)
        return None if line is None else self._front(line)

    def turn(self) -> tuple[int, Via] | None:
        """Whose turn it is, and why; None if nobody can use a slot."""
        first = self.first()
        if first is not None and self.pins[first]:
            return first, Via.PIN
        claim = self.claim()
        if claim is not None:
            return claim
        return None if first is None else (first, Via.RANK)

    def claim(self, coming: Mapping[str, int] | None = None) -> tuple[int, Via] | None:
        """The first with a right to a slot; not one whose slot is `coming`, by account, or "" for the reserve."""
        coming = coming or {}
        reserve = self._books.rules.reserve
        if reserve.share and self._books.reserve.entitled(
            reserve.share * self._slots, self._by_reserve + coming.get("", 0)
        ):
            row = self._overdue_first()
            if row is not None:
                return row, Via.RESERVE
        best: int | None = None
        for account, share in self._guaranteed.items():
            credit = self._books.accounts.get(account, NEW)
            held = self._held[account] + coming.get(account, 0)
            if credit.entitled(share * self._slots, held):
                row = self._front(self._lines[account])
                if row is not None and (best is None or self.place[row] < self.place[best]):
                    best = row
        return None if best is None else (best, Via.SHARE)

    def overdue(self) -> bool:
        """Whether anybody waits for the reserve."""
        return self._idle_first() is not None and self._longest[0][0] < self._now - self._books.rules.reserve.max_wait_h

    def next_turn_h(self) -> float:
        """When time alone may next let somebody start, hours since the epoch; infinite for never."""
        books, now = self._books, self._now
        turn = self._wakes[0][0] if self._wakes else inf
        if not self._line:
            return turn
        if books.rules.reserve.share and self._idle_first() is not None:
            overdue_h = self._longest[0][0] + books.rules.reserve.max_wait_h + _SOON_H
            due = books.rules.reserve.share * self._slots
            turn = min(turn, overdue_h if overdue_h > now else now + books.reserve.due_in_h(due, self._by_reserve))
        for account, share in self._guaranteed.items():
            credit = books.accounts.get(account, NEW)
            if self._lines[account]:
                turn = min(turn, now + credit.due_in_h(share * self._slots, self._held[account]))
        return turn

    def _idle_first(self) -> int | None:
        """Who waits longest of those that hold no slot."""
        while self._longest:
            since, row = self._longest[0]
            if self.left[row] > 0 and not self._lineup.running[row] and since == self._since[row]:
                return row
            heappop(self._longest)
        return None

    def _overdue_first(self) -> int | None:
        """The longest wait past the limit that may end now."""
        passed_over = []
        found = None
        while self.overdue():
            since, row = self._longest[0]
            if not self._binding[row] or self.hindrance(row) is None:
                found = row
                break
            passed_over.append((since, row))
            heappop(self._longest)
        for entry in passed_over:
            heappush(self._longest, entry)
        return found

    def _front(self, line: list[int]) -> int | None:
        while line:
            row = self.ranked[line[0]]
            if self.left[row] > 0 and row not in self._held_by:
                hindrance = self.hindrance(row) if self._binding[row] else None
                if hindrance is None:
                    return row
                self._step_aside(row, hindrance)
            heappop(line)
        return None

    def _step_aside(self, row: int, hindrance: Hindrance) -> None:
        key = hindrance.object or ""
        if hindrance.reason is Reason.FREQUENCY_CAPPED:
            key = f"target:{key}"  # no key of a limit
        before = self._was_held_by.get(row)
        self._held_by[row] = self._was_held_by[row] = key
        if before not in (None, key):
            self._look_again(before)  # what it no longer waits for may serve the next
        heappush(self._aside[key], self.place[row])
        if hindrance.until_h is not None:
            heappush(self._wakes, (hindrance.until_h + _SOON_H, key))

    def _look_again(self, key: str) -> None:
        """Have the first of those that a key holds stand in line again."""
        aside = self._aside.get(key)
        while aside:
            row = self.ranked[heappop(aside)]
            if self._held_by.get(row) == key:
                self.wait(row)
                return


_SOON_H = 1e-6
