"""A candidate's way to the crown: judged on what it has not seen, fitted again to all there is, registered, named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from features.schema import campaigns_of
from serving.errors import ContractMismatch, NoChampion
from serving.model import Bundle, Meta
from serving.registry import champion
from serving.settings import Settings
from training.backtest import Setting
from training.budgets import ASKED, findings
from training.card import by_week, model_card
from training.datasets.complete_journey import CompleteJourney, complete_journey
from training.datasets.continued import continued_by_service
from training.incremental import valued
from training.learning import Learned, Lessons, Tuning, bundled, held_out_weeks, learnable_until
from training.progress import Progress, part, silent
from training.promotion import Verdict
from training.recipes import fingerprint_of, recipe_of
from training.tracking import Registered, Registry, Training
from training.trial import on_trial, withheld_from

EXAMPLE_ROWS = 5


@dataclass(frozen=True)
class Promotion:
    """What came of asking for a version's promotion; `served` is the version that took over, if one did."""

    verdict: Verdict
    served: str | None

    def document(self) -> dict[str, Any]:
        """The machine-readable result."""
        verdict = self.verdict
        return {
            "promoted": verdict.promoted,
            "served_version": self.served,
            "reason": verdict.reason,
            "figures": verdict.figures,
        }


def champion_before(settings: Settings, registry: Registry) -> Bundle | None:
    """The champion as it was judged; None when there is none that this build could serve.

    A champion of other feature definitions has lost its crown already: the hand matrix serves in its place.

    Raises
    ------
    RegistryUnreachable, BundleCorrupt
        When there is one that cannot be fetched.
    """
    try:
        serving = champion(settings.tracking_uri, cache_dir=settings.home / "models")
    except (NoChampion, ContractMismatch):
        return None
    return registry.proof(str(serving.meta.version))


def judgement(
    journey: CompleteJourney,
    lessons: Lessons,
    candidate: Bundle,
    incumbent: Bundle | None,
    weeks: Iterable[int] | None = None,
    setting: Setting | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Whether a candidate earns enough and keeps its budgets; see `on_trial` and `findings`."""
    among = held_out_weeks(journey) if weeks is None else list(weeks)
    verdict = on_trial(journey, lessons, candidate, incumbent, among, setting, part(progress, 0.0, 0.9))
    unseen = unseen_campaigns(journey, lessons, candidate, among)
    if unseen.empty:
        return verdict
    progress("holding it to its budgets", 0.9)
    asked = campaigns_of(journey.history, unseen.index[:ASKED])
    actual, predicted = unseen.actual.to_numpy(), unseen.predicted.to_numpy()
    promised = candidate.meta.intervals
    covered = promised.covered(predicted, actual) if promised else None
    measured = findings(candidate, actual, predicted, asked, covered)
    return verdict.within(measured)


def unseen_campaigns(
    journey: CompleteJourney, lessons: Lessons, candidate: Bundle, weeks: Iterable[int]
) -> pd.DataFrame:
    """Campaigns of the weeks withheld from a candidate: `week`, `predicted` and `actual` dollars, by campaign id."""
    test = lessons.of_campaigns(journey.campaign_ids(withheld_from(weeks, candidate)))
    if not len(test):
        return pd.DataFrame(columns=["week", "predicted", "actual"])
    rows = test.features[list(candidate.meta.features)].to_numpy(dtype=float)
    predicted = candidate.values_of(rows)
    ids = test.features.index
    actual = journey.truth.total[journey.truth.rows(list(ids))]
    return pd.DataFrame(
        {"week": journey.week_of.loc[ids].to_numpy(), "predicted": predicted, "actual": actual}, index=ids
    )


def fitted_again(lessons: Lessons, judged: Bundle, now: datetime, until: datetime) -> Bundle | None:
    """The judged bundle's recipe fitted to all that is known by `until`; None where it is not known how to."""
    recipe = recipe_of(judged.meta)
    if recipe is None:
        return None
    metrics: dict[str, Any] = dict(judged.meta.metrics)
    return bundled(lessons, Learned.of(lessons.until(until), recipe), tuning_of(judged.meta), until, now, metrics)


def tuning_of(meta: Meta) -> Tuning:
    """What was chosen for a bundle, from what it says."""
    return Tuning(
        weeks=(),
        learned_h=meta.horizon_h,
        expert_h=meta.horizon_h,
        index_quantiles=np.array(meta.index_quantiles),
        prior=meta.seconds_per_unit_prior,
    )


def registered(
    registry: Registry,
    journey: CompleteJourney,
    lessons: Lessons,
    judged: Bundle,
    verdict: Verdict,
    training: Training,
    now: datetime,
    *,
    refit: bool,
) -> Registered:
    """Register a judged candidate, with its card and tags, and crown it if it may be.

    Parameters
    ----------
    training : all of the run but for its bundle, data, example and card; its `bundle` is the one judged.
    refit : whether a promoted candidate learns from everything before it serves.
    """
    again = fitted_again(lessons, judged, now, learnable_until(journey)) if verdict.promoted and refit else None
    bundle = again or judged
    until = bundle.meta.training_window[1]
    taught = lessons.table(until)
    held_out = held_out_weeks(journey)
    unseen = unseen_campaigns(journey, lessons, judged, held_out)
    weeks = by_week(unseen.week.tolist(), unseen.predicted.to_numpy(), unseen.actual.to_numpy())
    by_model = {name: row for name, row in judged.meta.metrics.items() if isinstance(row, Mapping)}
    filed = Training(
        name=training.name,
        bundle=bundle,
        parameters=training.parameters,
        metrics={**training.metrics, **{f"verdict.{name}": value for name, value in verdict.figures.items()}},
        dataset=taught,
        example=campaigns_of(journey.history, journey.campaign_ids(held_out[:1])[:EXAMPLE_ROWS]),
        plots=training.plots,
        proof=judged if again else None,
        card=model_card(bundle, judged, verdict, len(taught), by_model, weeks, training.results),
        tags={
            **training.tags,
            "recipe": fingerprint_of(judged.meta.recipe, judged.meta.contract),
            "label": judged.meta.label.value,
            "contract": judged.meta.contract,
            "judged_until": f"{judged.meta.training_window[1]:%Y-%m-%d}",
            "learned_until": f"{until:%Y-%m-%d}",
        },
    )
    entry = registry.register(filed)
    registry.note(entry.version, verdict, now)
    return entry


def promote(
    settings: Settings, version: str, now: datetime, progress: Progress = silent, *, refit: bool = True
) -> Promotion:
    """Judge a registered version by its own label, and make it champion if it may be.

    With `refit` it is fitted to everything first, and that registered as a version of its own.

    Raises
    ------
    BadInput
        When the registry has no such version.
    """
    registry = Registry.of(settings)
    served, judged = registry.bundle(version), registry.proof(version)
    incumbent = champion_before(settings, registry)
    year = complete_journey(progress=part(progress, 0.0, 0.4))
    journey = valued(continued_by_service(year, settings), judged.meta.label)
    progress("computing features", 0.4)
    lessons = Lessons.of(journey.history)
    verdict = judgement(journey, lessons, judged, incumbent, progress=part(progress, 0.5, 0.9))
    progress("noting it", 0.9)
    if (
        verdict.promoted
        and refit
        and served.meta.training_window[1] < learnable_until(journey)
        and recipe_of(judged.meta)
    ):
        filed = Training(name="promote", bundle=judged, parameters=judged.meta.recipe, tags={"refit_of": version})
        entry = registered(registry, journey, lessons, judged, verdict, filed, now, refit=True)
        return Promotion(verdict, entry.version)
    registry.note(version, verdict, now)
    return Promotion(verdict, version if verdict.promoted else None)
