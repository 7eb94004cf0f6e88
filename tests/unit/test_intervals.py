"""Intervals of value hold what they promise, on campaigns that nothing was learned from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from serving.model import Bundle, ValueIntervals
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.planted import planted
from tests.worlds import MONDAY, campaign, small_world
from training.estimators import Recipe, ValueModel
from training.intervals import foreseen, value_intervals
from training.labels import labels
from training.split import Examples

QUICK = Recipe(rounds=60)


def noisy(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions, and what came true: small campaigns scatter more, and often earn nothing."""
    chance = np.random.default_rng(seed)
    predicted = chance.lognormal(3, 1.2, rows)
    scatter = 1.2 / (1 + predicted / 30)
    actual = predicted * np.exp(scatter * chance.standard_normal(rows) - scatter**2 / 2)
    return predicted, actual * (chance.random(rows) > 0.3 * np.exp(-predicted / 10))


@pytest.mark.parametrize("seed", range(3))
def test_new_campaigns_fall_within_as_often_as_promised_large_ones_and_small_ones(seed: int) -> None:
    intervals = ValueIntervals.of(*noisy(4000, seed))
    predicted, actual = noisy(50_000, 100 + seed)
    for rows in (predicted > 0, predicted < 10, predicted > 60):
        for level, covered in intervals.covered(predicted[rows], actual[rows]).items():
            assert covered == pytest.approx(level, abs=0.03)


def test_a_wider_promise_has_wider_bounds() -> None:
    intervals = ValueIntervals.of(*noisy(4000, 0))
    values = np.array([0.0, 1.0, 50.0, 1e5])
    (low80, high80), (low90, high90) = (intervals.between(values, level) for level in (0.8, 0.9))
    assert (low90 <= low80).all()
    assert (high80 <= high90).all()
    assert (low80[1:] < high80[1:]).all()
    assert low80[0] == high80[0] == 0


def test_a_level_that_was_not_learned_is_refused() -> None:
    with pytest.raises(ValueError, match=r"level 0\.5 is not one of 0\.8, 0\.9"):
        ValueIntervals.of(*noisy(100, 0)).between([1.0], 0.5)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"above": (0.0, 0.0)}, "rising dollars"),
        ({"above": (1.0, 2.0)}, "begin with 0"),
        ({"above": (0.0,)}, "for each of 1 parts"),
    ],
)
def test_intervals_that_make_no_sense_are_refused(wrong: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(ValueIntervals.of(*noisy(100, 0), parts=2), **wrong)


def test_few_and_equal_predictions_still_have_intervals() -> None:
    intervals = ValueIntervals.of(np.full(40, 5.0), np.arange(40.0))
    assert intervals.above == (0.0,)
    assert intervals.covered(np.full(40, 5.0), np.arange(40.0))[0.8] >= 0.8


def test_intervals_learned_from_a_log_hold_for_the_weeks_after_it() -> None:
    world = planted(weeks=40, per_week=30, seed=1)
    examples = Examples.of(world.history, labels(world.history))
    early, late = examples.matured_by(MONDAY + timedelta(weeks=30)), examples.moments >= MONDAY + timedelta(weeks=30)
    intervals = value_intervals(early, QUICK)
    assert intervals is not None
    model = ValueModel(QUICK).fit(early.features, early.value, early.share)
    after = examples.where(np.asarray(late))
    covered = intervals.covered(model.predict(after.features), after.value)
    assert covered == pytest.approx({0.8: 0.8, 0.9: 0.9}, abs=0.06)  # of 300 campaigns: twice their chance


def test_what_intervals_are_learned_from_was_not_known_to_the_model() -> None:
    world = planted(weeks=20, per_week=15)
    examples = Examples.of(world.history, labels(world.history))
    last = examples.moments == examples.moments.max()
    predicted, _ = foreseen(examples, QUICK)
    wild = replace(examples, value=np.where(last, 1e6, examples.value))
    again, actual = foreseen(wild, QUICK)
    np.testing.assert_array_equal(again, predicted)
    assert actual.max() == 1e6


def test_a_short_past_has_no_intervals() -> None:
    world = planted(weeks=8, per_week=15)
    assert value_intervals(Examples.of(world.history, labels(world.history)), QUICK) is None


def test_a_bundle_tells_its_intervals_and_none_where_the_matrix_answers(tmp_path: Path) -> None:
    bundle, asked = tiny_bundle(small_world()), [campaign("a", kind="kind1", targets={"p3": 4.0}), campaign(kind="?")]
    assert np.isnan(bundle.intervals(asked, TRAINED_AT)).all()
    learned = replace(bundle, meta=replace(bundle.meta, intervals=ValueIntervals.of(*noisy(100, 0))))
    learned.save(tmp_path)
    loaded = Bundle.load(tmp_path)
    (low, high), unknown = loaded.intervals(asked, TRAINED_AT, level=0.9)
    assert low < loaded.predict(asked, TRAINED_AT)[0].value < high
    assert np.isnan(unknown).all()
    assert len(TypeAdapter(ValueIntervals).dump_json(loaded.meta.intervals)) < 2000
