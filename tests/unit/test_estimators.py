"""The value model and its rivals: what lateness hid is not taken for worthlessness."""

from __future__ import annotations

from datetime import timedelta

import lightgbm
import numpy as np
import pandas as pd
import pytest

from features.builder import build_features
from features.contract import FEATURE_NAMES
from features.curves import Floats
from features.schema import campaigns_of
from serving.errors import HistoryEmpty
from tests.planted import Planted, planted
from tests.worlds import MONDAY
from training.baselines import BASELINES, ExpertRule, ShrunkResponse, TargetBaseline
from training.estimators import Recipe, ValueModel
from training.labels import labels
from training.split import Examples

QUICK = Recipe(rounds=120, learning_rate=0.1, least_in_leaf=15)


@pytest.fixture(scope="module")
def punctual() -> Planted:
    return planted(seed=4)


@pytest.fixture(scope="module")
def half_late() -> Planted:
    return planted(late=0.5, seed=4)


def learned_from(log: Planted) -> Examples:
    return Examples.of(log.history, labels(log.history)).matured_by(MONDAY + timedelta(weeks=29))


def asked_of(log: Planted) -> pd.DataFrame:
    moment = MONDAY + timedelta(weeks=29)
    newest = [c for c in campaigns_of(log.history) if c.released_at == moment]
    return build_features(log.history, newest, moment)


def noise(rows: int = 300, seed: int = 0) -> tuple[pd.DataFrame, Floats, Floats]:
    chance = np.random.default_rng(seed)
    features = pd.DataFrame(chance.exponential(10, (rows, len(FEATURE_NAMES))), columns=list(FEATURE_NAMES))
    value = features.planned_response * chance.gamma(2, 0.5, rows)
    return features, value.to_numpy(), chance.uniform(0.2, 1.0, rows)


def test_a_log_in_which_half_the_campaigns_ran_late_does_not_lower_their_predicted_value(
    punctual: Planted, half_late: Planted
) -> None:
    truth = punctual.worth[asked_of(punctual).index]
    taught = learned_from(half_late)
    assert (taught.share < 1).mean() == pytest.approx(0.5, abs=0.1)
    asked = asked_of(half_late)
    predicted = ValueModel(QUICK).fit(taught.features, taught.value, taught.share).predict(asked)
    blind = ValueModel(QUICK).fit(taught.features, taught.value).predict(asked)
    assert predicted.sum() == pytest.approx(truth.sum(), rel=0.1)
    assert np.corrcoef(predicted, truth)[0, 1] > 0.9
    # The same log read without the share teaches that late campaigns are worth less: the test can fail.
    assert blind.sum() < 0.9 * predicted.sum()


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_takes_late_for_worthless_either(name: str, punctual: Planted, half_late: Planted) -> None:
    sums = []
    for log in (punctual, half_late):
        taught = learned_from(log)
        model = BASELINES[name]().fit(taught.features, taught.value, taught.share)
        sums.append(model.predict(asked_of(log)).sum())
    assert sums[1] == pytest.approx(sums[0], rel=0.1)


@pytest.mark.parametrize("objective", ["tweedie", "poisson"])
def test_the_fit_is_that_of_an_offset_of_the_log_of_the_share(objective: str) -> None:
    features, value, share = noise()
    recipe = Recipe(objective=objective, rounds=40)
    weight = share ** (2 - recipe.power)
    start = np.log((weight * value / share).sum() / weight.sum())
    offset = lightgbm.Dataset(features, label=value, init_score=start + np.log(share))
    by_offset = lightgbm.train(recipe.parameters(), offset, num_boost_round=40)
    expected = by_offset.predict(features.to_numpy(), num_threads=1) * np.exp(start)
    np.testing.assert_allclose(ValueModel(recipe).fit(features, value, share).predict(features), expected, rtol=1e-4)


def test_the_saved_trees_alone_predict_what_the_model_predicts() -> None:
    features, value, share = noise()
    model = ValueModel(QUICK).fit(features, value, share)
    saved = lightgbm.Booster(model_str=model.booster_.model_to_string())
    np.testing.assert_allclose(saved.predict(features.to_numpy(), num_threads=1), model.predict(features), rtol=1e-12)


def test_the_same_rows_give_the_same_model() -> None:
    taught = noise()
    once, again = (ValueModel(QUICK).fit(*taught).booster_.model_to_string() for _ in range(2))
    assert once == again


def test_rows_that_could_show_less_than_a_tenth_are_left_out() -> None:
    features, value, _ = noise()
    share = np.where(np.arange(300) < 100, 0.09, 1.0)
    value = np.where(share < 0.1, 1e6, value)
    model = ValueModel(QUICK).fit(features, value, share)
    assert model.rows_ == 200
    assert model.predict(features).max() < 1e4


def test_what_is_not_known_and_columns_in_another_order_are_taken_as_they_are() -> None:
    features, value, share = noise()
    features.loc[::3, "target_baseline"] = np.nan
    features["planned_revenue"] = np.nan
    for name, make in {"value": lambda: ValueModel(QUICK), **BASELINES}.items():
        model = make().fit(features, value, share)
        assert np.isfinite(model.predict(features)).all(), name
    model = ValueModel(QUICK).fit(features, value, share)
    np.testing.assert_array_equal(model.predict(features[list(FEATURE_NAMES)[::-1]]), model.predict(features))


def test_nothing_to_learn_from_is_said_so() -> None:
    features, value, share = noise()
    for make in (lambda: ValueModel(QUICK), *BASELINES.values()):
        with pytest.raises(HistoryEmpty, match="is empty: it holds no campaign"):
            make().fit(features.iloc[:0], value[:0], share[:0])
        with pytest.raises(HistoryEmpty):
            make().fit(features, value, np.zeros(300))
    with pytest.raises(HistoryEmpty):
        ValueModel(QUICK).fit(features, np.zeros(300))


def test_the_expert_rule_is_the_mean_of_response_and_lifted_baseline() -> None:
    features, _, share = noise()
    value = 3 * features.target_baseline.to_numpy() * share
    rule = ExpertRule().fit(features, value, share)
    assert rule.lift_ == pytest.approx(3.0)
    expected = (features.planned_response + 3 * features.target_baseline) / 2
    np.testing.assert_allclose(rule.predict(features), expected)


def test_a_rule_falls_back_on_what_it_knows() -> None:
    features, value, share = noise()
    features.loc[0, "target_baseline"] = np.nan
    features.loc[1, ["target_baseline", "planned_response"]] = np.nan
    rule = ExpertRule().fit(features, value, share)
    assert rule.predict(features)[0] == features.planned_response[0]
    assert rule.predict(features)[1] == pytest.approx(value.sum() / share.sum())
    features["target_baseline"] = np.nan
    blind = TargetBaseline().fit(features, value, share)
    np.testing.assert_allclose(blind.predict(features), value.sum() / share.sum())


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"objective": "rmse"}, "objective is 'rmse': must be one of poisson, tweedie"),
        ({"variance_power": 2.0}, "variance_power is 2: must be above 1 and below 2"),
    ],
)
def test_a_recipe_names_what_is_wrong_with_it(facts: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Recipe(**facts)  # type: ignore[arg-type]


def test_the_shrunk_response_asks_the_kind_about_targets_without_a_past() -> None:
    features, value, share = noise()
    features["planned_response"], features["kind_response"] = 100.0, 40.0
    features["seen_share"] = np.resize([1.0, 0.75, 0.0, np.nan], len(features))
    features.loc[4:7, "kind_response"] = np.nan
    features.loc[8:11, "planned_response"] = np.nan
    dollars = ShrunkResponse().fit(features, value, share).predict(features)
    assert dollars[:4].tolist() == [100, 85, 40, 40]
    assert dollars[4:8].tolist() == [100] * 4
    assert dollars[8:12].tolist() == [40] * 4
