"""The queue as one moment sees it: who contends, in which order, and what each waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Self

import numpy as np

from features.curves import Floats, Indices, hours
from features.rhythm import Rhythm
from serving.priority import Scale
from serving.scheduling.columns import Columns
from serving.scheduling.play import play
from serving.scheduling.policies import Order, index, matrix
from serving.scheduling.preemption import Preemption
from serving.scheduling.rank import rank
from serving.scheduling.reasons import Why, held_by, why
from serving.scheduling.states import LIVE, State
from serving.scheduling.work import Lease, Standing

_HAIR_H = 1e-6
"""Nothing takes no time: hours below which predictions are not believed."""

_LAST_H = hours(datetime.max.replace(tzinfo=UTC))
"""Hours from the epoch to the last date there is."""

_MOST_CHECKPOINTS = 2_000
"""Checkpoints an arrival estimate looks at: a fraction of a second, whatever is queued."""


@dataclass(frozen=True)
class Policy:
    """By what the queue is ordered.

    Attributes
    ----------
    horizon_h : hours; the index's mean lookahead.
    scale : places an index among past contenders; None when there is no bundle.
    rhythm : of the market, in which the value of windows accrues; None for evenly.
    preemption : when a runner gives way.
    emphasis : how far large campaigns are favoured over what a slot-hour earns, 0-1; see `policies.Index`. Indices and
        scores that are shown stay the index itself.
    """

    horizon_h: float
    scale: Scale | None
    preemption: Preemption
    emphasis: float = 0.0
    rhythm: Rhythm | None = None

    @property
    def order(self) -> Order:
        """What gives the keys where the index orders."""
        return index(self.horizon_h, self.emphasis)


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


@dataclass(frozen=True, slots=True)
class Eta:
    """When a campaign will be done, by the middle and by the pessimistic prediction of all work; None if unknown."""

    p50: datetime | None
    p90: datetime | None


@dataclass(frozen=True)
class Board:
    """The live campaigns at a moment, and what the policy makes of them.

    Attributes
    ----------
    standings : of all live campaigns.
    rows : positions in `standings` of those with an estimate, which `columns` and `ranked` speak of.
    ranked : positions in `rows`, most pressing first.
    by_matrix : some campaign has no value in dollars, so matrix points order all of them.
    """

    moment: datetime
    slots: int
    policy: Policy
    standings: tuple[Standing, ...]
    rows: tuple[int, ...]
    columns: Columns
    by_matrix: bool
    ranked: Indices

    @classmethod
    def of(cls, standings: Sequence[Standing], slots: int, policy: Policy, moment: datetime) -> Self:
        """Rank campaigns at a moment, for an executor of `slots`."""
        rows = tuple(i for i, s in enumerate(standings) if s.estimate is not None)
        columns = columns_of([standings[i] for i in rows], slots, policy.rhythm)
        by_matrix = any((e := standings[i].estimate) is not None and e.value is None for i in rows)
        order = matrix if by_matrix else policy.order
        ranked = rank(columns, hours(moment), order)
        return cls(moment, slots, policy, tuple(standings), rows, columns, by_matrix, ranked)

    @property
    def order(self) -> Order:
        """What gives the keys."""
        return matrix if self.by_matrix else self.policy.order

    @cached_property
    def contenders(self) -> list[int]:
        """Positions in `rows` of campaigns a free slot may go to, most pressing first."""
        return [row for row in self.ranked.tolist() if startable(self.standings[self.rows[row]], self.moment)]

    @cached_property
    def indices(self) -> Floats:
        """Index of each row, $ per slot-hour; meaningless where the matrix orders."""
        return index(self.policy.horizon_h)(self.columns, hours(self.moment))

    @cached_property
    def scores(self) -> list[float | None]:
        """Score of each row, 0-100; None where there is nothing to compare with."""
        if self.by_matrix:
            return list(self.columns.points.tolist())
        if self.policy.scale is None:
            return [None] * len(self.rows)
        return list(self.policy.scale.score(self.indices).tolist())

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every live campaign's place by its id, in the order work would start."""
        contending = {row: place for place, row in enumerate(self.contenders)}
        first_to_last = {row: place for place, row in enumerate(self.ranked.tolist())}
        row_of = {i: row for row, i in enumerate(self.rows)}

        def place(i: int) -> tuple[int, int]:
            row = row_of.get(i)
            if row is None:
                return 3, i
            group = 0 if self.standings[i].progress.leased else 1 if row in contending else 2
            return group, first_to_last[row]

        entries = {}
        for position, i in enumerate(sorted(range(len(self.standings)), key=place), start=1):
            standing, row = self.standings[i], row_of.get(i)
            at = contending.get(row, 0) if row is not None else 0
            ahead = self.standings[self.rows[self.contenders[at - 1]]].campaign_id if at else None
            entries[standing.campaign_id] = Entry(
                standing=standing,
                position=position,
                why=why(standing, self.moment, ahead, self.slots),
                index=None if row is None or self.by_matrix else float(self.indices[row]),
                score=None if row is None else self.scores[row],
            )
        return entries

    @cached_property
    def etas(self) -> dict[str, Eta]:
        """When campaigns will be done, from playing the policy forward; a campaign that is held has no date."""
        held = [_free_at(self.standings[i], self.moment) for i in self.rows]
        columns = replace(self.columns, released_h=np.array(held, dtype=float))
        ratio = np.array([e.p90_h / max(e.p50_h, _HAIR_H) for i in self.rows if (e := self.standings[i].estimate)])
        left = np.maximum(columns.remaining_h, np.minimum(columns.chunk_h, columns.work_h))
        leased = {row: self.standings[i].progress.leased for row, i in enumerate(self.rows)}
        running = {row: slots for row, slots in leased.items() if slots}
        workers = max(self.slots, sum(running.values()))
        done = [
            play(
                columns,
                actual,
                workers,
                self.order,
                hours(self.moment),
                preemption=self.policy.preemption,
                running=running,
                most_checkpoints=_MOST_CHECKPOINTS,
            ).finished_h
            for actual in (left, left * np.maximum(ratio, 1.0))
        ]
        return {
            self.standings[i].campaign_id: Eta(*(_moment(finished[row]) for finished in done))
            for row, i in enumerate(self.rows)
        }

    def started(self, leases: Sequence[Lease]) -> Self:
        """The board once tasks were leased."""
        taken = Counter(lease.task.campaign_id for lease in leases)
        return replace(self, standings=tuple(_started(s, taken[s.campaign_id]) for s in self.standings))


def columns_of(standings: Sequence[Standing], slots: int, rhythm: Rhythm | None = None) -> Columns:
    """What the policy looks at, of campaigns with an estimate, on an executor of `slots`."""
    estimates = [e for s in standings if (e := s.estimate) is not None]
    work_h = np.maximum([e.p50_h for e in estimates], _HAIR_H)
    progress = [s.progress for s in standings]
    chunk = [min(p.units_a_chunk / p.units, 1.0) for p in progress]
    return Columns.of(
        [s.campaign for s in standings],
        [e.value or 0.0 for e in estimates],
        work_h,
        remaining_h=work_h * [p.share_left for p in progress],
        chunk_h=work_h * np.maximum(chunk, _HAIR_H),
        slots=[min(max(p.open, 1), slots) for p in progress],
        points=[e.points for e in estimates],
        pinned=[s.pinned for s in standings],
        boost=[s.boost for s in standings],
        submitted_h=[hours(s.submitted_at) for s in standings],
        rhythm=rhythm,
    )


def startable(standing: Standing, moment: datetime) -> bool:
    """Whether a free slot may go to the campaign: it has work that may start, and is still worth something."""
    ends_at = standing.campaign.ends_at
    return (
        standing.state in (State.READY, State.RUNNING)
        and waiting_tasks(standing) > 0
        and (ends_at is None or moment < ends_at)
        and held_by(standing, moment) is None
    )


def waiting_tasks(standing: Standing) -> int:
    """Tasks that could start now."""
    return standing.progress.queued - standing.backing_off


def _free_at(standing: Standing, moment: datetime) -> float:
    """Hours since the epoch from which a campaign may run; infinite when nobody can say."""
    if standing.state is State.PAUSED or standing.state not in LIVE or standing.blocked_by:
        return np.inf
    held = held_by(standing, moment)
    return hours(moment if held is None else held.until)


def _moment(finished_h: float) -> datetime | None:
    """The date so many hours after the epoch; None past the last one there is, the year 9999."""
    return datetime.fromtimestamp(0, UTC) + timedelta(hours=finished_h) if finished_h < _LAST_H else None


def _started(standing: Standing, tasks: int) -> Standing:
    if not tasks:
        return standing
    progress = standing.progress
    taken = replace(progress, queued=progress.queued - tasks, leased=progress.leased + tasks)
    return replace(standing, state=State.RUNNING, progress=taken)
