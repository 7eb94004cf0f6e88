"""Who contends at a moment, as the policy sees it: worth as columns, and what binds each beside that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.curves import Floats, Indices
from serving.scheduling.books import Books
from serving.scheduling.columns import Columns, Flags
from serving.scheduling.policies import Order
from serving.scheduling.rank import pressure
from serving.scheduling.rules import Rules, Terms

Ints = npt.NDArray[np.int64]


class Via(IntEnum):
    """What gave a campaign the slots it holds."""

    RANK = 0
    PIN = 1
    SHARE = 2
    RESERVE = 3


@dataclass(frozen=True)
class Lineup:
    """Campaigns that contend for slots, hold some, or are waited for; one entry a campaign.

    Attributes
    ----------
    terms : what binds each.
    account : position in `names` of each one's account.
    open : tasks that could start now; 0 for whatever may not.
    running : tasks that hold slots now, or were handed out ahead.
    weight : share of a slot that a task takes, above 0 to 1.
    via, lent : the right, a `Via`, by which each has some of its slots, and how many tasks run on those; rank gave the
        others.
    begun : holds its exclusive keys.
    since_h : since when it waits, hours since the epoch.
    chunk_units : units a task is expected to do until its next checkpoint.
    follows : pairs of rows, a campaign and one it waits for to be done.
    worked_h : when each last gave back a slot, hours since the epoch; None where nobody did.
    stopping : of campaigns that have no row any more, but run on to a checkpoint: terms, tasks, units of a chunk.
    """

    columns: Columns
    terms: Sequence[Terms]
    account: Ints
    names: Sequence[str]
    open: Ints
    running: Ints
    weight: Floats
    via: Ints
    lent: Ints
    begun: Flags
    since_h: Floats
    chunk_units: Floats
    follows: Sequence[tuple[int, int]] = ()
    worked_h: Floats | None = None
    stopping: Sequence[tuple[Terms, int, float]] = ()

    @cached_property
    def busy(self) -> Indices:
        """Rows with tasks running."""
        return np.flatnonzero(self.running)

    @cached_property
    def contending(self) -> Indices:
        """Rows that hold slots or want some."""
        return np.flatnonzero((self.running > 0) | (self.open > 0))

    @cached_property
    def holders(self) -> dict[str, int]:
        """The row that holds each exclusive key."""
        rows = np.flatnonzero(self.begun)
        if self.worked_h is not None:
            # Who was paused, or failed and tries again, had let go of its keys: they are his who worked last.
            rows = rows[np.lexsort((self.worked_h[rows], self.running[rows] > 0))]
        return {key: row for row in rows.tolist() for key in self.terms[row].exclusive}

    def blocked(self) -> Iterator[tuple[int, int]]:
        """Pairs of rows: a campaign, and one that it cannot begin before: a predecessor, or a holder of its key."""
        yield from self.follows
        holders = self.holders
        if holders:
            for row in np.flatnonzero(self.open > 0).tolist():
                for key in self.terms[row].exclusive:
                    if holders.get(key, row) != row:
                        yield row, holders[key]

    def guaranteed(self, rules: Rules) -> dict[str, float]:
        """Share of the slots guaranteed to each account that contends, by name."""
        if not rules.shares.total:
            return {}
        contending = np.unique(self.account[self.contending]).tolist()
        return rules.shares.guaranteed([self.names[code] for code in contending])

    def overdue(self, rules: Rules, moment_h: float) -> Indices:
        """Rows that may start and waited longer than the reserve lets them, the longest wait first."""
        if not rules.reserve.share:
            return _NONE
        idle = (self.open > 0) & (self.running == 0)
        late = np.flatnonzero(idle & (moment_h - self.since_h > rules.reserve.max_wait_h))
        return late[np.argsort(self.since_h[late], kind="stable")]

    def started(self, tasks: Mapping[int, int], grants: Iterable[tuple[int, Via, int]]) -> Self:
        """The lineup once so many tasks of rows were started, of those granted: row, what gave it, how many."""
        rows, started = np.array(list(tasks)), np.array(list(tasks.values()))
        left, running, begun = self.open.copy(), self.running.copy(), self.begun.copy()
        given, lent = self.via.copy(), self.lent.copy()
        for row, via, granted in grants:
            given[row], lent[row] = by_right(given[row], lent[row], via, granted)
        left[rows] -= started
        running[rows] += started
        begun[rows] = True
        return replace(self, open=left, running=running, via=given, lent=np.minimum(lent, running), begun=begun)

    def take(self, rows: Indices) -> Self:
        """Some rows, none of which waits for another."""
        taken: dict[str, Any] = {name: getattr(self, name)[rows] for name in _PLAIN}
        terms = [self.terms[row] for row in rows.tolist()]
        worked_h = None if self.worked_h is None else self.worked_h[rows]
        columns = self.columns.take(rows)
        return replace(self, columns=columns, terms=terms, follows=(), worked_h=worked_h, stopping=(), **taken)

    def followed_by(self, others: Self) -> Self:
        """These rows, then others of which none has begun or waits for another; their accounts go by their terms."""
        joined: dict[str, Any] = {name: np.concatenate([getattr(self, name), getattr(others, name)]) for name in _PLAIN}
        columns, terms, worked_h = self.columns.followed_by(others.columns), [*self.terms, *others.terms], self.worked_h
        if worked_h is not None:
            worked_h = np.append(worked_h, np.full(len(others.columns), -np.inf))
        return replace(self, columns=columns, terms=terms, worked_h=worked_h, **joined)

    def pass_time(self, books: Books, moment_h: float, slots: float) -> None:
        """Let the books go on to a moment, up to which things stood as here."""
        if moment_h <= books.at_h:
            return
        by_rank: dict[str, float] = {}
        by_share: dict[str, float] = {}
        by_reserve = 0.0
        for row in self.busy.tolist():
            account, weight, lent = self.terms[row].account, float(self.weight[row]), int(self.lent[row])
            by_rank[account] = by_rank.get(account, 0.0) + (int(self.running[row]) - lent) * weight
            if lent and self.via[row] == Via.RESERVE:
                by_reserve += lent * weight
            elif lent:
                by_share[account] = by_share.get(account, 0.0) + lent * weight
        for terms, tasks, _ in self.stopping:
            by_rank[terms.account] = by_rank.get(terms.account, 0.0) + tasks
        books.pass_to(
            moment_h,
            slots=slots,
            guaranteed=self.guaranteed(books.rules),
            by_rank=by_rank,
            by_share=by_share,
            by_reserve=by_reserve,
            overdue=len(self.overdue(books.rules, moment_h)) > 0,
        )


def by_right(via: float, lent: float, given: Via, tasks: int) -> tuple[float, float]:
    """A right, and how many slots are held by it, once more were given; the first right stands while any are."""
    if given not in (Via.SHARE, Via.RESERVE):
        return via, lent
    return via if lent else given, lent + tasks


def inherited(lineup: Lineup, moment_h: float, order: Order) -> tuple[Floats, Flags]:
    """Pressure and pin of each row; whoever others wait for presses as hard as the hardest pressing of them.

    Rows that neither contend nor are waited for have a pressure of 0.
    """
    columns = lineup.columns
    blocked = list(lineup.blocked())
    if not blocked:
        pressing = np.zeros(len(columns))
        rows = lineup.contending
        pressing[rows] = pressure(columns.take(rows), moment_h, order)
        return pressing, columns.pinned
    pressing, pinned = pressure(columns, moment_h, order), columns.pinned.copy()
    spreads = True
    while spreads:  # along chains; ends, as everything only grows and never beyond the largest there is
        spreads = False
        for row, before in blocked:
            if pressing[row] > pressing[before] or (pinned[row] and not pinned[before]):
                pressing[before] = max(pressing[row], pressing[before])
                pinned[before] |= pinned[row]
                spreads = True
    return pressing, pinned


def alone(columns: Columns, account: str = "") -> Lineup:
    """A lineup of campaigns with nothing but their worth, none begun, each ready for all the slots it may hold."""
    n = len(columns)
    return Lineup(
        columns=columns,
        terms=[Terms(account)] * n,
        account=np.zeros(n, dtype=np.int64),
        names=(account,),
        open=columns.slots.astype(np.int64),
        running=np.zeros(n, dtype=np.int64),
        weight=np.ones(n),
        via=np.zeros(n, dtype=np.int64),
        lent=np.zeros(n, dtype=np.int64),
        begun=np.zeros(n, dtype=bool),
        since_h=columns.ready_h,
        chunk_units=np.ones(n),
    )


_PLAIN = ("account", "open", "running", "weight", "via", "lent", "begun", "since_h", "chunk_units")
_NONE: Indices = np.empty(0, dtype=np.intp)
