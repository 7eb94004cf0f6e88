"""The search for a recipe: resumable, visible in MLflow, and usable by training; and how often the gate is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.settings import Settings
from training import recipes
from training.backtest import Setting
from training.datasets.complete_journey import CompleteJourney, complete_journey
from training.learning import Lessons
from training.power import Power, power
from training.tuning import TuneResult, tune

pytestmark = pytest.mark.integration

WEEKS = range(36, 44)


@pytest.fixture(scope="module")
def journey() -> CompleteJourney:
    return complete_journey()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.read(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def searches(settings: Settings, journey: CompleteJourney) -> tuple[TuneResult, TuneResult]:
    """A search, and the same gone on with."""
    return tune(settings, 4, journey=journey, weeks=WEEKS), tune(settings, 2, journey=journey, weeks=WEEKS)


def test_a_search_goes_on_where_it_was_left(searches: tuple[TuneResult, TuneResult]):
    first, again = searches
    assert (first.trials, again.trials) == (4, 6)
    assert again.study == first.study
    assert again.worth >= first.worth >= first.usual
    assert again.usual == first.usual


def test_the_best_recipe_is_kept_where_training_finds_it(searches: tuple[TuneResult, TuneResult], settings: Settings):
    assert recipes.read("best", settings.home) == searches[1].best


def test_trials_are_runs_inside_the_search_s_own(searches: tuple[TuneResult, TuneResult], settings: Settings):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=settings.tracking_uri)
    parent = client.get_run(searches[0].run_id)
    inside = client.search_runs(
        [parent.info.experiment_id], f"tags.mlflow.parentRunId = '{searches[0].run_id}'", max_results=10
    )
    assert len(inside) == 4
    assert all("leaves" in run.data.params for run in inside)
    assert {run.data.tags["state"] for run in inside} <= {"complete", "pruned"}
    assert parent.data.metrics["share_of_gap"] == pytest.approx(searches[0].worth)
    logged = {Path(found.path).name for found in client.list_artifacts(parent.info.run_id, "plots")}
    assert "tuning_history.png" in logged
    assert [found.path for found in client.list_artifacts(parent.info.run_id) if found.path.endswith(".json")] == [
        "best-recipe.json"
    ]


@pytest.fixture(scope="module")
def fared(journey: CompleteJourney) -> dict[str, Power]:
    found = power(journey, Lessons.of(journey.history), Setting(), years=100)
    return {each.newcomer: each for each in found}


def test_a_refresh_by_one_week_is_promoted_four_times_in_five(fared: dict[str, Power]):
    assert fared["fresh"].promoted >= 0.8


def test_a_newcomer_that_is_worse_by_three_hundredths_is_refused_nine_times_in_ten(fared: dict[str, Power]):
    assert fared["spoilt"].lead == pytest.approx(-0.03, abs=0.012)
    assert fared["spoilt"].promoted <= 0.1


def test_a_model_of_shuffled_labels_is_always_refused(fared: dict[str, Power]):
    assert fared["shuffled"].promoted == 0
