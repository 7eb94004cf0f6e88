"""Learn again from what the service logged, and let the challenger prove itself before it takes over.

the outcome log, joined with the history before it -> a challenger that learned up to the log's end, or up to its last
weeks where no others follow -> challenger and champion play the weeks from there on, which neither has seen
  -> promoted and fitted again to all there is, or refused with the reason
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from features.curves import hours
from features.records import ValueLabel
from serving.errors import TooFewWeeks
from serving.model import Bundle
from serving.registry import champion
from serving.settings import Settings
from training.candidates import judgement, registered, tuning_of
from training.datasets.complete_journey import CompleteJourney, complete_journey, week_start
from training.datasets.continued import continued
from training.datasets.outcome_log import outcome_log
from training.incremental import valued
from training.labels import labels
from training.learning import Learned, Lessons, bundled, held_out_weeks, learnable_until
from training.pipeline import flat_metrics, scored
from training.progress import Progress, part, silent
from training.promotion import Verdict
from training.recipes import recipe_of
from training.tracking import Registered, Registry, Training
from training.trial import withheld_from

LEAST_WEEKS, MOST_KEPT = 4, 8
"""Weeks that a challenger plays itself: in fewer chance hides a fault of its own, more are better learned from."""


@dataclass(frozen=True)
class RetrainResult:
    """What retraining led to.

    Attributes
    ----------
    logged : campaigns of the log that the model registered learned from.
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
    TooFewWeeks
        When the champion has seen all there is, or all but too few weeks.
    """
    registry = Registry.of(settings)
    registry.check()
    log = outcome_log(settings)
    serving = champion(settings.tracking_uri, cache_dir=settings.home / "models")
    incumbent = registry.proof(str(serving.meta.version))
    year = journey or complete_journey(progress=part(progress, 0.0, 0.3))
    joined = valued(continued(year, log), incumbent.meta.label)
    weeks = weeks_to_judge_by(held_out_weeks(joined), incumbent, log.until)
    until = week_start(weeks[0])

    progress("computing features", 0.3)
    lessons = Lessons.of(joined.history)
    learned = Learned.of(lessons.until(until), recipe_of(incumbent.meta))
    # The champion's lookahead stays: choosing anew by two plays of eight weeks would add chance, and nothing else.
    metrics = scored(joined, lessons, learned, weeks)
    challenger = bundled(lessons, learned, tuning_of(incumbent.meta), until, now, metrics)
    verdict = judgement(joined, lessons, challenger, incumbent, weeks, progress=part(progress, 0.4, 0.85))

    progress("logging to MLflow", 0.85)
    taught = log.settled_by(learnable_until(joined) if verdict.promoted and refit else until)
    late = int((labels(taught)["share"] < 1).sum())
    run = Training(
        name="retrain",
        bundle=challenger,
        parameters={
            **asdict(learned.value.recipe),
            "training_rows": learned.value.rows_,
            "horizon_h": challenger.meta.horizon_h,
            "judged_weeks": len(weeks),
            "logged_campaigns": len(taught.campaigns),
            "logged_late": late,
        },
        metrics=flat_metrics(metrics),
        tags={"challenged": f"version {incumbent.meta.version}"},
    )
    entry = registered(registry, joined, lessons, challenger, verdict, run, now, refit=refit)
    progress("done", 1.0)
    return RetrainResult(entry, verdict, len(taught.campaigns), late, incumbent.meta.label, weeks, metrics)


def weeks_to_judge_by(weeks: Sequence[int], champion: Bundle, log_until: datetime) -> list[int]:
    """Weeks that a challenger of the champion is kept from and judged on: those after the log, or else its last ones.

    Parameters
    ----------
    weeks : those there are, rising. The champion did not learn from the later ones.
    log_until : when the log ends. Where `LEAST_WEEKS` begin after it, all of it may teach; else half of the weeks that
        the champion has not seen are kept back, `MOST_KEPT` at most.

    Raises
    ------
    TooFewWeeks
        When there are fewer than `LEAST_WEEKS` that the champion has not seen.
    """
    unseen = withheld_from(weeks, champion)
    if len(unseen) < LEAST_WEEKS:
        meta = champion.meta
        raise TooFewWeeks(str(meta.version), meta.training_window[1], len(unseen), LEAST_WEEKS)
    after = [week for week in unseen if hours(week_start(week)) >= hours(log_until)]
    if len(after) >= LEAST_WEEKS:
        return after
    return unseen[-min(MOST_KEPT, max(LEAST_WEEKS, len(unseen) // 2)) :]
