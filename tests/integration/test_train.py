"""Training end to end on the real year: the champion, what MLflow keeps of it, and learning again from a log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.schema import History, campaigns_of
from serving.errors import HistoryEmpty, NoChampion, RegistryUnreachable
from serving.model import Bundle
from serving.registry import champion, frame_of
from serving.settings import Settings
from serving.stores.sql import SqlStore
from tests.lived import live_through
from training.datasets.complete_journey import CompleteJourney, complete_journey, week_start
from training.demo.week import results_after
from training.learning import Learned, Lessons
from training.pipeline import train
from training.retrain import RetrainResult, retrain
from training.tracking import Registry

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BASELINES = ("kind_mean", "planned_response", "target_baseline", "expert", "shrunk_response", "ridge")


@dataclass(frozen=True)
class Trained:
    settings: Settings
    said: dict[str, Any]
    stderr: str


def _command(home: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PRECEDENCE_HOME": str(home)}
    command = [sys.executable, "-m", "training.cli", *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=500, check=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    home = tmp_path_factory.mktemp("trained") / "home"
    finished = _command(home, "train", "--json", cwd=elsewhere)
    assert finished.returncode == 0, finished.stderr
    assert not list(elsewhere.iterdir()), "training leaves nothing where it was started"
    return Trained(Settings.read(home=home), json.loads(finished.stdout), finished.stderr)


@pytest.fixture(scope="module")
def bundle(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return champion(trained.settings.tracking_uri, cache_dir=tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def journey() -> CompleteJourney:
    return complete_journey()


@pytest.fixture(scope="module")
def half_late(journey: CompleteJourney) -> dict[str, datetime]:
    """Moments at which the campaigns of week 44 went live: every other one three days late."""
    start = week_start(44)
    ids = journey.campaign_ids([44])
    return {own: start + timedelta(hours=72 if n % 2 else 0) for n, own in enumerate(ids)}


@pytest.fixture(scope="module")
def retrained(trained: Trained, journey: CompleteJourney, half_late: dict[str, datetime]) -> RetrainResult:
    store = SqlStore(trained.settings.store_url)
    live_through(store, journey.history, half_late)
    store.close()
    return retrain(trained.settings, NOW, journey=journey)


def test_the_value_model_predicts_held_out_weeks_as_well_as_promised(trained: Trained):
    value = trained.said["metrics"]["value"]
    assert value["spearman"] >= 0.92
    assert value["ndcg_at_10"] >= 0.95
    assert value["r2"] >= 0.87


def test_every_baseline_stands_beside_it(trained: Trained):
    metrics = trained.said["metrics"]
    assert set(metrics) == {"value", *BASELINES}
    for baseline in BASELINES:
        assert metrics[baseline]["spearman"] < metrics["value"]["spearman"]
        assert metrics[baseline]["mae"] > metrics["value"]["mae"]


def test_the_first_champion_is_promoted_with_a_reason(trained: Trained):
    assert trained.said["promoted"] is True
    assert trained.said["reason"].startswith("promoted: ")
    assert "than the expert rule" in trained.said["reason"]


def test_training_prints_one_document_and_nothing_else(trained: Trained):
    assert {"run_id", "model_version", "promoted", "metrics"} <= set(trained.said)
    assert trained.stderr == ""


def test_the_champion_knows_where_its_training_ended(bundle: Bundle):
    assert bundle.snapshot.moment == week_start(53)
    assert bundle.meta.training_window == (week_start(6), week_start(53))
    assert bundle.meta.horizon_h in (3, 6, 12, 24, 48)
    assert bundle.identity.version == "1"


def test_the_champion_was_judged_before_it_learned_from_the_weeks_it_was_judged_on(trained: Trained):
    registry = Registry.of(trained.settings)
    judged = registry.proof("1")
    assert judged.meta.training_window == (week_start(6), week_start(44))
    assert judged.meta.recipe == registry.bundle("1").meta.recipe
    assert trained.said["figures"]["weeks"] == 25
    assert {"budget.predicted_over_actual", "budget.latency", "budget.size"} <= set(trained.said["figures"])


def test_the_model_card_tells_window_figures_failures_and_what_is_simulated(trained: Trained):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=trained.settings.tracking_uri)
    mlflow.set_tracking_uri(trained.settings.tracking_uri)
    card = mlflow.artifacts.load_text(f"runs:/{trained.said['run_id']}/model_card.md")
    for told in ("2017-01-30", "2017-12-25", "Thanksgiving", "simulated", "Weeks it got wrong", "expert rule"):
        assert told in card
    version = client.get_model_version_by_alias("campaign-priority", "champion")
    assert version.description == card
    assert version.tags["status"] == "champion"
    assert len(version.tags["recipe"]) == 10


def test_scores_of_a_real_week_spread_over_the_scale(bundle: Bundle, journey: CompleteJourney):
    week = campaigns_of(journey.history, journey.campaign_ids([44]))
    scores = np.array([answer.score for answer in bundle.predict(week, week_start(44))])
    assert np.quantile(scores, 0.1) < 40
    assert np.quantile(scores, 0.9) > 80


def test_the_matrix_map_gives_dollars_of_the_right_size(bundle: Bundle, journey: CompleteJourney):
    dollars = bundle.meta.matrix_dollars
    assert min(dollars.dollars) >= 0
    assert dollars.of(20) < dollars.of(60) < 2 * journey.truth.total.max()


def test_a_plain_session_told_only_the_tracking_uri_gets_the_answers_of_the_bundle(
    trained: Trained, bundle: Bundle, journey: CompleteJourney, tmp_path: Path
):
    week = campaigns_of(journey.history, journey.campaign_ids([44]))
    at = week_start(44) + timedelta(hours=7)
    frame_of(week).to_parquet(tmp_path / "asked.parquet")
    session = (
        "import sys, mlflow, pandas\n"
        "mlflow.set_tracking_uri(sys.argv[1])\n"
        "model = mlflow.pyfunc.load_model('models:/campaign-priority@champion')\n"
        "asked = pandas.read_parquet('asked.parquet')\n"
        "model.predict(asked, params={'at': sys.argv[2]}).to_json('answered.json', double_precision=15)\n"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PRECEDENCE_", "PYTHONPATH"))}
    command = [sys.executable, "-c", session, trained.settings.tracking_uri, at.isoformat()]
    subprocess.run(command, cwd=tmp_path, env=plain, check=True, capture_output=True, timeout=300)
    answered = json.loads((tmp_path / "answered.json").read_text())
    for row, expected in enumerate(bundle.predict(week, at)):
        for name in ("score", "index", "value", "loss_per_hour"):
            assert answered[name][str(row)] == pytest.approx(getattr(expected, name), rel=1e-9, abs=1e-9)
        assert answered["processing_p50_s"][str(row)] == pytest.approx(expected.processing_s.p50, rel=1e-9)


def test_mlflow_keeps_parameters_metrics_data_pictures_and_signature(trained: Trained):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=trained.settings.tracking_uri)
    run = client.get_run(trained.said["run_id"])
    assert run.data.params["test_weeks"] == "44-52"
    assert run.data.metrics["value.spearman"] == pytest.approx(trained.said["metrics"]["value"]["spearman"])
    assert run.data.metrics["backtest.index.share_of_gap"] > run.data.metrics["backtest.matrix.share_of_gap"]
    assert [given.dataset.name for given in run.inputs.dataset_inputs] == ["train"]
    pictures = {Path(found.path).name for found in client.list_artifacts(run.info.run_id, "plots")}
    learned = {"predicted_and_actual.png", "calibration.png", "importance.png", "contributions.png", "dependence.png"}
    assert pictures == {"backtest.png", *learned}
    version = client.get_model_version_by_alias("campaign-priority", "champion")
    assert str(version.version) == trained.said["model_version"]
    assert version.tags["verdict"] == trained.said["reason"]
    mlflow.set_tracking_uri(trained.settings.tracking_uri)
    kept = mlflow.models.get_model_info("models:/campaign-priority@champion")
    assert kept.signature.inputs.input_names()[0] == "campaign_id"
    assert kept.saved_input_example_info is not None


def test_the_pictures_are_drawn(trained: Trained):
    for picture in (trained.settings.home / "pictures").glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(list((trained.settings.home / "pictures").glob("*.png"))) == 6


def test_promoting_a_version_that_is_not_there_names_those_that_are(trained: Trained, tmp_path: Path):
    finished = _command(trained.settings.home, "promote", "99", cwd=tmp_path)
    assert finished.returncode == 3
    assert finished.stderr.startswith("precedence: version is '99': one of 1")
    assert len(finished.stderr.splitlines()) == 1


def test_training_asks_for_its_registry_before_it_learns_anything(tmp_path: Path):
    (tmp_path / "no.db").write_text("this is no database")
    settings = Settings.read(home=tmp_path, tracking_uri=f"sqlite:///{tmp_path / 'no.db'}")
    told: list[str] = []
    with pytest.raises(RegistryUnreachable, match="file is not a database"):
        train(settings, NOW, lambda stage, _: told.append(stage))
    assert not told


def test_retraining_judges_on_the_weeks_that_neither_has_seen(retrained: RetrainResult):
    assert retrained.weeks == list(range(45, 53))
    assert retrained.verdict.figures["own_weeks"] == 8
    assert retrained.verdict.figures["weeks"] == 24
    assert (retrained.logged, retrained.late) == (112, 56)
    assert retrained.registered.version == "2"
    assert "the champion (version 1)" in retrained.verdict.reason
    assert retrained.metrics["value"]["spearman"] > 0.9


def test_retraining_names_a_champion_only_if_it_says_so(retrained: RetrainResult, trained: Trained, tmp_path: Path):
    now = champion(trained.settings.tracking_uri, cache_dir=tmp_path)
    assert now.identity.version == ("2" if retrained.verdict.promoted else "1")


def test_retraining_without_a_log_says_so(trained: Trained, tmp_path: Path):
    settings = trained.settings.model_copy(update={"store_url": f"sqlite:///{tmp_path / 'none.db'}"})
    with pytest.raises(HistoryEmpty, match="holds no outcome log"):
        retrain(settings, NOW)
    assert not (tmp_path / "none.db").exists()


def test_retraining_on_a_log_without_results_says_what_is_lacking(
    trained: Trained, journey: CompleteJourney, tmp_path: Path
):
    settings = trained.settings.model_copy(update={"store_url": f"sqlite:///{tmp_path / 'queue.db'}"})
    store = SqlStore(settings.store_url)
    with pytest.raises(HistoryEmpty, match="holds no finished campaign"):
        retrain(settings, NOW)
    silent = replace(journey.history, kpis=journey.history.kpis.iloc[:0])
    live_through(store, silent, {journey.campaign_ids([44])[0]: week_start(44)})
    store.close()
    with pytest.raises(HistoryEmpty, match="holds no revenue of a finished campaign"):
        retrain(settings, NOW)


def test_retraining_needs_a_champion_to_challenge(trained: Trained, retrained: RetrainResult, tmp_path: Path):
    settings = Settings.read(home=tmp_path, store_url=trained.settings.store_url)
    with pytest.raises(NoChampion, match="precedence train"):
        retrain(settings, NOW)
    assert retrained.logged


@pytest.fixture(scope="module")
def logs(journey: CompleteJourney) -> dict[str, History]:
    """Weeks 30 to 43 as a service logged them: all in time, and every other campaign three days late."""
    ids = journey.campaign_ids(range(30, 44))
    released = journey.history.campaigns.set_index("campaign_id").released_at
    logged = {}
    for name, hours_late in (("in time", 0), ("half late", 72)):
        launched = {
            own: released[own].to_pydatetime() + timedelta(hours=hours_late * (n % 2)) for n, own in enumerate(ids)
        }
        chosen = journey.history.campaigns.set_index("campaign_id", drop=False).loc[ids]
        targets = journey.history.targets
        logged[name] = History.of_tables(
            {
                "campaigns": chosen.assign(launched_at=[launched[own] for own in ids]),
                "targets": targets[targets.campaign_id.isin(ids)],
                "kpis": results_after(journey.history, launched),
            }
        )
    return logged


def test_a_log_in_which_half_the_campaigns_ran_late_does_not_teach_that_they_are_worthless(
    journey: CompleteJourney, logs: dict[str, History]
):
    predicted = {}
    for name, log in logs.items():
        lessons = Lessons.of(journey.history.joined(log))
        test = lessons.of_campaigns(journey.campaign_ids(range(44, 53)))
        predicted[name] = Learned.of(lessons.until(week_start(44))).value.predict(test.features)
    assert predicted["half late"].sum() == pytest.approx(predicted["in time"].sum(), rel=0.03)
    assert np.median(predicted["half late"] / predicted["in time"]) == pytest.approx(1, abs=0.05)
