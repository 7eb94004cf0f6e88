"""A queue that lives for some days under the played scheduler, asked at each submission when that will start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import numpy as np

from features.curves import DEADLINE, HALF_LIFE, WINDOW, Curves, Floats
from serving.scheduling import policies
from serving.scheduling.ahead.arrivals import Arrivals
from serving.scheduling.ahead.course import Course
from serving.scheduling.ahead.outlook import Outlook, Outset, outlook
from serving.scheduling.ahead.seating import Reliance
from serving.scheduling.books import Books
from serving.scheduling.columns import Columns
from serving.scheduling.lineup import Lineup, alone
from serving.scheduling.preemption import Preemption
from serving.scheduling.rules import NO_RULES, Rules, Terms
from tests.queues import NOW

ORDER = policies.index(12.0)
RULE = Preemption()


@dataclass(frozen=True)
class World:
    """Campaigns as they come, and how long each really takes."""

    lineup: Lineup
    rules: Rules
    spread: Floats
    actual_h: Floats
    workers: int


def world_of(seed: int, size: int, load: float, workers: int, rules: Rules = NO_RULES, accounts: int = 1) -> World:
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
    terms = [Terms(f"account {chance.integers(accounts)}") for _ in range(size)]
    return World(replace(alone(columns), terms=terms), rules, spread, actual, workers)


class Asked(Course):
    """The played scheduler, ranking at every decision, asked for an outlook whenever campaigns were submitted.

    Parameters
    ----------
    warm, last : asked about the campaigns from one to the other: before, little was seen of what comes, and after, too
        little is left to come.

    Attributes
    ----------
    told : what was told of each campaign at its submission, and its row there.
    """

    def __init__(self, world: World, warm: int, last: int, most_seen: int = 500) -> None:
        n = len(world.lineup.columns)
        super().__init__(
            world.lineup,
            Books(world.rules, NOW),
            world.actual_h,
            workers=world.workers,
            order=ORDER,
            preemption=RULE,
            start_h=NOW,
            since_h=np.zeros(n),
            preempted=[0] * n,
            reliance=Reliance(),
        )
        self.world, self.warm, self.last, self.most_seen = world, warm, last, most_seen
        self.submitted = world.lineup.columns.submitted_h.tolist()
        self.come = 0
        self.told: dict[int, tuple[Outlook, int]] = {}
        self.queued: list[int] = []

    def next_h(self) -> float:
        """When something happens next, submissions included."""
        first = self.come
        while self.come < len(self.submitted) and self.submitted[self.come] <= self.now:
            self.come += 1
        if self.warm < self.come <= self.last and self.come > first:
            found, rows = self.outlook()
            self.told |= {row: (found, rows.index(row)) for row in range(first, self.come)}
        return min(self.submitted[self.come] if self.come < len(self.submitted) else inf, super().next_h())

    def outlook(self) -> tuple[Outlook, list[int]]:
        """What the scheduler can tell now, and of which campaigns."""
        rows = [
            row
            for row in range(self.come)
            if self.finished[row] == inf and (self.held[row] or self.ends[row] > self.now)
        ]
        self.queued.append(len(rows))
        at, whole = np.array(rows), self.world.lineup
        remaining = np.array(self.left) * self.predicted_over_actual
        for row in self.runners:
            since_chunk = (self.now - self.phase[row]) % self.chunk[row] * self.held[row]
            worked = (self.now - self.noted[row]) * self.held[row]
            remaining[row] = (self.left[row] - worked + since_chunk) * self.predicted_over_actual[row]
        columns = replace(whole.columns, remaining_h=np.minimum(remaining, whole.columns.work_h)).take(at)
        held = np.array(self.held, dtype=np.int64)[at]
        spent = np.array(self.busy)[at] + (self.now - np.array(self.noted)[at]) * held
        begun = np.array(self.started)[at] < inf
        lineup = replace(
            alone(columns),
            terms=[whole.terms[row] for row in rows],
            running=held,
            open=columns.slots.astype(np.int64) - held,
            begun=begun,
            via=self.lineup.via[at],
            lent=self.lineup.lent[at],
            since_h=np.array(self.waits_since)[at],
        )
        first = max(0, self.come - self.most_seen)
        seen = replace(alone(whole.columns.take(np.arange(self.come))), terms=whole.terms[: self.come])
        outset = Outset(
            lineup=lineup,
            books=self.books.copy(),
            spread=self.world.spread[at],
            since_h=np.array(self.since)[at],
            spent_h=np.where(begun, spent, 0.0),
            preempted=np.array(self.preempted)[at],
        )
        arrivals = Arrivals.seen(
            seen, self.world.spread[: self.come], self.submitted[first - 1] if first else NOW, self.now
        )
        chance = np.random.default_rng(self.come)
        return outlook(outset, self.world.workers, ORDER, RULE, arrivals, self.now, chance), rows
