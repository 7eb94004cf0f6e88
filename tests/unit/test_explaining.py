"""What a model goes by is found where it was planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training import plots
from training.estimators import Recipe, ValueModel
from training.explaining import contributions, partial_dependence


@pytest.fixture(scope="module")
def told() -> tuple[ValueModel, pd.DataFrame]:
    """A model of values that rise with one feature and have nothing to do with the others."""
    chance = np.random.default_rng(0)
    features = pd.DataFrame({"response": chance.uniform(1, 10, 600), "noise": chance.random(600), "unknown": np.nan})
    return ValueModel(Recipe(rounds=300)).fit(features, 10 * features.response), features


def test_the_feature_that_carries_the_value_contributes_most(told: tuple[ValueModel, pd.DataFrame]):
    model, features = told
    found = contributions(model.booster_, features)
    assert found.index[0] == "response"
    assert found["response"] > 10 * found["noise"]
    assert found["unknown"] == 0


def test_the_value_rises_along_what_carries_it_and_stays_level_along_what_does_not(
    told: tuple[ValueModel, pd.DataFrame],
):
    model, features = told
    curves = partial_dependence(model.booster_, features, ["response", "noise", "unknown"])
    assert set(curves) == {"response", "noise"}
    at, dollars = curves["response"]
    assert (np.diff(at) > 0).all()
    assert dollars[-1] > 4 * dollars[0]
    assert np.ptp(curves["noise"][1]) < 0.1 * np.ptp(dollars)


def test_both_are_drawn(told: tuple[ValueModel, pd.DataFrame], tmp_path: Path):
    model, features = told
    curves = partial_dependence(model.booster_, features, ["response", "noise"])
    drawn = [
        plots.dependence_picture(curves, tmp_path / "dependence.png"),
        plots.history_picture({0: 0.88, 1: 0.9, 3: 0.89}, tmp_path / "history.png"),
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
