"""A service that runs on after the year learns again from its own log, and judges by weeks of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.records import Signal
from features.schema import History
from serving.errors import TooFewWeeks
from serving.registry import champion
from serving.settings import Settings
from serving.stores.sql import SqlStore
from tests.lived import live_through
from training.candidates import champion_before, registered
from training.datasets.complete_journey import CompleteJourney, complete_journey, week_start
from training.datasets.continued import continued
from training.datasets.outcome_log import outcome_log
from training.learning import Lessons
from training.pipeline import train
from training.promotion import Verdict
from training.retrain import RetrainResult, retrain
from training.tracking import Registry, Training

pytestmark = pytest.mark.integration

PROMOTED = Verdict(True, "promoted: for the test", {})
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIVED = range(38, 44)
LATER = timedelta(weeks=16, hours=1)
"""What those weeks lived again are put off by: from week 54 on, after the data's end and that of summer time."""


@pytest.fixture(scope="module")
def journey() -> CompleteJourney:
    return complete_journey(range(18, 54))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, journey: CompleteJourney) -> Settings:
    """A home with a champion, and a log of six weeks after the year, baselines among it; every tenth ran late."""
    settings = Settings.read(home=tmp_path_factory.mktemp("home"))
    assert train(settings, NOW, journey=journey).verdict.promoted
    ids = [own for week in LIVED for own in journey.campaign_ids([week])[::3]]
    store = SqlStore(settings.store_url)
    after = next_year(journey.history, ids)
    released = dict(zip(after.campaigns.campaign_id, after.campaigns.released_at, strict=True))
    late = {own: timedelta(hours=0 if n % 10 else 60) for n, own in enumerate(released)}
    live_through(store, after, {own: at.to_pydatetime() + late[own] for own, at in released.items()})
    store.observed(signals=[Signal(**reading) for reading in after.signals.to_dict("records")])
    store.close()
    return settings


def next_year(history: History, ids: list[str]) -> History:
    """Some campaigns with their results, under other names and later; and what their targets earn without one."""
    targets = "target:" + history.targets[history.targets.campaign_id.isin(ids)].target_id
    read = history.signals[history.signals.entity.isin(targets) & (history.signals["at"] > week_start(LIVED[0]))]

    def renamed(rows, *times: str):
        chosen = rows[rows.campaign_id.isin(ids)]
        moved = {name: chosen[name] + LATER for name in times}
        return chosen.assign(campaign_id="again-" + chosen.campaign_id, **moved)

    return replace(
        history,
        campaigns=renamed(history.campaigns, "released_at", "starts_at", "ends_at"),
        targets=renamed(history.targets),
        kpis=renamed(history.kpis, "at", "known_at"),
        signals=read.assign(**{name: read[name] + LATER for name in ("at", "known_at")}),
    )


@pytest.fixture(scope="module")
def retrained(settings: Settings, journey: CompleteJourney) -> RetrainResult:
    return retrain(settings, NOW, journey=journey)


def test_the_last_weeks_of_the_log_are_kept_back_and_judged_on(retrained: RetrainResult):
    assert retrained.weeks == [52, *range(54, 60)]
    assert retrained.verdict.figures["own_weeks"] == 7
    assert "the champion (version 1)" in retrained.verdict.reason
    assert "no weeks were left" not in retrained.verdict.reason
    assert retrained.metrics["value"]["spearman"] > 0.85


def test_who_is_promoted_learns_from_all_of_the_log_before_it_serves(
    retrained: RetrainResult, settings: Settings, journey: CompleteJourney, tmp_path: Path
):
    log, registry = outcome_log(settings), Registry.of(settings)
    judged = registry.proof(retrained.registered.version)
    assert judged.meta.training_window[1] == week_start(52)
    joined = continued(journey, log)
    run = Training(name="test", bundle=judged, parameters={})
    entry = registered(registry, joined, Lessons.of(joined.history), judged, PROMOTED, run, NOW, refit=True)
    now = champion(settings.tracking_uri, cache_dir=tmp_path)
    assert now.identity.version == entry.version
    assert now.meta.training_window[1] == log.until == week_start(60)
    assert registry.proof(entry.version).meta.training_window == judged.meta.training_window


def test_a_champion_that_has_seen_all_weeks_is_not_challenged_and_the_refusal_counts_what_is_needed(
    retrained: RetrainResult, settings: Settings, journey: CompleteJourney
):
    registry = Registry.of(settings)
    before = champion_before(settings, registry)
    assert before is not None
    knowing = replace(before, meta=replace(before.meta, training_window=(week_start(6), week_start(58))))
    version = registry.register(Training(name="test", bundle=knowing, parameters={})).version
    registry.note(version, PROMOTED, NOW)
    with pytest.raises(TooFewWeeks, match=r"learned until 2018-01-29, and 2 weeks .* so 2 more are needed"):
        retrain(settings, NOW, journey=journey)
    assert retrained.weeks
