"""From a history to a model bundle: examples, value model, lookahead, and what a bundle says about itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Self

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression

from features.contract import FEATURE_NAMES, fingerprint
from features.curves import Floats
from features.matrix import Matrix
from features.records import ValueLabel
from features.schema import History, campaigns_of
from features.snapshot import Snapshot
from serving.model import Bundle, MatrixDollars, Meta, ProcessingPrior
from serving.model.increment import above_baseline
from serving.priority import Scale
from serving.registry import MODEL_NAME
from serving.scheduling import policies
from training.backtest import Contender, PlayedWeek, Setting, best_horizon, contested_indices, played_weeks
from training.baselines import BASELINES, Estimator
from training.datasets.complete_journey import WEEKS, CompleteJourney, week_start
from training.estimators import Recipe, ValueModel
from training.incremental import incremental
from training.intervals import value_intervals
from training.labels import labels
from training.processing_time import processing_times
from training.progress import Progress, part, silent
from training.rhythm import Sales
from training.split import Examples

FIRST_WEEK = 6
"""Campaigns of earlier weeks have too little past to learn from; they are the past of later ones."""

TEST_WEEKS = range(44, 53)
"""Held out from everything that is learned or chosen; see `held_out_weeks` for those with a known worth."""

TUNING_WEEKS = 8
"""Weeks before the first held-out one that the lookahead is chosen on, by models that never saw them."""


def held_out_weeks(journey: CompleteJourney) -> list[int]:
    """The weeks of `TEST_WEEKS`, and those that a log adds after the year, in which all campaigns' worth is known."""
    return [week for week in journey.known_weeks() if week in TEST_WEEKS or week > WEEKS[-1]]


def learnable_until(journey: CompleteJourney) -> datetime:
    """When the last of what there is to learn from is over: the data's whole weeks, or a log after them."""
    year = week_start(TEST_WEEKS.stop)
    return year if journey.logged_until is None else max(year, journey.logged_until)


@dataclass(frozen=True)
class Lessons:
    """Every labelled campaign of a history, with the features it had at its release."""

    history: History
    examples: Examples

    @classmethod
    def of(cls, history: History) -> Self:
        """All there is to learn from a history."""
        return cls(history, Examples.of(history, labels(history)))

    @property
    def features(self) -> pd.DataFrame:
        """By campaign id, each campaign's as of its release."""
        return self.examples.features

    def until(self, moment: datetime) -> Examples:
        """What may be learned by `moment`: only labels complete by then, so that no open window leaks its end."""
        known = self.examples.matured_by(moment)
        return known.where(known.moments >= pd.Timestamp(week_start(FIRST_WEEK)))

    def increments(self, moment: datetime) -> Examples:
        """The same with incremental values, as far as they are known by `moment`."""
        above = incremental(self.history, labels(self.history))
        above = above[above.campaign_id.isin(self.features.index)]
        examples = self.of_campaigns(above.campaign_id)
        valued = replace(examples, value=above["value"].to_numpy(), matured_at=pd.DatetimeIndex(above.matured_at))
        return type(self)(self.history, valued).until(moment)

    def table(self, moment: datetime) -> pd.DataFrame:
        """What may be learned by `moment` as a table: features, and the label `value` in dollars."""
        known = self.until(moment)
        return known.features.assign(value=known.value)

    def of_campaigns(self, campaign_ids: Iterable[str]) -> Examples:
        """The examples of some campaigns, in the order asked."""
        return self.examples.where(self.features.index.get_indexer(pd.Index(list(campaign_ids))))


@dataclass(frozen=True)
class Learned:
    """The value model, and the baselines fitted to the same examples, by name.

    All predict gross revenue. Where the recipe's label is incremental, their values are what exceeds the expected
    baseline, the same for all.
    """

    value: ValueModel
    baselines: dict[str, Estimator]

    @classmethod
    def of(cls, examples: Examples, recipe: Recipe | None = None) -> Self:
        """Fit everything."""
        taught = (examples.features, examples.value, examples.share)
        return cls(ValueModel(recipe).fit(*taught), {name: make().fit(*taught) for name, make in BASELINES.items()})

    @property
    def label(self) -> ValueLabel:
        """What values are taken to be."""
        return ValueLabel(self.value.recipe.label)

    def predictions(self, features: pd.DataFrame) -> dict[str, Floats]:
        """Dollars by model: `value` and each baseline."""
        return {name: self._values(model, features) for name, model in {"value": self.value, **self.baselines}.items()}

    def believed(self, week: PlayedWeek) -> Floats:
        """The value model's values of a played week."""
        return self._values(self.value, week.features)

    def expert(self, week: PlayedWeek) -> Floats:
        """The expert rule's values of a played week."""
        return self._values(self.baselines["expert"], week.features)

    def shrunk(self, week: PlayedWeek) -> Floats:
        """The strongest hand rule's values of a played week."""
        return self._values(self.baselines["shrunk_response"], week.features)

    def _values(self, model: Estimator, features: pd.DataFrame) -> Floats:
        gross = model.predict(features)
        return above_baseline(gross, features["target_baseline"]) if self.label is ValueLabel.INCREMENTAL else gross


@dataclass(frozen=True)
class Tuning:
    """What was chosen on the weeks before the held-out ones.

    Attributes
    ----------
    learned_h, expert_h : lookahead of the index for learned and for the expert's values, hours.
    index_quantiles : of the learned index over campaigns that were ready, at every dispatch of those weeks.
    prior : of processing times, from the work of those weeks.
    """

    weeks: tuple[int, ...]
    learned_h: float
    expert_h: float
    index_quantiles: Floats
    prior: ProcessingPrior


def tuned(
    journey: CompleteJourney,
    lessons: Lessons,
    before: int,
    setting: Setting,
    progress: Progress = silent,
    recipe: Recipe | None = None,
) -> Tuning:
    """Choose on the `TUNING_WEEKS` weeks before week `before`, with models that learned from the weeks before those."""
    weeks = tuple(range(before - TUNING_WEEKS, before))
    learned = Learned.of(lessons.until(week_start(weeks[0])), recipe)
    played = played_weeks(journey, lessons.features, weeks, setting)
    learned_h = best_horizon(played, learned.believed, setting, part(progress, 0.0, 0.4))
    expert_h = best_horizon(played, learned.expert, setting, part(progress, 0.4, 0.8))
    progress("taking the scale of scores", 0.8)
    index = Contender("index", learned.believed, policies.index(learned_h))
    contested = contested_indices(played, index, replace(setting, replicates=1))
    per_unit = float(np.mean([week.prior.slot_hours_per_unit for week in played]))
    return Tuning(
        weeks=weeks,
        learned_h=learned_h,
        expert_h=expert_h,
        index_quantiles=Scale.of(contested).quantiles,
        prior=replace(played[0].prior, slot_hours_per_unit=per_unit),
    )


def bundled(
    lessons: Lessons,
    learned: Learned,
    tuning: Tuning,
    until: datetime,
    now: datetime,
    metrics: dict[str, dict[str, float]],
) -> Bundle:
    """What serving needs, in one value: trees, the snapshot of `until`, and what they say about themselves."""
    known, rhythm = lessons.until(until), Sales.of(lessons.history).rhythm(until)
    meta = Meta(
        name=MODEL_NAME,
        trained_at=now,
        training_window=(week_start(FIRST_WEEK), until),
        contract=fingerprint(),
        features=FEATURE_NAMES,
        objective=learned.value.recipe.objective,
        horizon_h=tuning.learned_h,
        index_quantiles=tuple(tuning.index_quantiles.tolist()),
        seconds_per_unit_prior=tuning.prior,
        matrix_dollars=matrix_dollars(lessons, until, learned.label),
        # What values come out at is known of gross ones alone: an increment may be less than nothing.
        intervals=value_intervals(known, learned.value.recipe) if learned.label is ValueLabel.GROSS else None,
        rhythm=() if rhythm is None else tuple(rhythm.rates.tolist()),
        metrics=dict(metrics),
        recipe=asdict(learned.value.recipe),
        by_targets=bool((known.features.targets > 0).all()),
    )
    processing = processing_times(lessons.history, tuning.prior, until)
    return Bundle(learned.value.booster_, Snapshot.of(lessons.history, until), meta, processing=processing)


def matrix_dollars(lessons: Lessons, until: datetime, label: ValueLabel = ValueLabel.GROSS) -> MatrixDollars:
    """Dollars of each matrix point, never falling: what campaigns of about as many points turned out to be worth."""
    known = lessons.until(until) if label is ValueLabel.GROSS else lessons.increments(until)
    campaigns = campaigns_of(lessons.history, known.features.index)
    points = Matrix.default().points(campaigns, known.features[list(FEATURE_NAMES)].to_numpy())
    seen = known.share > 0
    rising = IsotonicRegression(y_min=0, out_of_bounds="clip")
    # What a late campaign showed, scaled up to the whole, counts as much as the part that it showed.
    rising.fit(points[seen], known.value[seen] / known.share[seen], sample_weight=known.share[seen])
    knots = np.arange(101.0)
    return MatrixDollars(tuple(knots.tolist()), tuple(rising.predict(knots).tolist()))
