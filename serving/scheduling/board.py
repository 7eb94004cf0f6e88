"""The queue as one moment sees it: who contends, in which order, and what each waits for. For those who ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Self

import numpy as np

from features.curves import Floats, hours
from serving.scheduling.ahead.eta import Eta
from serving.scheduling.allot import Allotment, Grant, Hindrance
from serving.scheduling.books import Books
from serving.scheduling.lineup import Lineup
from serving.scheduling.policies import index
from serving.scheduling.policy import Policy
from serving.scheduling.rank import in_line
from serving.scheduling.reasons import Why, why
from serving.scheduling.roster import Roster
from serving.scheduling.states import State
from serving.scheduling.work import Lease, Standing


@dataclass(frozen=True, slots=True)
class Entry:
    """A campaign's place in the queue.

    Attributes
    ----------
    position : 1 for what runs or would start first.
    why : why it does not run; None if it does.
    index : $ lost per slot-hour of capacity if deferred; None when the matrix orders.
    score : 0-100, share of past contenders that pressed less, or matrix points when the matrix orders.
    """

    standing: Standing
    position: int
    why: Why | None
    index: float | None
    score: float | None


@dataclass(frozen=True)
class Board:
    """The live campaigns at a moment, and what the policy makes of them; a row each.

    Attributes
    ----------
    by_matrix : some campaign has no value in dollars, so matrix points order all of them.
    estimated : rows that a model has spoken of; the others cannot be ranked.
    books : of the scheduler, which go on; whoever needs them as they are must copy them at once.
    etas : by campaign, of the latest outlook there is.
    """

    moment: datetime
    slots: int
    policy: Policy
    standings: tuple[Standing, ...]
    row_of: Mapping[str, int]
    lineup: Lineup
    allotment: Allotment
    by_matrix: bool
    estimated: np.typing.NDArray[np.bool_]
    books: Books
    etas: Mapping[str, Eta] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, roster: Roster, books: Books, slots: int, policy: Policy, moment: datetime) -> Self:
        """The queue of a roster at a moment, up to which the books are kept, for an executor of `slots`."""
        lineup, by_matrix = roster.lineup(slots, policy.rhythm), roster.unvalued
        allotment = Allotment(lineup, books, hours(moment), policy.order(by_matrix=by_matrix), slots)
        standings = tuple(roster.standings)
        row_of, estimated = dict(roster.row_of), roster.estimated.copy()
        return cls(moment, slots, policy, standings, row_of, lineup, allotment, by_matrix, estimated, books)

    @cached_property
    def indices(self) -> Floats:
        """Index of each row, $ per slot-hour; meaningless where the matrix orders."""
        return index(self.policy.horizon_h)(self.lineup.columns, hours(self.moment))

    @cached_property
    def scores(self) -> list[float | None]:
        """Score of each row, 0-100; None where there is nothing to compare with."""
        if self.by_matrix:
            return list(self.lineup.columns.points.tolist())
        scores = self.policy.score(self.indices)
        return [None] * len(self.standings) if scores is None else list(scores.tolist())

    def score(self, campaign_id: str) -> float | None:
        """Score of a campaign, 0-100; None where nobody judged it, or there is nothing to compare with."""
        row = self.row_of.get(campaign_id)
        return None if row is None or not self.estimated[row] else self.scores[row]

    @cached_property
    def contenders(self) -> list[int]:
        """Rows that a free slot may go to, most pressing first."""
        return [row for row in self.allotment.ranked if self.allotment.left[row] and row not in self._hindered]

    @cached_property
    def line(self) -> list[int]:
        """Every row in the order work would start: what runs, what may start, what is held, what nobody judged yet."""
        lineup = self.lineup
        group = np.full(len(self.standings), 2)
        group[self.contenders] = 1
        group[[row for row, standing in enumerate(self.standings) if standing.progress.leased]] = 0
        group[~self.estimated] = 3
        ranked = in_line(lineup.columns, hours(self.moment), self.allotment.pressing, self.allotment.pinned)
        place = np.empty(len(ranked), dtype=np.intp)
        place[ranked] = np.arange(len(ranked))
        place[~self.estimated] = np.flatnonzero(~self.estimated)
        return list(np.lexsort((place, group)).tolist())

    def entry(self, campaign_id: str) -> Entry | None:
        """A live campaign's place; None for one that is not live."""
        row = self.row_of.get(campaign_id)
        return None if row is None else self._entry(row)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every live campaign's place by its id, in the order work would start."""
        return {self.standings[row].campaign_id: self._entry(row) for row in self.line}

    def started(self, leases: Sequence[Lease], grants: Sequence[Grant]) -> Self:
        """The board once tasks were leased for grants."""
        taken = Counter(self.row_of[lease.task.campaign_id] for lease in leases)
        if not taken:
            return self
        standings = list(self.standings)
        for row, tasks in taken.items():
            standings[row] = _started(standings[row], tasks, self.moment)
        lineup = self.lineup.started(taken, [(grant.row, grant.via, grant.tasks) for grant in grants])
        return replace(self, standings=tuple(standings), lineup=lineup)

    @cached_property
    def _hindered(self) -> dict[int, Hindrance]:
        found = {row: self.allotment.hindrance(row) for row in self.allotment.ranked if self.lineup.terms[row].binding}
        return {row: hindrance for row, hindrance in found.items() if hindrance is not None}

    @cached_property
    def _position(self) -> dict[int, int]:
        return {row: position for position, row in enumerate(self.line, start=1)}

    @cached_property
    def _ahead(self) -> dict[int, int]:
        """The contender just ahead of each contender."""
        return dict(zip(self.contenders[1:], self.contenders, strict=False))

    def _entry(self, row: int) -> Entry:
        estimated = bool(self.estimated[row])
        ahead = self._ahead.get(row)
        return Entry(
            standing=self.standings[row],
            position=self._position[row],
            why=why(
                self.standings[row],
                self.moment,
                hindered=self._why_hindered(row),
                ahead=None if ahead is None else self.standings[ahead].campaign_id,
                slots=self.slots,
            ),
            index=float(self.indices[row]) if estimated and not self.by_matrix else None,
            score=self.score(self.standings[row].campaign_id),
        )

    def _why_hindered(self, row: int) -> Why | None:
        hindrance = self._hindered.get(row)
        if hindrance is None:
            return None
        about = hindrance.object if hindrance.row is None else self.standings[hindrance.row].campaign_id
        until = None if hindrance.until_h is None else moment_at(hindrance.until_h)
        return Why(hindrance.reason, about, until)


def moment_at(at_h: float) -> datetime | None:
    """The date so many hours after the epoch; None past the last one there is, the year 9999."""
    return _EPOCH + timedelta(hours=at_h) if at_h < _LAST_H else None


_EPOCH = datetime.fromtimestamp(0, UTC)
_LAST_H = hours(datetime.max.replace(tzinfo=UTC))


def _started(standing: Standing, tasks: int, moment: datetime) -> Standing:
    progress = standing.progress
    taken = replace(progress, queued=progress.queued - tasks, leased=progress.leased + tasks)
    return replace(standing, state=State.RUNNING, progress=taken, begun_at=standing.begun_at or moment)
