"""Incremental value: gross less what the targets earn without a campaign, and no noise shared with the input."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from features.builder import build_features
from features.contract import FEATURE_NAMES
from features.records import Campaign, Kpi, Metric, Signal, ValueLabel
from features.schema import History
from serving.model.increment import above_baseline
from tests.bundles import tiny_bundle
from tests.worlds import MONDAY, campaign, small_world
from training.datasets.truth import HourlyValue
from training.incremental import AFTERWARDS, baselines_of, incremental
from training.labels import labels

WEEK = timedelta(weeks=1)


def reading(target: str, weeks: float, rate: float) -> Signal:
    at = MONDAY + weeks * WEEK
    return Signal(entity=f"target:{target}", at=at, known_at=at, name="baseline_rate", value=rate)


SALE = campaign(targets={"a": 10.0, "b": 4.0})
BEFORE = [reading("a", weeks, 9.0) for weeks in (-2, -1, 0, 1)]
AFTER = [reading("a", weeks, 2.0) for weeks in range(2, 10)] + [reading("b", weeks, 1.0) for weeks in (3, 5, 6, 9)]
LATER = [reading("a", weeks, 30.0) for weeks in (10, 11)]
SIGNALS = [*BEFORE, *AFTER, *LATER]


def history(
    *campaigns: Campaign, revenue: float = 50.0, signals: list[Signal] = SIGNALS, **launch: timedelta
) -> History:
    sold = [
        Kpi(campaign_id=c.campaign_id, at=MONDAY, known_at=MONDAY, metric=Metric.REVENUE, value=revenue, target_id="a")
        for c in campaigns
    ]
    launched = {c.campaign_id: MONDAY + launch["late_by"] for c in campaigns} if launch else {}
    return History.of_records(campaigns, sold, signals, launched)


def values(known: History) -> list[float]:
    return list(incremental(known, labels(known))["value"])


def test_what_targets_earn_in_the_weeks_after_it_is_taken_off() -> None:
    # b earned a dollar per exposure in four readings of eight, and nothing in the others.
    assert baselines_of(history(SALE)).tolist() == [10 * 2.0 + 4 * 0.5]
    assert values(history(SALE)) == [50 - 22]


def test_it_may_be_negative() -> None:
    assert values(history(SALE, revenue=1.0)) == [-21]


def test_a_late_launch_is_spared_the_baseline_of_the_time_before_it() -> None:
    assert values(history(SALE, late_by=WEEK / 2)) == pytest.approx([50 - 11])


def test_half_a_week_has_half_a_baseline() -> None:
    short = campaign("short", targets={"a": 1.0}, released_at=MONDAY + WEEK / 2, ends_at=MONDAY + WEEK)
    assert baselines_of(history(short)).tolist() == [1.0]


def test_with_few_readings_after_it_a_campaign_has_no_label() -> None:
    late = campaign("late", targets={"a": 1.0}, released_at=MONDAY + 8 * WEEK, ends_at=MONDAY + 9 * WEEK)
    known = history(SALE, late)
    assert incremental(known, labels(known)).campaign_id.tolist() == [SALE.campaign_id]
    assert values(history(SALE, signals=[])) == []


def test_it_is_complete_once_the_last_reading_is() -> None:
    known = history(SALE)
    assert incremental(known, labels(known)).matured_at.tolist() == [MONDAY + WEEK + AFTERWARDS]


def test_no_reading_counts_for_both_label_and_features() -> None:
    known = history(SALE)
    other = history(SALE, signals=[*BEFORE, *(reading("a", weeks, 100.0) for weeks in range(2, 10)), *LATER])
    assert values(known) != values(other)
    pd.testing.assert_frame_equal(*(build_features(h, [SALE], MONDAY + WEEK) for h in (known, other)))
    cheap = history(SALE, signals=[*(reading("a", weeks, 0.1) for weeks in (-2, -1, 0, 1)), *AFTER, *LATER])
    assert values(known) == values(cheap)


def test_predictions_lose_the_baseline_that_is_expected() -> None:
    np.testing.assert_array_equal(above_baseline([50.0, 50.0, 50.0], [20.0, 80.0, np.nan]), [30, 0, 50])


def test_an_incremental_bundle_answers_gross_less_what_is_expected_anyway_and_says_so() -> None:
    world = small_world()
    gross = tiny_bundle(world)
    own = replace(gross, meta=replace(gross.meta, recipe={"label": "incremental"}))
    asked, at = world.campaigns[-5:], world.campaigns[-1].released_at
    expected = gross.snapshot.features(asked, at)[:, FEATURE_NAMES.index("target_baseline")]
    for all_of_it, above, anyway in zip(gross.explain(asked, at), own.explain(asked, at), expected, strict=True):
        assert above.value == pytest.approx(max(all_of_it.value - anyway, 0))
        assert above.plain[0] == f"its targets would earn ${anyway:,.0f} without it, which is taken off"
        assert above.plain[1:] == all_of_it.plain
    assert (gross.card().label, own.card().label) == ("gross", "incremental")


def hourly(*rows: list[float], hours: float = 2.0) -> HourlyValue:
    earned = np.cumsum(np.insert(np.array(rows), 0, 0.0, axis=1), axis=1)
    starts = np.zeros(len(rows))
    return HourlyValue(pd.Index([f"c{n}" for n in range(len(rows))]), starts, starts + hours, earned)


def test_hour_by_hour_a_baseline_accrues_as_all_campaigns_of_the_window_earned() -> None:
    above = hourly([30.0, 0.0], [0.0, 10.0]).above(np.array([8.0, 20.0]))
    np.testing.assert_allclose(np.diff(above.cumulative), [[30 - 6, -2], [-15, 10 - 5]])
    assert above.label is ValueLabel.INCREMENTAL
    np.testing.assert_allclose(above.left([0], [1.0]), [-2.0])


def test_where_nothing_was_earned_a_baseline_accrues_evenly_and_an_unknown_one_leaves_the_worth_unknown() -> None:
    above = hourly([0.0, 0.0, 0.0]).above(np.array([8.0]))
    np.testing.assert_allclose(above.cumulative, [[0, -4, -8, -8]])
    assert np.isnan(hourly([1.0, 1.0]).above(np.array([np.nan])).total).all()
