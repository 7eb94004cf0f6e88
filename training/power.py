"""How often the promotion gate is right, over resampled weeks.

The gate meets three newcomers in the place of a refresh, where its demand is mildest: an honest one that is a week
fresher, one that is spoilt until it captures .03 of the gap less, and one that learned from shuffled labels. The
weeks they played are drawn again with replacement, as if other years had come, and each drawn year is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from features.curves import Floats, Indices
from serving.scheduling import policies
from training.backtest import Contender, Outcomes, PlayedWeek, Setting, clairvoyant, play_weeks, played_weeks
from training.backtest.playing import Values
from training.datasets.complete_journey import CompleteJourney, week_start
from training.learning import TEST_WEEKS, Learned, Lessons
from training.progress import Progress, part, silent
from training.promotion import Earned, Kind, judged
from training.trial import EARLIER_WEEKS, stand_in, together

HORIZON_H = 6.0
WORSE_BY = 0.03
"""Share of the gap that the spoilt newcomer loses."""

AGE = timedelta(weeks=1)
"""How much fresher the honest newcomer is than the champion."""


@dataclass(frozen=True)
class Power:
    """How a newcomer fared.

    Attributes
    ----------
    lead : its lead over the champion, share of the gap, over the weeks that really were.
    promoted : share of the drawn years in which the gate promoted it.
    """

    newcomer: str
    lead: float
    promoted: float
    years: int

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Stage:
    """Some weeks, and who values their campaigns: the newcomer, the champion, and one who learned from nonsense."""

    weeks: Sequence[PlayedWeek]
    fresh: Values
    stale: Values
    shuffled: Values

    def played(self, spoilt_by: float, setting: Setting) -> Outcomes:
        """The play of all of them, and of the newcomer spoilt by so much noise."""
        values = {**self.values, "spoilt": spoilt(self.fresh, spoilt_by)}
        bound = clairvoyant(self.weeks, setting)
        rivals = [Contender(name, each, policies.index(HORIZON_H)) for name, each in values.items()]
        return play_weeks(self.weeks, [*rivals, Contender("fifo", bound.values, policies.fifo), bound], setting)

    @property
    def values(self) -> dict[str, Values]:
        """By name."""
        return {"fresh": self.fresh, "stale": self.stale, "shuffled": self.shuffled}


def power(
    journey: CompleteJourney,
    lessons: Lessons,
    setting: Setting | None = None,
    years: int = 200,
    progress: Progress = silent,
) -> list[Power]:
    """The gate's verdicts on the three newcomers."""
    played_as = setting or Setting()
    progress("fitting", 0.0)
    stages = _stages(journey, lessons, played_as)
    noise = spoiling(stages, replace(played_as, replicates=min(2, played_as.replicates)), part(progress, 0.1, 0.4))
    outcomes = []
    for n, stage in enumerate(stages):
        progress("playing", 0.4 + 0.2 * n)
        outcomes.append(stage.played(noise, played_as))
    found = []
    for n, name in enumerate(("fresh", "spoilt", "shuffled")):
        progress(f"judging {name}", 0.8 + 0.06 * n)
        before, own = (_earned(each, name) for each in outcomes)
        lead = together(before, own).lead.estimate
        found.append(Power(name, lead, promoted_share(before, own, years), years))
    progress("done", 1.0)
    return found


def promoted_share(before: Earned, own: Earned, years: int, seed: int = 0) -> float:
    """In what share of resampled years the gate promotes a refresh."""
    chance = np.random.default_rng(seed)
    verdicts = []
    for _ in range(years):
        drawn = [_weeks(each, chance.integers(len(each.gap), size=len(each.gap))) for each in (before, own)]
        verdict = judged(together(*drawn), Kind.REFRESH, incumbent_name="the champion", themselves=drawn[1])
        verdicts.append(verdict.promoted)
    return float(np.mean(verdicts))


def spoilt(values: Values, sigma: float) -> Values:
    """Values with lognormal noise of this sigma on top, the same at every call."""

    def noisy(week: PlayedWeek) -> Floats:
        dollars = values(week)
        chance = np.random.default_rng([1, week.week])
        noise: Floats = np.exp(sigma * chance.standard_normal(len(dollars)))
        return dollars * noise

    return noisy


def spoiling(stages: Sequence[Stage], setting: Setting, progress: Progress = silent, steps: int = 5) -> float:
    """The noise that makes the newcomer lose `WORSE_BY` of the gap to what it was, by bisection."""
    low, high = 0.0, 1.5
    for step in range(steps):
        middle = (low + high) / 2
        progress(f"spoiling by {middle:.2f}", step / steps)
        outcomes = [stage.played(middle, setting) for stage in stages]
        lead = together(*(_earned(each, "spoilt") for each in outcomes)).lead.estimate
        low, high = (middle, high) if lead > -WORSE_BY else (low, middle)
    return high


def shuffled(lessons: Lessons, seed: int = 0) -> Lessons:
    """The same lessons with each value given to another campaign."""
    examples = lessons.examples
    mixed = np.random.default_rng(seed).permutation(examples.value)
    return replace(lessons, examples=replace(examples, value=mixed))


def _stages(journey: CompleteJourney, lessons: Lessons, setting: Setting) -> tuple[Stage, Stage]:
    """The weeks played by stand-ins, and those that the two models play themselves."""
    first, nonsense = TEST_WEEKS[1], shuffled(lessons)
    earlier = played_weeks(journey, lessons.features, EARLIER_WEEKS, setting)
    before = Stage(earlier, stand_in(lessons, None), stand_in(lessons, None, AGE), stand_in(nonsense, None))
    own = Stage(
        played_weeks(journey, lessons.features, range(first, TEST_WEEKS.stop), setting),
        Learned.of(lessons.until(week_start(first))).believed,
        Learned.of(lessons.until(week_start(first) - AGE)).believed,
        Learned.of(nonsense.until(week_start(first))).believed,
    )
    return before, own


def _earned(outcomes: Outcomes, name: str) -> Earned:
    of = outcomes.of
    return Earned(of[name].value, of["stale"].value, of["fifo"].value, of["clairvoyant"].value)


def _weeks(earned: Earned, chosen: Indices) -> Earned:
    return Earned(earned.newcomer[chosen], earned.incumbent[chosen], earned.fifo[chosen], earned.clairvoyant[chosen])
