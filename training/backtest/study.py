"""The whole comparison: every order of work under every setting, learned anew each week.

All that is chosen is chosen on weeks 24-43, so that weeks 44-52 say what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from training.backtest.bound import upper_bound
from training.backtest.contenders import best_horizon, clairvoyant, everyone, planner, rivals
from training.backtest.figures import PolicyResult, results
from training.backtest.playing import Outcome, Outcomes, play_weeks
from training.backtest.rolling import Believed
from training.backtest.setting import PlayedWeek, Release, Setting, played_weeks
from training.backtest.sweeps import Noise, TradeOff, noise_sweep, trade_off
from training.datasets.complete_journey import CompleteJourney
from training.learning import Lessons
from training.progress import Progress, part, silent

TUNING_WEEKS = range(24, 44)
"""All that is chosen is chosen on these."""

LOADS = (0.5, 0.8, 1.0, 1.5)

HEADLINES = (Setting(load=1.0), Setting(load=1.5), Setting(load=1.5, release=Release.MIXED_WINDOWS))
"""The settings that figures are promised for, and that are looked at more closely."""

PLANNED_FROM_LOAD = 1.0
"""Below it next to nothing is left to win, and the planner is not played: it takes most of the time."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is played, and how closely.

    Attributes
    ----------
    settings : with their replicates.
    slow_replicates : of the planner, which takes long; at most the setting's.
    bounds : replicates that the upper bound is solved for, in the headline settings.
    tuning_weeks : that lookaheads are chosen on.
    """

    weeks: tuple[int, ...]
    settings: tuple[Setting, ...]
    slow_replicates: int = 2
    bounds: int = 1
    tuning_weeks: tuple[int, ...] = tuple(TUNING_WEEKS)

    @classmethod
    def usual(cls, weeks: Sequence[int], replicates: int) -> Plan:
        """Every load and release, and the headline settings with preemption too."""
        plain = [Setting(load=load, release=release, replicates=replicates) for release in Release for load in LOADS]
        slow = min(2, replicates)
        preemptive = [replace(setting, preemptive=True, replicates=slow) for setting in HEADLINES]
        return cls(weeks=tuple(weeks), settings=(*plain, *preemptive))

    @classmethod
    def of(
        cls,
        weeks: Sequence[int],
        replicates: int,
        loads: Iterable[float],
        releases: Iterable[Release],
        *,
        preemptive: bool,
    ) -> Plan:
        """Some loads and releases."""
        asked = product(releases, loads)
        settings = [
            Setting(load=load, release=release, replicates=replicates, preemptive=preemptive) for release, load in asked
        ]
        return cls(weeks=tuple(weeks), settings=tuple(settings))

    @classmethod
    def quick(cls, replicates: int = 2) -> Plan:
        """The headline settings on every third of the weeks that all is chosen on; seconds instead of minutes."""
        weeks = tuple(TUNING_WEEKS[::3])
        settings = tuple(replace(setting, replicates=replicates) for setting in HEADLINES)
        return cls(weeks=weeks, settings=settings, slow_replicates=1, bounds=0, tuning_weeks=weeks)


@dataclass(frozen=True)
class Chosen:
    """Lookaheads chosen for one setting, hours."""

    setting: Setting
    learned_h: float
    expert_h: float


@dataclass(frozen=True)
class Study:
    """What came of it.

    Attributes
    ----------
    results : setting by setting, the greatest share first.
    held_out : the same of weeks after the tuning weeks alone; nothing was chosen on these.
    noise : how good predictions must be; trade_off : between value and the wait of the most valuable tenth. Both of
        headline settings alone.
    """

    weeks: tuple[int, ...]
    chosen: list[Chosen]
    results: list[PolicyResult]
    noise: list[Noise]
    trade_off: list[TradeOff]
    held_out: list[PolicyResult] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The machine-readable result."""
        return {
            "weeks": list(self.weeks),
            "label": self.results[0].label,
            "results": [result.document() for result in self.results],
            "held_out": [result.document() for result in self.held_out],
            "horizons": [
                {
                    "load": c.setting.load,
                    "release": c.setting.release.value,
                    "preemptive": c.setting.preemptive,
                    "index_h": c.learned_h,
                    "expert_h": c.expert_h,
                }
                for c in self.chosen
            ],
            "noise": [point.document() for point in self.noise],
            "trade_off": [point.document() for point in self.trade_off],
        }


def studied(journey: CompleteJourney, lessons: Lessons, plan: Plan, progress: Progress = silent) -> Study:
    """Learn for every week, choose on the tuning weeks, and play the plan's weeks under all of its settings."""
    needed = sorted({*plan.weeks, *plan.tuning_weeks})
    ready = {w.week: w for w in played_weeks(journey, lessons.features, needed, plan.settings[0])}
    believed = Believed.of(lessons, ready.values(), part(progress, 0.0, 0.2))
    chosen, found, held_out, noise, trades = [], [], [], [], []
    untouched = [week for week in plan.weeks if week > max(plan.tuning_weeks)]
    for done, setting in enumerate(plan.settings):
        told = part(progress, 0.2 + 0.8 * done / len(plan.settings), 0.2 + 0.8 * (done + 1) / len(plan.settings))
        named = _named(setting)
        told(named, 0.0)
        choice = _chosen([ready[week].under(setting) for week in plan.tuning_weeks], believed, setting)
        weeks = [ready[week].under(setting) for week in plan.weeks]
        outcomes = _played(weeks, believed, choice, plan, part(_under(told, named), 0.1, 0.7))
        chosen.append(choice)
        found += results(outcomes, setting)
        if untouched:
            held_out += results(outcomes.within(untouched), setting)
        if not setting.preemptive and _is_headline(setting):
            told(f"{named}: sweeps", 0.8)
            noise += noise_sweep(weeks, believed, choice.learned_h, setting, outcomes)
            trades += trade_off(weeks, believed.by_model, choice.learned_h, setting, outcomes)
    return Study(plan.weeks, chosen, found, noise, trades, held_out)


def _chosen(weeks: Sequence[PlayedWeek], believed: Believed, setting: Setting) -> Chosen:
    # What is true of the order with preemption is true of it without, but for the time that it takes to find out.
    plain = replace(setting, preemptive=False)
    return Chosen(
        setting, best_horizon(weeks, believed.by_model, plain), best_horizon(weeks, believed.by_expert, plain)
    )


def _played(
    weeks: Sequence[PlayedWeek], believed: Believed, choice: Chosen, plan: Plan, progress: Progress
) -> Outcomes:
    setting = choice.setting
    bound = clairvoyant(weeks, replace(setting, preemptive=False))
    competing = rivals if setting.preemptive else everyone
    there = competing(believed.by_model, choice.learned_h, believed.by_expert, choice.expert_h, believed.by_shrunk)
    outcomes = play_weeks(weeks, [*there, bound], setting, part(progress, 0.0, 0.4))
    if setting.preemptive:
        return outcomes
    if setting.load >= PLANNED_FROM_LOAD:
        slow = replace(setting, replicates=min(plan.slow_replicates, setting.replicates))
        challenger = planner(believed.by_model, choice.learned_h, setting)
        outcomes = outcomes.joined(play_weeks(weeks, [challenger], slow, part(progress, 0.4, 0.8)))
    if plan.bounds and _is_headline(setting):
        progress("solving for the upper bound", 0.8)
        outcomes = replace(outcomes, of={**outcomes.of, "upper_bound": _bounded(weeks, setting, plan.bounds)})
    return outcomes


def _bounded(weeks: Sequence[PlayedWeek], setting: Setting, replicates: int) -> Outcome:
    """The upper bound as an outcome: dollars alone, as there is no schedule behind it."""
    value = np.array([[upper_bound(w, w.draw(setting, r), setting) for r in range(replicates)] for w in weeks])
    campaigns = sum(len(week.campaigns) for week in weeks)
    unknown = np.full((replicates, campaigns), np.nan)
    return Outcome(value, unknown, unknown, np.full_like(value, np.nan), np.full_like(value, np.nan))


def _is_headline(setting: Setting) -> bool:
    return any((setting.load, setting.release) == (headline.load, headline.release) for headline in HEADLINES)


def _named(setting: Setting) -> str:
    return f"{setting.release.value}, load {setting.load:g}{', preemptive' if setting.preemptive else ''}"


def _under(progress: Progress, named: str) -> Callable[[str, float], None]:
    return lambda stage, share: progress(f"{named}: {stage}", share)
