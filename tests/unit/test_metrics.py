"""Metrics, checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import calibration, ndcg_at_10, score_table, spearman


def test_rank_correlation_is_one_for_the_same_order_and_minus_one_for_the_reverse() -> None:
    truth = np.array([1.0, 5.0, 2.0, 100.0])
    assert spearman(truth, truth**3) == pytest.approx(1.0)
    assert spearman(truth, -truth) == pytest.approx(-1.0)


def test_rank_correlation_by_hand() -> None:
    # Ranks 1 2 3 4 against 2 1 4 3: 1 - 6 x 4 / (4 x 15) = .6
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 4, 3])) == pytest.approx(0.6)


def test_a_constant_prediction_orders_nothing() -> None:
    assert spearman(np.array([1.0, 2, 3]), np.full(3, 7.0)) == 0.0


def test_gain_is_linear_in_dollars_and_discounted_by_rank() -> None:
    truth, predicted = np.array([3.0, 2.0, 0.0]), np.array([1.0, 3.0, 2.0])
    gained = 2 / np.log2(2) + 0 / np.log2(3) + 3 / np.log2(4)
    best = 3 / np.log2(2) + 2 / np.log2(3)
    assert ndcg_at_10(truth, predicted, np.zeros(3)) == pytest.approx(gained / best)


def test_only_the_first_ten_count() -> None:
    truth = np.array([*np.zeros(10), 1.0])
    predicted = np.arange(11.0)[::-1]
    assert ndcg_at_10(truth, predicted, np.zeros(11)) == 0.0


def test_gain_is_the_mean_over_groups_that_have_an_order() -> None:
    truth = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 9.0])
    predicted = np.array([2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 1.0])
    weeks = np.array([1, 1, 2, 2, 3, 3, 4])
    # Week 1 is right, week 2 is upside down, week 3 has no dollar and week 4 no second campaign.
    assert ndcg_at_10(truth, predicted, weeks) == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert np.isnan(ndcg_at_10(truth[4:6], predicted[4:6], weeks[4:6]))


def test_a_table_has_every_metric_of_every_model() -> None:
    truth = np.array([0.0, 10.0, 20.0, 30.0])
    table = score_table({"right": truth, "high": truth + 10}, truth, np.array([1, 1, 2, 2]))
    assert list(table) == ["right", "high"]
    assert table["right"] == pytest.approx({"spearman": 1.0, "ndcg_at_10": 1.0, "r2": 1.0, "mae": 0.0})
    # Squared error 4 x 100 over squared deviation 500.
    assert table["high"] == pytest.approx({"spearman": 1.0, "ndcg_at_10": 1.0, "r2": 0.2, "mae": 10.0})


def test_calibration_has_equal_parts_in_the_order_predicted() -> None:
    predicted = np.arange(20.0)[::-1]
    table = calibration(2 * predicted, predicted, bins=5)
    assert table.campaigns.to_list() == [4] * 5
    assert table.predicted.to_list() == [1.5, 5.5, 9.5, 13.5, 17.5]
    assert table.observed.to_list() == [3.0, 11.0, 19.0, 27.0, 35.0]
