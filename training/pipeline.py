"""The story of training, top to bottom: from a year of campaigns to the champion that serves.

read the year -> features at each campaign's release, labels once complete
  -> learn from weeks 6-43 -> measure on weeks 44-52, baselines beside
  -> choose the index's lookahead on weeks 36-43 -> play weeks 44-52 against the other ways to work
  -> judged on weeks it has not seen, against the expert rule or the champion -> fitted again to all weeks
  -> bundle with its model card -> MLflow -> champion, if it may be
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from features.records import ValueLabel
from serving.settings import Settings
from training import plots
from training.backtest import (
    Outcomes,
    PolicyResult,
    Setting,
    clairvoyant,
    contenders,
    play_weeks,
    played_weeks,
    results,
)
from training.candidates import champion_before, judgement, registered
from training.datasets.complete_journey import CompleteJourney, complete_journey, week_start
from training.estimators import Recipe
from training.explaining import contributions, partial_dependence
from training.incremental import valued
from training.learning import Learned, Lessons, Tuning, bundled, held_out_weeks, tuned
from training.metrics import calibration, score_table
from training.progress import Progress, part, silent
from training.promotion import Verdict
from training.tracking import Registered, Registry, Training

MOST_MOVING = 6
"""Features whose partial dependence is drawn."""


@dataclass(frozen=True)
class Backtest:
    """Held-out weeks as they were learned for, played and measured.

    Attributes
    ----------
    metrics : by model (`value` and each baseline) on the pooled campaigns of the weeks.
    results : figures of every policy, most valuable first.
    """

    weeks: tuple[int, ...]
    setting: Setting
    learned: Learned
    tuning: Tuning
    metrics: dict[str, dict[str, float]]
    outcomes: Outcomes
    results: list[PolicyResult]

    def document(self) -> dict[str, Any]:
        """The machine-readable result."""
        return {"results": [result.document() for result in self.results]}


@dataclass(frozen=True)
class TrainResult:
    """What training led to; `pictures` are PNG files by name."""

    registered: Registered
    verdict: Verdict
    backtest: Backtest
    pictures: dict[str, Path]

    def document(self) -> dict[str, Any]:
        """The machine-readable result."""
        return {
            "run_id": self.registered.run_id,
            "model_version": self.registered.version,
            "promoted": self.verdict.promoted,
            "label": self.backtest.learned.label.value,
            "reason": self.verdict.reason,
            "figures": self.verdict.figures,
            "metrics": self.backtest.metrics,
        }


def train(
    settings: Settings,
    now: datetime,
    progress: Progress = silent,
    journey: CompleteJourney | None = None,
    recipe: Recipe | None = None,
    *,
    refit: bool = True,
) -> TrainResult:
    """Train on The Complete Journey, judge the model, register it, and make it champion if it may be.

    Parameters
    ----------
    now : when this happens, for the record; nothing learned depends on it.
    journey : the year, where it was read already.
    recipe : how to fit the value model, and what value is; as usual and as the settings say by default.
    refit : whether a promoted model learns from the weeks it was judged on too before it serves.

    Raises
    ------
    RegistryUnreachable
        When MLflow does not answer; nothing has been learned yet then.
    """
    registry = Registry.of(settings)
    registry.check()
    recipe = recipe or Recipe(label=settings.label.value)
    journey = valued(journey or complete_journey(progress=part(progress, 0.0, 0.2)), ValueLabel(recipe.label))
    progress("computing features", 0.2)
    lessons = Lessons.of(journey.history)
    held_out = held_out_weeks(journey)
    backtest = backtested(journey, lessons, held_out, Setting(), part(progress, 0.25, 0.5), recipe)
    judged = bundled(lessons, backtest.learned, backtest.tuning, week_start(held_out[0]), now, backtest.metrics)
    pictures = drawn(journey, lessons, backtest, settings.home / "pictures")
    incumbent = champion_before(settings, registry)
    verdict = judgement(journey, lessons, judged, incumbent, progress=part(progress, 0.5, 0.85))
    progress("logging to MLflow", 0.85)
    run = Training(
        name="train",
        bundle=judged,
        parameters=parameters(backtest),
        metrics=flat_metrics(backtest.metrics, backtest.results),
        plots=list(pictures.values()),
        results=backtest.results,
        tags={"held_out": f"weeks {_span(backtest.weeks)}", "simulated": "workers, processing times"},
    )
    entry = registered(registry, journey, lessons, judged, verdict, run, now, refit=refit)
    progress("done", 1.0)
    return TrainResult(entry, verdict, backtest, pictures)


def backtested(
    journey: CompleteJourney,
    lessons: Lessons,
    weeks: Iterable[int],
    setting: Setting,
    progress: Progress = silent,
    recipe: Recipe | None = None,
) -> Backtest:
    """Learn from what was known before the first of the weeks, and play them all.

    The model stays as it is throughout the weeks; what is known about campaigns goes on from week to week.
    """
    held_out = tuple(weeks)
    first = min(held_out)
    progress("fitting the value model and the baselines", 0.0)
    learned = Learned.of(lessons.until(week_start(first)), recipe)
    metrics = scored(journey, lessons, learned, held_out)
    tuning = tuned(journey, lessons, first, setting, part(progress, 0.1, 0.4), recipe)
    played = played_weeks(journey, lessons.features, held_out, setting)
    bound = clairvoyant(played, setting, part(progress, 0.4, 0.6))
    rivals = contenders(learned.believed, tuning.learned_h, learned.expert, tuning.expert_h, learned.shrunk)
    outcomes = play_weeks(played, [*rivals, bound], setting, part(progress, 0.6, 1.0))
    return Backtest(held_out, setting, learned, tuning, metrics, outcomes, results(outcomes, setting))


def scored(
    journey: CompleteJourney, lessons: Lessons, learned: Learned, weeks: Iterable[int]
) -> dict[str, dict[str, float]]:
    """Metrics by model on the pooled campaigns of some weeks, against their truth; nothing where there are none."""
    test = lessons.of_campaigns(journey.campaign_ids(weeks))
    if not len(test):
        return {}
    ids = test.features.index
    return score_table(
        learned.predictions(test.features), journey.truth.total[journey.truth.rows(ids)], journey.week_of.loc[ids]
    )


def drawn(journey: CompleteJourney, lessons: Lessons, backtest: Backtest, directory: Path) -> dict[str, Path]:
    """The run's pictures, by name."""
    test = lessons.of_campaigns(journey.campaign_ids(backtest.weeks))
    model = backtest.learned.value
    predicted = backtest.learned.predictions(test.features)["value"]
    actual = journey.truth.total[journey.truth.rows(test.features.index)]
    gain = model.booster_.feature_importance("gain")
    moved = contributions(model.booster_, test.features)
    curves = partial_dependence(model.booster_, test.features, list(moved.index[:MOST_MOVING]))
    return {
        "backtest": plots.backtest_picture(backtest.results, backtest.weeks, directory / "backtest.png"),
        "predicted": plots.prediction_picture(predicted, actual, directory / "predicted_and_actual.png"),
        "calibration": plots.calibration_picture(calibration(actual, predicted), directory / "calibration.png"),
        "importance": plots.importance_picture(model.booster_.feature_name(), gain, directory / "importance.png"),
        "contributions": plots.importance_picture(
            list(moved.index),
            moved.to_numpy(),
            directory / "contributions.png",
            title="What moves predicted values",
            label="share of mean absolute contributions to held-out campaigns, %",
        ),
        "dependence": plots.dependence_picture(curves, directory / "dependence.png"),
    }


def parameters(backtest: Backtest) -> dict[str, Any]:
    """What was decided before and during the run, for its record."""
    tuning = backtest.tuning
    return {
        **asdict(backtest.learned.value.recipe),
        **{f"played_{name}": value for name, value in asdict(backtest.setting).items()},
        "training_rows": backtest.learned.value.rows_,
        "test_weeks": _span(backtest.weeks),
        "tuning_weeks": _span(tuning.weeks),
        "horizon_h": tuning.learned_h,
        "expert_horizon_h": tuning.expert_h,
    }


def flat_metrics(metrics: dict[str, dict[str, float]], results: Iterable[PolicyResult] = ()) -> dict[str, float]:
    """Every figure under one name each, as MLflow wants them."""
    by_model = {f"{model}.{name}": value for model, row in metrics.items() for name, value in row.items()}
    by_policy = {
        f"backtest.{result.policy}.{name}": value
        for result in results
        for name, value in asdict(result).items()
        if isinstance(value, float)
    }
    return {**by_model, **by_policy}


def _span(weeks: Sequence[int]) -> str:
    return f"{min(weeks)}-{max(weeks)}"
