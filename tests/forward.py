"""A queue that lives for some days under the played scheduler, asked at each submission when that will start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from features.curves import DEADLINE, HALF_LIFE, WINDOW, Curves, Floats
from serving.scheduling import policies
from serving.scheduling.arrivals import Arrivals
from serving.scheduling.columns import Columns
from serving.scheduling.books import Books
from serving.scheduling.floor import Floor
from serving.scheduling.lineup import alone
from serving.scheduling.outlook import Outlook, Outset, outlook
from serving.scheduling.preemption import Preemption
from serving.scheduling.rules import NO_RULES
from tests.queues import NOW

ORDER = policies.index(12.0)
RULE = Preemption()


@dataclass(frozen=True)
class World:
    """Campaigns as they come, and how long each really takes."""

    columns: Columns
    spread: Floats
    actual_h: Floats
    workers: int


def world_of(seed: int, size: int, load: float, workers: int) -> World:
    """`size` campaigns that come at any time, of every shape, whose work is lognormal about its prediction."""
    chance = np.random.default_rng(seed)
    median = chance.lognormal(0.0, 0.8, size)
    spread = chance.uniform(0.2, 0.7, size)
    actual = median * np.exp(spread * chance.standard_normal(size))
    per_h = load * workers / float((median * np.exp(spread**2 / 2)).mean())
    submitted = NOW + np.cumsum(chance.exponential(1 / per_h, size))
    released = submitted + np.where(chance.random(size) < 0.2, chance.uniform(0, 12, size), 0.0)
    starts = released + chance.uniform(-1, 12, size)
    shape = chance.choice([WINDOW, DEADLINE, HALF_LIFE], size, p=[0.5, 0.25, 0.25])
    curves = Curves(
        value=median * chance.lognormal(4.0, 1.0, size),
        starts_h=starts,
        ends_h=np.where(shape == WINDOW, starts + chance.uniform(24, 24 * 14, size), inf),
        due_h=starts + chance.uniform(2, 48, size),
        shape=shape.astype(np.int8),
        late_fraction=np.full(size, 0.2),
        half_life_h=chance.uniform(6, 72, size),
    )
    columns = Columns(
        curves=curves,
        work_h=median,
        remaining_h=median.copy(),
        chunk_h=median / chance.integers(1, 12, size),
        slots=chance.integers(1, 3, size).astype(float),
        as_done=chance.random(size) < 0.3,
        points=np.zeros(size),
        pinned=np.zeros(size, dtype=bool),
        boost=np.ones(size),
        released_h=released,
        submitted_h=submitted,
    )
    return World(columns, spread, actual, workers)


class Asked(Floor):
    """The played scheduler, asked for an outlook whenever campaigns were submitted."""

    def __init__(self, world: World, warm: int, most_seen: int = 500, knows_pace: bool = True) -> None:
        rules: dict[str, Any] = {"workers": world.workers, "order": ORDER, "preemption": RULE, "expire": True}
        super().__init__(world.columns, world.actual_h, start_h=NOW, preempted=[0] * len(world.columns), **rules)
        self.world, self.warm, self.most_seen, self.knows_pace = world, warm, most_seen, knows_pace
        self.submitted = world.columns.submitted_h.tolist()
        self.next_submitted = 0
        self.promised: dict[int, tuple[Outlook, int]] = {}
        self.queued: list[int] = []

    def _next(self) -> float:
        """When something happens next, submissions included."""
        new = []
        while self.next_submitted < len(self.submitted) and self.submitted[self.next_submitted] <= self.now:
            new.append(self.next_submitted)
            self.next_submitted += 1
        if new and new[0] >= self.warm:
            found, rows = self.outlook()
            for i in new:
                self.promised[i] = found, rows.index(i)
        upcoming = self.submitted[self.next_submitted] if self.next_submitted < len(self.submitted) else inf
        return min(upcoming, super()._next())

    def outlook(self) -> tuple[Outlook, list[int]]:
        """What the scheduler could tell now, and of which campaigns."""
        last = self.next_submitted
        ends = self.world.columns.curves.ends_h
        rows = [
            i
            for i in range(last)
            if self.finished[i] == inf and (self.held[i] or self.started[i] < inf or ends[i] > self.now)
        ]
        self.queued.append(len(rows))
        remaining, spent = self.world.columns.remaining_h.copy(), np.array(self.busy)
        for when, i, done in self.stops:
            worked = done - (when - self.now) * self.held[i]
            spent[i] += worked
            left = self.left[i] - int(worked / self.chunk[i]) * self.chunk[i]
            remaining[i] = left * self.predicted_over_actual[i]
        for i in rows:
            if not self.held[i]:
                remaining[i] = self.left[i] * self.predicted_over_actual[i]
        at = np.array(rows)
        columns = self.world.columns
        whole = Columns(**{**vars(columns), "remaining_h": remaining}).take(at)
        first = max(0, last - self.most_seen)
        seen = alone(columns.take(np.arange(last)))
        arrivals = Arrivals.seen(seen, self.world.spread[:last], self.submitted[first - 1] if first else NOW, self.now)
        held = np.array([self.held[i] for i in rows], dtype=np.int64)
        lineup = alone(whole)
        lineup = replace(lineup, open=np.maximum(lineup.open - held, 0), running=held, begun=held > 0)
        outset = Outset(
            lineup=lineup,
            books=Books(NO_RULES, self.now),
            spread=self.world.spread[at],
            since_h=np.array([self.since[i] for i in rows]),
            spent_h=spent[at] if self.knows_pace else np.full(len(rows), np.nan),
            preempted=np.array([self.preempted[i] for i in rows]),
        )
        chance = np.random.default_rng(last)
        return outlook(outset, self.world.workers, ORDER, RULE, arrivals, self.now, chance), rows
