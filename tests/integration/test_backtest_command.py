"""`precedence backtest` on the real year: its document, its pictures, and what MLflow keeps of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serving.settings import Settings

pytestmark = pytest.mark.integration

KEYS = (
    "policy load release label preemptive share_of_gap ci95 value_usd minus_expert minus_expert_ci95 "
    "top_tenth_latency_h on_time"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def said(home: Path) -> dict[str, Any]:
    """What `precedence backtest --quick --json` prints."""
    command = [sys.executable, "-m", "training.cli", "backtest", "--quick", "--json"]
    environment = {**os.environ, "PRECEDENCE_HOME": str(home)}
    root = Path(__file__).parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=170, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_every_result_has_the_documented_keys(said: dict[str, Any]):
    for result in said["results"]:
        assert set(KEYS.split()) <= set(result)
        assert (result["label"], result["preemptive"]) == ("gross", False)


def test_learned_values_capture_most_of_the_gap_and_more_than_rules(said: dict[str, Any]):
    for release, load in (("together", 1.0), ("together", 1.5), ("mixed_windows", 1.5)):
        share = {
            r["policy"]: r["share_of_gap"] for r in said["results"] if (r["release"], r["load"]) == (release, load)
        }
        assert share["fifo"] == 0
        assert share["clairvoyant"] == 1
        assert share["index"] > 0.85
        assert share["index"] > share["matrix"] > share["fifo"]


def test_nothing_of_the_weeks_held_out_from_all_choices_is_played(said: dict[str, Any]):
    assert max(said["weeks"]) < 44


def test_the_run_holds_a_child_for_each_setting_and_the_pictures(said: dict[str, Any], home: Path):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=Settings.read(home=home).tracking_uri)
    run = client.get_run(said["run_id"])
    children = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{said['run_id']}'")
    assert {child.info.run_name for child in children} == {"together 1", "together 1.5", "mixed_windows 1.5"}
    assert all("index.share_of_gap" in child.data.metrics for child in children)
    assert "together.1.index.share_of_gap" in run.data.metrics
    kept = {file.path for file in client.list_artifacts(said["run_id"], "plots")}
    assert kept == {f"plots/{name}.png" for name in ("policies", "noise", "trade_off")}
