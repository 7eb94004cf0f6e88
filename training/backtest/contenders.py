"""Who competes in a backtest: what each believes campaigns are worth, and the order it works in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from features.curves import Floats
from serving.model import Bundle
from serving.scheduling import policies
from serving.scheduling.planner import Planner
from training.backtest.playing import Contender, Values, play_weeks
from training.backtest.setting import PlayedWeek, Setting
from training.progress import Progress, silent

HORIZONS_H = (3.0, 6.0, 9.0, 12.0, 18.0, 24.0, 48.0)
"""Lookaheads of the index to choose from, in hours."""

TRIALS = 8
"""Replicates of each week that a lookahead is chosen by."""


def contenders(learned: Values, learned_h: float, expert: Values, expert_h: float, shrunk: Values) -> list[Contender]:
    """The learned index and what it is compared with, without the bound.

    Parameters
    ----------
    learned, expert, shrunk : believed values in dollars; the last are those of the strongest hand rule.
    learned_h, expert_h : lookahead of the index, each chosen for its own values, in hours.
    """
    return [
        Contender("index", learned, policies.index(learned_h)),
        Contender("expert", expert, policies.index(expert_h)),
        Contender("shrunk_response", shrunk, policies.index(learned_h)),
        Contender("expert_vp", expert, policies.vp),
        Contender("matrix", _worthless, policies.matrix),
        Contender("spt", _worthless, policies.spt),
        Contender("fifo", _worthless, policies.fifo),
    ]


def rivals(learned: Values, learned_h: float, expert: Values, expert_h: float, shrunk: Values) -> list[Contender]:
    """`contenders`, and `expert_same_h`: the expert's values under the learned index's lookahead."""
    return [
        *contenders(learned, learned_h, expert, expert_h, shrunk),
        Contender("expert_same_h", expert, policies.index(learned_h)),
    ]


def everyone(learned: Values, learned_h: float, expert: Values, expert_h: float, shrunk: Values) -> list[Contender]:
    """`rivals`, the index without the market's rhythm, and every other order of the registry that does not plan."""
    return [
        *rivals(learned, learned_h, expert, expert_h, shrunk),
        Contender("index_even", learned, policies.index(learned_h), even=True),
        Contender("vp", learned, policies.vp),
        Contender("value", learned, policies.value),
        Contender("gcmu", learned, policies.gcmu),
        Contender("atc", learned, policies.Atc(learned_h)),
        Contender("edf", _worthless, policies.edf),
        Contender("random", _worthless, policies.Shuffled()),
    ]


def planner(learned: Values, learned_h: float, setting: Setting) -> Contender:
    """The challenger: plans on learned values, beginning with their index."""
    return Contender("planner", learned, Planner(learned_h, setting.workers))


def of_bundle(name: str, bundle: Bundle) -> Contender:
    """A registered model's own values under its own index."""

    def values(week: PlayedWeek) -> Floats:
        return bundle.values_of(week.features[list(bundle.meta.features)].to_numpy(dtype=float))

    return Contender(name, values, policies.index(bundle.meta.horizon_h))


def clairvoyant(weeks: Sequence[PlayedWeek], setting: Setting, progress: Progress = silent) -> Contender:
    """The bound: the index of true values and durations, at the lookahead that suits these very weeks best.

    It takes value to accrue evenly, as in the study whose figures are compared with: what others gain by the market's
    rhythm is theirs, and they may come to more than all of the gap.
    """
    horizon_h = best_horizon(weeks, _true_value, setting, progress, foresight=True)
    return Contender("clairvoyant", _true_value, policies.index(horizon_h), foresight=True, even=True)


def best_horizon(
    weeks: Sequence[PlayedWeek],
    values: Values,
    setting: Setting,
    progress: Progress = silent,
    *,
    foresight: bool = False,
) -> float:
    """The lookahead of `HORIZONS_H` under which the index of these values earns most on these weeks, in hours."""
    tried = [Contender(f"h = {h:g} hours", values, policies.index(h), foresight, even=foresight) for h in HORIZONS_H]
    # All lookaheads see the same chance, so that a few replicates tell them apart.
    outcomes = play_weeks(weeks, tried, replace(setting, replicates=min(setting.replicates, TRIALS)), progress)
    return max(zip(HORIZONS_H, tried, strict=True), key=lambda pair: outcomes.of[pair[1].name].value.sum())[0]


def _true_value(week: PlayedWeek) -> Floats:
    return week.true_value


def _worthless(week: PlayedWeek) -> Floats:
    """For orders that know nothing of value, so that nothing of it breaks their ties either."""
    return np.zeros(len(week.campaigns))
