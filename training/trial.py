"""Newcomers prove themselves: against the expert rule, and against the champion, on weeks nobody learned from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from features.curves import hours
from serving.errors import NoChampion
from serving.model import Bundle
from serving.registry import champion
from serving.scheduling import policies
from serving.settings import Settings
from training.backtest import Contender, Outcomes, Setting, clairvoyant, contenders, of_bundle, play_weeks, played_weeks
from training.datasets.complete_journey import CompleteJourney, complete_journey, week_start
from training.datasets.outcome_log import joined_with_log
from training.learning import TEST_WEEKS, Learned, Lessons, Tuning
from training.progress import Progress, part, silent
from training.promotion import Verdict, judged
from training.tracking import Registry

EARLIER_WEEKS = (range(28, 36), range(36, 44))
"""Weeks before the held-out ones, each block played by models that learned from the weeks before it alone.

A difference of a few hundredths of the gap drowns in the chance of nine weeks; it shows in twenty-five.
"""


def held_against_expert(
    journey: CompleteJourney,
    lessons: Lessons,
    tuning: Tuning,
    held_out: Outcomes,
    setting: Setting,
    progress: Progress = silent,
) -> Verdict:
    """Whether learned values are no worse than the expert's under the same index, over held-out and earlier weeks.

    Parameters
    ----------
    held_out : the play of the held-out weeks, `index`, `expert`, `fifo` and `clairvoyant` among its contenders.
    """
    played = [held_out]
    for n, weeks in enumerate(EARLIER_WEEKS):
        block = part(progress, n / len(EARLIER_WEEKS), (n + 1) / len(EARLIER_WEEKS))
        learned = Learned.of(lessons.until(week_start(weeks[0])))
        ready = played_weeks(journey, lessons.features, weeks, setting)
        rivals = contenders(learned.believed, tuning.learned_h, learned.expert, tuning.expert_h)
        needed = [rival for rival in rivals if rival.name in ("index", "expert", "fifo")]
        bound = clairvoyant(ready, setting, part(block, 0.0, 0.5))
        played.append(play_weeks(ready, [*needed, bound], setting, part(block, 0.5, 1.0)))
    earned = {
        name: np.concatenate([outcomes.of[name].value for outcomes in played])
        for name in ("index", "expert", "fifo", "clairvoyant")
    }
    return judged(
        earned["index"], earned["expert"], earned["fifo"], earned["clairvoyant"], incumbent_name="the expert rule"
    )


def held_against_champion(
    settings: Settings,
    journey: CompleteJourney,
    features: pd.DataFrame,
    newcomer: Bundle,
    weeks: Iterable[int],
    progress: Progress = silent,
) -> Verdict | None:
    """The verdict on a newcomer; None when there is no champion yet.

    Raises
    ------
    RegistryUnreachable, BundleCorrupt
        When there is one that cannot be fetched.
    """
    try:
        incumbent = champion(settings.tracking_uri, cache_dir=settings.home / "models")
    except NoChampion:
        return None
    return trial(journey, features, newcomer, incumbent, weeks, progress=progress)


def promote(settings: Settings, version: str, progress: Progress = silent) -> Verdict:
    """Judge a registered version against the champion on the held-out weeks, and make it champion if it may be.

    Raises
    ------
    BadInput
        When the registry has no such version.
    NoChampion
        When there is nobody to hold it against.
    """
    registry = Registry(settings.tracking_uri, settings.home / "mlartifacts")
    newcomer = registry.bundle(version)
    incumbent = champion(settings.tracking_uri, cache_dir=settings.home / "models")
    journey = complete_journey(progress=part(progress, 0.0, 0.4))
    progress("computing features", 0.4)
    features = Lessons.of(joined_with_log(journey.history, settings)).features
    verdict = trial(journey, features, newcomer, incumbent, TEST_WEEKS, progress=part(progress, 0.5, 1.0))
    registry.note(version, verdict)
    return verdict


def withheld_from(weeks: Iterable[int], *bundles: Bundle) -> list[int]:
    """The weeks that begin when all of the bundles had stopped learning."""
    stopped_h = max(hours(bundle.meta.training_window[1]) for bundle in bundles)
    return [week for week in weeks if hours(week_start(week)) >= stopped_h]


def trial(
    journey: CompleteJourney,
    features: pd.DataFrame,
    newcomer: Bundle,
    incumbent: Bundle,
    weeks: Iterable[int],
    setting: Setting | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Play the weeks withheld from both, each bundle's values under its own index, and judge.

    Parameters
    ----------
    features : by campaign id, each campaign's as of its release.
    weeks : to choose from; those that one of the two learned from are left out.
    """
    played_as = setting or Setting()
    name = f"the champion (version {incumbent.meta.version})"
    withheld = withheld_from(weeks, newcomer, incumbent)
    if not withheld:
        none = np.zeros((0, played_as.replicates))
        return judged(none, none, none, none, incumbent_name=name)
    played = played_weeks(journey, features, withheld, played_as)
    bound = clairvoyant(played, played_as, part(progress, 0.0, 0.4))
    fifo = Contender("fifo", bound.values, policies.fifo)
    rivals = [of_bundle("newcomer", newcomer), of_bundle("incumbent", incumbent), fifo, bound]
    outcomes = play_weeks(played, rivals, played_as, part(progress, 0.4, 1.0))
    earned = {name: outcome.value for name, outcome in outcomes.of.items()}
    return judged(earned["newcomer"], earned["incumbent"], earned["fifo"], earned["clairvoyant"], incumbent_name=name)
