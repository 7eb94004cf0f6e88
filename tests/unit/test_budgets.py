"""Budgets are measured on the bundle that is judged, and each breach is named."""

from __future__ import annotations

import numpy as np
import pytest

from serving.model import Bundle
from tests.bundles import tiny_bundle
from tests.worlds import World, small_world
from training.budgets import Budgets, findings
from training.card import by_week, model_card
from training.promotion import Verdict

TRUTH = np.random.default_rng(0).exponential(50.0, 400)


@pytest.fixture(scope="module")
def world() -> World:
    return small_world()


@pytest.fixture(scope="module")
def bundle(world: World) -> Bundle:
    return tiny_bundle(world)


def broken(bundle: Bundle, world: World, predicted: np.ndarray, budgets: Budgets | None = None, **more) -> list[str]:
    found = findings(bundle, TRUTH, predicted, world.campaigns[:2], budgets=budgets, **more)
    return [each.name for each in found if not each.holds]


def test_a_sound_bundle_keeps_every_budget(bundle: Bundle, world: World):
    assert broken(bundle, world, TRUTH * 1.05, covered={0.8: 0.82, 0.9: 0.88}) == []


def test_predictions_that_are_off_in_sum_break_the_budget(bundle: Bundle, world: World):
    assert "predicted over actual" in broken(bundle, world, TRUTH * 1.3)
    assert "predicted over actual" in broken(bundle, world, TRUTH * 0.7)


def test_right_sums_do_not_hide_that_the_large_are_promised_too_much(bundle: Bundle, world: World):
    exaggerated = TRUTH**2
    exaggerated *= TRUTH.sum() / exaggerated.sum()
    assert broken(bundle, world, exaggerated) == ["error of tenths"]


def test_intervals_that_promise_more_than_they_hold_break_the_budget(bundle: Bundle, world: World):
    assert broken(bundle, world, TRUTH, covered={0.8: 0.7, 0.9: 0.89}) == ["coverage 80"]


def test_a_slow_or_large_bundle_breaks_the_budget(bundle: Bundle, world: World):
    strict = Budgets(latency_ms=0.0, size_mb=0.001)
    assert broken(bundle, world, TRUTH, strict) == ["latency", "size"]


def test_the_card_names_the_weeks_that_went_wrong_or_says_that_none_did(bundle: Bundle):
    verdict = Verdict(True, "promoted: it is better", {"lead": 0.02})
    wrong = by_week([44, 45], np.array([100.0, 100.0]), np.array([101.0, 140.0]))
    card = model_card(bundle, bundle, verdict, 40, {}, wrong)
    assert "- week 45: predicted $100, came $140 (-29 %)" in card
    assert "week 44" not in card.split("## What it does not know")[0].split("Weeks it got wrong")[1]
    right = by_week([44], np.array([100.0]), np.array([101.0]))
    assert "none by more than 15 %; the worst is week 44, -1 %" in model_card(bundle, bundle, verdict, 40, {}, right)
