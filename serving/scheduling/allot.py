"""Who gets the slots of a moment: the one place where that is decided, for the live scheduler and for any play of it.

    pin > starvation reserve > account below its guaranteed share > pressure (index x boost, or what it inherits)

A campaign that a limit, a conflict or a cap holds is stepped over, never waited on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from math import inf

import numpy as np

from serving.scheduling.books import Books, Credit
from serving.scheduling.lineup import Lineup, Via, inherited
from serving.scheduling.policies import Order
from serving.scheduling.rank import in_line
from serving.scheduling.reasons import Reason
from serving.scheduling.rules import Terms

_HAIR = 1e-9
NEW = Credit()
_NOBODY = -1
"""Holds the keys of campaigns that have ended, until their last task stops."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Tasks of a row that may start now, and what gave them their slots."""

    row: int
    tasks: int
    via: Via


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What holds a campaign that would have work to start.

    Attributes
    ----------
    object : the key or target it is about.
    row : the campaign it is about, where it is one.
    until_h : hours since the epoch; None if nobody can say.
    at_least : time alone will not do: what is under way must end first.
    """

    reason: Reason
    object: str | None = None
    row: int | None = None
    until_h: float | None = None
    at_least: bool = False


class Allotment:
    """The slots of one moment, given out on paper: each grant counts for those after it, and nothing else changes.

    Parameters
    ----------
    books : kept up to the moment.
    slots : of the executor, free or not.

    Attributes
    ----------
    pressing, pinned : of each row, with what it inherits.
    ranked : rows with open tasks, most pressing first.
    left : open tasks of each row not granted yet.
    """

    def __init__(self, lineup: Lineup, books: Books, moment_h: float, order: Order, slots: float) -> None:
        self._lineup, self._books, self._now, self._slots = lineup, books, moment_h, slots
        self.pressing, self.pinned = inherited(lineup, moment_h, order)
        wanting = np.flatnonzero(lineup.open > 0)
        line = in_line(lineup.columns.take(wanting), moment_h, self.pressing[wanting], self.pinned[wanting])
        self.ranked: list[int] = wanting[line].tolist()
        self.left: list[int] = lineup.open.tolist()
        self._via: list[int] = lineup.via.tolist()
        self._lent: list[int] = lineup.lent.tolist()
        self._soonest_h = inf  # when something that was found in the way is out of it
        self._overdue: list[int] = lineup.overdue(books.rules, moment_h).tolist()
        self._guaranteed = lineup.guaranteed(books.rules)
        self._tasks: dict[str, float] = defaultdict(float)  # running under a limited key
        self._units: dict[str, float] = defaultdict(float)  # expected of them
        self._held: dict[str, float] = defaultdict(float)  # slots, by account
        self._by_reserve = 0.0
        self._holders = dict(lineup.holders)
        self._addressed: dict[str, int] = defaultdict(int)  # by those that begin at this moment
        self._beginning: set[int] = set()
        self._full: set[str] = set()  # keys that no grant finds room under any more: grants only add
        for row in lineup.busy.tolist():
            self._take(row, int(lineup.running[row]) - self._lent[row], Via.RANK)
            if self._lent[row]:
                self._take(row, self._lent[row], Via(self._via[row]))
        for terms, tasks, chunk_units in lineup.stopping:
            self._use(terms, tasks, chunk_units)
            self._held[terms.account] += tasks
            self._holders |= dict.fromkeys(terms.exclusive, _NOBODY)

    def copy(self) -> Allotment:
        """An allotment that may go its own way from here."""
        other = copy(self)
        other.left, other._holders = list(self.left), dict(self._holders)
        other._tasks, other._units, other._held = copy(self._tasks), copy(self._units), copy(self._held)
        other._addressed, other._beginning = copy(self._addressed), set(self._beginning)
        other._full = set(self._full)
        return other

    def fill(self, free: float) -> list[Grant]:
        """Grant `free` slots, or as many of them as anybody can use."""
        granted: dict[tuple[int, Via], int] = defaultdict(int)
        for row, at_most, via in self._in_turn():
            if free <= _HAIR:
                break
            most = at_most
            while most > 0 and free > _HAIR and (tasks := self._grantable(row, most, free)):
                self.grant(row, tasks, via)
                most -= tasks
                free -= tasks * float(self._lineup.weight[row])
                granted[row, via] += tasks
        return [Grant(row, tasks, via) for (row, via), tasks in granted.items()]

    def grant(self, row: int, tasks: int, via: Via) -> None:
        """Count tasks as started."""
        self.left[row] -= tasks
        self._take(row, tasks, via)

    def claims(self) -> Iterator[tuple[int, Via]]:
        """Rows that have a right to a slot although none is free, one slot each time; `grant` it before the next."""
        for row, _, via in self._in_turn():
            if via is Via.RANK:
                return
            if via is not Via.PIN and self._grantable(row, 1, 1.0):
                yield row, via

    def by_right(self, row: int) -> bool:
        """Whether what a row has by the reserve or its account's share is its own still: there is credit left for it.

        What an account saved up protects no more slots of it at once than its share rounded up.
        """
        credit = self._lender(row)
        if credit is None or credit.slot_h <= -_HAIR:
            return False
        account = self._lineup.terms[row].account
        return self._via[row] != Via.SHARE or self._held[account] < self._guaranteed.get(account, 0.0) * self._slots + 1

    def lent(self, row: int) -> bool:
        """Whether a row has slots by the reserve or its account's share, which is used up."""
        credit = self._lender(row)
        return credit is not None and credit.slot_h <= -_HAIR

    def shared(self, row: int) -> bool:
        """Whether the row's account holds no more than its guaranteed share: nobody else may take a slot of it."""
        account = self._lineup.terms[row].account
        return self._held[account] <= self._guaranteed.get(account, 0.0) * self._slots + _HAIR

    def hindrance(self, row: int, without: int | None = None) -> Hindrance | None:
        """What holds a row with open tasks, as things stand after the grants; None if nothing does.

        Parameters
        ----------
        without : a row of which one running task is thought away.
        """
        terms = self._lineup.terms[row]
        if not terms.binding:
            return None
        found = self._conflict(row) or self._capped(row) or self._crowded(row, without) or self._throttled(row)
        if found is not None and found.until_h is not None and not found.at_least:
            self._soonest_h = min(self._soonest_h, found.until_h)
        return found

    def next_turn_h(self) -> float:
        """When time alone may next let somebody start, hours since the epoch; infinite for never."""
        lineup, books = self._lineup, self._books
        turns = [self._soonest_h]
        if books.rules.reserve.share:
            waiting = (lineup.open > 0) & (lineup.running == 0)
            overdue_h = lineup.since_h[waiting] + books.rules.reserve.max_wait_h
            turns.append(float(overdue_h[overdue_h >= self._now].min(initial=inf)))
            if self._overdue:
                due = books.rules.reserve.share * self._slots
                turns.append(self._now + books.reserve.due_in_h(due, self._by_reserve))
        for account, share in self._guaranteed.items():
            credit = books.accounts.get(account, NEW)
            turns.append(self._now + credit.due_in_h(share * self._slots, self._held[account]))
        return min(turns)

    def _lender(self, row: int) -> Credit | None:
        if not self._lent[row]:
            return None
        by_reserve = self._via[row] == Via.RESERVE
        return self._books.reserve if by_reserve else self._books.accounts.get(self._lineup.terms[row].account)

    def _in_turn(self) -> Iterator[tuple[int, int, Via]]:
        """Rows in the order of precedence, each with how many tasks it may start at most for that reason."""
        for row in self.ranked:
            if not self.pinned[row]:
                break
            yield row, self.left[row], Via.PIN
        reserved = self._books.rules.reserve.share * self._slots
        for row in self._overdue:
            while self.left[row] and self._books.reserve.entitled(reserved, self._by_reserve):
                left = self.left[row]
                yield row, 1, Via.RESERVE
                if self.left[row] == left:
                    break  # something holds it: the next in line
        below = set(filter(self._below_share, self._guaranteed))  # grants only make it fewer
        for row in self.ranked if below else ():
            account = self._lineup.terms[row].account
            while account in below and self.left[row]:
                left = self.left[row]
                yield row, 1, Via.SHARE
                if not self._below_share(account):
                    below.discard(account)
                if self.left[row] == left:
                    break
        for row in self.ranked:
            if self.left[row]:
                yield row, self.left[row], Via.RANK

    def _below_share(self, account: str) -> bool:
        credit = self._books.accounts.get(account, NEW)  # one that only just came has its share from the start
        return credit.entitled(self._guaranteed.get(account, 0.0) * self._slots, self._held[account])

    def _grantable(self, row: int, most: int, free: float) -> int:
        most = min(most, self.left[row])
        if not most or not self._full.isdisjoint(self._lineup.terms[row].limits):
            return 0
        weight = float(self._lineup.weight[row])
        # A slot that has anything left takes one more task: no more than a task is ever handed out too much.
        most = min(most, max(int(free / weight + _HAIR), 1))
        terms = self._lineup.terms[row]
        if not terms.binding:
            return most
        if self.hindrance(row) is not None:
            return 0
        return 1 if terms.limits else most

    def _take(self, row: int, tasks: int, via: Via) -> None:
        lineup, terms = self._lineup, self._lineup.terms[row]
        slots = tasks * float(lineup.weight[row])
        self._held[terms.account] += slots
        if via is Via.RESERVE:
            self._by_reserve += slots
        self._use(terms, tasks, float(lineup.chunk_units[row]))
        if not (lineup.begun[row] or row in self._beginning):
            self._beginning.add(row)
            for key in terms.exclusive:
                self._holders[key] = row
            for target in terms.targets:
                self._addressed[target] += 1

    def _use(self, terms: Terms, tasks: int, chunk_units: float) -> None:
        for key in terms.limits:
            self._tasks[key] += tasks
            self._units[key] += tasks * chunk_units

    def _conflict(self, row: int) -> Hindrance | None:
        for key in self._lineup.terms[row].exclusive:
            holder = self._holders.get(key, row)
            if holder != row:
                return Hindrance(Reason.CONFLICTS_WITH, key, None if holder == _NOBODY else holder)
        return None

    def _capped(self, row: int) -> Hindrance | None:
        terms, cap = self._lineup.terms[row], self._books.rules.cap
        if cap is None or self._lineup.begun[row] or row in self._beginning or not terms.targets:
            return None
        full = self._books.capped(terms.targets, self._now)
        if full is not None:
            return Hindrance(Reason.FREQUENCY_CAPPED, full[0], until_h=full[1])
        for target in terms.targets:  # with those that begin at this very moment
            granted = self._addressed.get(target, 0)
            if granted and granted + self._books.recent(target, self._now) >= cap.count:
                return Hindrance(Reason.FREQUENCY_CAPPED, target, until_h=self._now + cap.window_h)
        return None

    def _crowded(self, row: int, without: int | None) -> Hindrance | None:
        for key in self._lineup.terms[row].limits:
            most = self._books.rules.limits[key].concurrency
            gone = without is not None and key in self._lineup.terms[without].limits
            if most is not None and self._tasks.get(key, 0) - gone >= most:
                self._full.update(() if gone else (key,))
                return Hindrance(Reason.CONCURRENCY_LIMITED, key)
        return None

    def _throttled(self, row: int) -> Hindrance | None:
        units, limits = float(self._lineup.chunk_units[row]), self._lineup.terms[row].limits
        waits_h = [(self._books.short_h(key, units, self._units.get(key, 0.0)), key) for key in limits]
        wait_h, key = max(waits_h, default=(0.0, ""))
        if wait_h <= 0:
            return None
        most = self._books.rules.limits[key].most
        full = min(units, most) + self._units.get(key, 0.0) > most * (1 + _HAIR)
        return Hindrance(Reason.RATE_LIMITED, key, until_h=self._now + wait_h, at_least=full)
