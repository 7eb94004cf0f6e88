"""Incremental value as the label, end to end on most of the year: what is judged, what serves, and what says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from features.records import ValueLabel
from features.schema import campaigns_of
from serving.registry import champion
from serving.settings import Settings
from training.datasets.complete_journey import CompleteJourney, complete_journey, week_start
from training.incremental import LAST_WEEK, valued
from training.learning import held_out_weeks
from training.pipeline import TrainResult, train
from training.tracking import Registry

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def journey() -> CompleteJourney:
    return complete_journey(range(18, 54))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.read(home=tmp_path_factory.mktemp("home"), label="incremental")


@pytest.fixture(scope="module")
def gross(settings: Settings, journey: CompleteJourney) -> TrainResult:
    """The champion before: of gross value."""
    return train(settings.model_copy(update={"label": ValueLabel.GROSS}), NOW, journey=journey, refit=False)


@pytest.fixture(scope="module")
def trained(gross: TrainResult, settings: Settings, journey: CompleteJourney) -> TrainResult:
    assert gross.verdict.promoted
    return train(settings, NOW, journey=journey, refit=False)


def test_the_worth_of_the_last_weeks_is_not_known_as_too_few_readings_follow(journey: CompleteJourney):
    above = valued(journey, ValueLabel.INCREMENTAL)
    assert held_out_weeks(above) == list(range(44, LAST_WEEK + 1))
    assert held_out_weeks(journey) == list(range(44, 53))
    rows = above.truth.rows(above.campaign_ids([44]))
    gross, left = journey.truth.total[rows], above.truth.total[rows]
    assert 0.3 * gross.sum() < left.sum() < 0.9 * gross.sum()
    assert 0 < (left < 0).mean() < 0.3


def test_the_run_its_document_its_tags_and_its_card_name_the_label(trained: TrainResult, settings: Settings):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=settings.tracking_uri)
    run = client.get_run(trained.registered.run_id)
    assert run.data.params["label"] == "incremental"
    assert run.data.params["test_weeks"] == "44-49"
    assert trained.document()["label"] == "incremental"
    assert {result.label for result in trained.backtest.results} == {"incremental"}
    version = client.get_model_version("campaign-priority", trained.registered.version)
    assert version.tags["label"] == "incremental"
    assert "| value | incremental |" in version.description
    assert "What would have happened" in version.description


def test_the_bundle_answers_in_increments(trained: TrainResult, settings: Settings, journey: CompleteJourney):
    bundle, gross = (Registry.of(settings).bundle(version) for version in (trained.registered.version, "1"))
    assert (bundle.meta.label, gross.meta.label) == ("incremental", "gross")
    assert bundle.meta.intervals is None
    week = campaigns_of(journey.history, journey.campaign_ids([44]))
    of_it, of_all = (np.array([a.value for a in b.predict(week, week_start(44))]) for b in (bundle, gross))
    assert of_it.sum() < 0.9 * of_all.sum()
    truth = valued(journey, ValueLabel.INCREMENTAL).truth
    assert of_it.sum() == pytest.approx(truth.total[truth.rows(journey.campaign_ids([44]))].sum(), rel=0.25)
    assert bundle.meta.matrix_dollars.of(50) < gross.meta.matrix_dollars.of(50)


def test_a_champion_of_another_label_is_challenged_as_a_new_recipe_under_the_challenger_s_label(
    trained: TrainResult, settings: Settings, tmp_path: Path
):
    reason = trained.verdict.reason
    assert "the champion (version 1 of gross value; both judged by incremental value)" in reason
    assert "a new recipe must lead even at the lower end" in reason or "loses" in reason
    now = champion(settings.tracking_uri, cache_dir=tmp_path)
    assert now.identity.version == ("2" if trained.verdict.promoted else "1")


def test_who_learned_increments_values_them_better_than_rules(trained: TrainResult):
    metrics = trained.backtest.metrics
    rivals = [row["spearman"] for name, row in metrics.items() if name not in ("value", "ridge")]
    assert metrics["value"]["spearman"] > max(rivals)


def test_a_backtest_pays_out_increments_and_says_so(tmp_path: Path):
    command = [sys.executable, "-m", "training.cli", "backtest", "--quick", "--label", "incremental", "--json"]
    environment = {**os.environ, "PRECEDENCE_HOME": str(tmp_path)}
    root = Path(__file__).parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=170, check=True)
    said = json.loads(done.stdout)
    assert said["label"] == "incremental"
    assert {result["label"] for result in said["results"]} == {"incremental"}
    together = {r["policy"]: r for r in said["results"] if (r["release"], r["load"]) == ("together", 1.0)}
    assert together["index"]["minus_expert"] > 0
    assert together["clairvoyant"]["value_usd"] < 60_000, "gross, these weeks earn twice as much"
