"""Learn again from what the service logged, and let the challenger prove itself before it takes over.

the outcome log, joined with the history before it -> a challenger that learned up to the log's end
  -> challenger and champion play the weeks after it, which neither has seen -> promoted, or refused with the reason
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from features.curves import hours
from features.records import ValueLabel
from features.schema import History
from serving.registry import champion
from serving.settings import Settings
from training.candidates import judgement, registered, tuning_of
from training.datasets.complete_journey import CompleteJourney, complete_journey, week_start
from training.datasets.outcome_log import log_end, outcome_log, settled
from training.incremental import valued
from training.labels import labels
from training.learning import TEST_WEEKS, Learned, Lessons, bundled
from training.pipeline import flat_metrics, scored
from training.progress import Progress, part, silent
from training.promotion import Verdict
from training.recipes import recipe_of
from training.tracking import Registered, Registry, Training
from training.trial import withheld_from


@dataclass(frozen=True)
class RetrainResult:
    """What retraining led to.

    Attributes
    ----------
    logged : campaigns of the log that the challenger learned from.
    late : those of them that went live after their value had begun to fall.
    weeks : on which challenger and champion were judged, withheld from both.
    metrics : of the challenger, by model, on those weeks.
    """

    registered: Registered
    verdict: Verdict
    logged: int
    late: int
    label: ValueLabel
    weeks: list[int]
    metrics: dict[str, dict[str, float]]

    def document(self) -> dict[str, Any]:
        """The machine-readable result."""
        return {
            "run_id": self.registered.run_id,
            "model_version": self.registered.version,
            "promoted": self.verdict.promoted,
            "label": self.label.value,
            "reason": self.verdict.reason,
            "figures": self.verdict.figures,
            "weeks": self.weeks,
            "logged_campaigns": self.logged,
            "logged_late": self.late,
            "metrics": self.metrics,
        }


def retrain(
    settings: Settings,
    now: datetime,
    progress: Progress = silent,
    journey: CompleteJourney | None = None,
    *,
    refit: bool = True,
) -> RetrainResult:
    """Refresh the champion: its recipe on history and outcome log, promoted if it is no worse.

    Parameters
    ----------
    now : when this happens, for the record; nothing learned depends on it.
    journey : the history before the log, where it was read already.
    refit : whether a promoted challenger learns from the weeks it was judged on too before it serves.

    Raises
    ------
    HistoryEmpty
        When the log holds no finished campaign with revenue.
    NoChampion
        When there is nobody to challenge.
    """
    registry = Registry.of(settings)
    registry.check()
    log = outcome_log(settings)
    serving = champion(settings.tracking_uri, cache_dir=settings.home / "models")
    incumbent = registry.proof(str(serving.meta.version))
    journey = valued(journey or complete_journey(progress=part(progress, 0.0, 0.3)), incumbent.meta.label)
    first = first_unseen_week(log)
    until = week_start(first) if first in TEST_WEEKS else log_end(log)
    taught = settled(log, until)

    progress("computing features", 0.3)
    lessons = Lessons.of(journey.history.joined(taught))
    recipe = recipe_of(incumbent.meta)
    learned = Learned.of(lessons.until(until), recipe)
    # The champion's lookahead stays: choosing anew by two plays of eight weeks would add chance, and nothing else.
    metrics = scored(journey, lessons, learned, range(first, TEST_WEEKS.stop))
    challenger = bundled(lessons, learned, tuning_of(incumbent.meta), until, now, metrics)
    verdict = judgement(journey, lessons, challenger, incumbent, progress=part(progress, 0.4, 0.85))

    progress("logging to MLflow", 0.85)
    late = int((labels(taught)["share"] < 1).sum())
    run = Training(
        name="retrain",
        bundle=challenger,
        parameters={
            **asdict(learned.value.recipe),
            "training_rows": learned.value.rows_,
            "horizon_h": challenger.meta.horizon_h,
            "logged_campaigns": len(taught.campaigns),
            "logged_late": late,
        },
        metrics=flat_metrics(metrics),
        tags={"challenged": f"version {incumbent.meta.version}"},
    )
    entry = registered(registry, journey, lessons, challenger, verdict, run, now, refit=refit)
    progress("done", 1.0)
    weeks = withheld_from(TEST_WEEKS, challenger, incumbent)
    return RetrainResult(entry, verdict, len(taught.campaigns), late, incumbent.meta.label, weeks, metrics)


def first_unseen_week(log: History) -> int:
    """The first held-out week that began when the log had ended; the one after them all when none did."""
    end_h = hours(log_end(log))
    return next((week for week in TEST_WEEKS if hours(week_start(week)) >= end_h), TEST_WEEKS.stop)
