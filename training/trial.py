"""Newcomers prove themselves: against the expert rule, or against the champion, on weeks nobody learned from.

The two models play the weeks withheld from both. Nine weeks cannot tell two good models apart, so models of the same
two recipes, fitted anew every other week to what was known before it, play the sixteen weeks before as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache

import numpy as np

from features.curves import hours
from features.records import ValueLabel
from serving.model import Bundle
from serving.scheduling import policies
from training.backtest import (
    Contender,
    PlayedWeek,
    Setting,
    best_horizon,
    clairvoyant,
    of_bundle,
    play_weeks,
    played_weeks,
)
from training.backtest.playing import Values
from training.datasets.complete_journey import CompleteJourney, week_start
from training.estimators import Recipe
from training.learning import TEST_WEEKS, TUNING_WEEKS, Learned, Lessons, held_out_weeks
from training.progress import Progress, part, silent
from training.promotion import Earned, Kind, Verdict, judged
from training.recipes import recipe_of, same_recipe

EARLIER_WEEKS = range(28, 44)
"""Weeks before the held-out ones, played by stand-ins: models of the same recipes that learned before each."""

REFIT_EVERY = 2
"""Weeks that a stand-in plays before it is fitted anew."""

LONGEST_LAG = timedelta(weeks=8)
"""How much older than the other's the data of a stand-in may be; beyond it there is too little past to learn from."""


def on_trial(
    journey: CompleteJourney,
    lessons: Lessons,
    newcomer: Bundle,
    incumbent: Bundle | None,
    weeks: Iterable[int] | None = None,
    setting: Setting | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Hold a newcomer against the champion, or against the expert rule where there is none.

    Parameters
    ----------
    journey : its truth is what both are judged by, whatever label the incumbent went by.
    lessons : every labelled campaign, each with its features as of its release.
    incumbent : the champion as it was before it learned from `weeks`.
    weeks : to choose from, `held_out_weeks` by default; those that one of the two learned from are left out.
    """
    played_as = setting or Setting()
    among = held_out_weeks(journey) if weeks is None else weeks
    withheld = withheld_from(among, newcomer, *([incumbent] if incumbent else []))
    name = "the expert rule" if incumbent is None else _named(incumbent, journey.truth.label)
    if not withheld:
        none = np.zeros((0, played_as.replicates))
        return judged(Earned(none, none, none, none), Kind.FIRST, incumbent_name=name)
    progress("playing the withheld weeks", 0.0)
    latest = max(bundle.meta.training_window[1] for bundle in (newcomer, incumbent) if bundle)
    if incumbent is None:
        recipe = Recipe(label=journey.truth.label.value)
        rule = Learned.of(lessons.until(newcomer.meta.training_window[1]), recipe)
        rule_h = _expert_horizon(journey, lessons, played_as, recipe)
        rival = Contender("incumbent", rule.expert, policies.index(rule_h))
        rival_before: Contender | None = Contender(
            "incumbent", stand_in(lessons, recipe, expert=True), policies.index(rule_h)
        )
        kind = Kind.FIRST
    else:
        rival = of_bundle("incumbent", incumbent)
        rival_before = _stand_in_for(incumbent, "incumbent", lessons, latest - incumbent.meta.training_window[1])
        kind = Kind.REFRESH if same_recipe(newcomer.meta, incumbent.meta) else Kind.NEW_RECIPE
    mine = of_bundle("newcomer", newcomer)
    mine_before = _stand_in_for(newcomer, "newcomer", lessons, latest - newcomer.meta.training_window[1])
    own = earned(played_weeks(journey, lessons.features, withheld, played_as), mine, rival, played_as)
    if mine_before is None or rival_before is None:
        return judged(own, kind, incumbent_name=name)
    progress("playing the weeks before with models that learned before each", 0.4)
    ready = played_weeks(journey, lessons.features, EARLIER_WEEKS, played_as)
    before = earned(ready, mine_before, rival_before, played_as, part(progress, 0.4, 1.0))
    return judged(together(before, own), kind, incumbent_name=name, themselves=own)


def withheld_from(weeks: Iterable[int], *bundles: Bundle) -> list[int]:
    """The weeks that begin when all of the bundles had stopped learning."""
    stopped_h = max(hours(bundle.meta.training_window[1]) for bundle in bundles)
    return [week for week in weeks if hours(week_start(week)) >= stopped_h]


def stand_in(lessons: Lessons, recipe: Recipe | None, lag: timedelta = timedelta(0), *, expert: bool = False) -> Values:
    """Values of models that learned before the week they are asked about, fitted anew every `REFIT_EVERY` weeks.

    Parameters
    ----------
    lag : how old the latest they learn from is.
    expert : the expert rule's values instead of the recipe's.
    """

    @cache
    def fitted(first: int) -> Learned:
        return Learned.of(lessons.until(week_start(first) - min(lag, LONGEST_LAG)), recipe)

    def values(week: PlayedWeek) -> np.ndarray:
        learned = fitted(week.week - (week.week - EARLIER_WEEKS.start) % REFIT_EVERY)
        return learned.expert(week) if expert else learned.believed(week)

    return values


def earned(
    weeks: Sequence[PlayedWeek],
    newcomer: Contender,
    incumbent: Contender,
    setting: Setting,
    progress: Progress = silent,
) -> Earned:
    """What both earn in some weeks, between FIFO and the bound."""
    bound = clairvoyant(weeks, setting, part(progress, 0.0, 0.4))
    fifo = Contender("fifo", bound.values, policies.fifo)
    outcomes = play_weeks(weeks, [newcomer, incumbent, fifo, bound], setting, part(progress, 0.4, 1.0))
    return Earned(*(outcomes.of[name].value for name in (newcomer.name, incumbent.name, "fifo", "clairvoyant")))


def together(*parts: Earned) -> Earned:
    """The weeks of all parts."""
    return Earned(
        newcomer=np.concatenate([each.newcomer for each in parts]),
        incumbent=np.concatenate([each.incumbent for each in parts]),
        fifo=np.concatenate([each.fifo for each in parts]),
        clairvoyant=np.concatenate([each.clairvoyant for each in parts]),
    )


def _stand_in_for(bundle: Bundle, name: str, lessons: Lessons, lag: timedelta) -> Contender | None:
    """Who plays for a bundle in earlier weeks; None where it does not say how it was made."""
    recipe = recipe_of(bundle.meta)
    if recipe is None:
        return None
    return Contender(name, stand_in(lessons, recipe, lag), policies.index(bundle.meta.horizon_h))


def _named(incumbent: Bundle, label: ValueLabel) -> str:
    """The champion as a verdict speaks of it, and what it goes by where that is not what both are judged by."""
    own = "" if incumbent.meta.label is label else f" of {incumbent.meta.label} value; both judged by {label} value"
    return f"the champion (version {incumbent.meta.version}{own})"


def _expert_horizon(journey: CompleteJourney, lessons: Lessons, setting: Setting, recipe: Recipe) -> float:
    """The lookahead that suits the expert's values best in the weeks before the held-out ones, in hours."""
    weeks = range(TEST_WEEKS[0] - TUNING_WEEKS, TEST_WEEKS[0])
    learned = Learned.of(lessons.until(week_start(weeks[0])), recipe)
    return best_horizon(played_weeks(journey, lessons.features, weeks, setting), learned.expert, setting)
