"""Who becomes champion: the rule, and the weeks it may be judged on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.bundles import tiny_bundle
from tests.worlds import small_world
from training.datasets.complete_journey import week_start
from training.promotion import Earned, Finding, Kind, judged
from training.trial import withheld_from

FIFO = np.zeros((9, 8))
BOUND = FIFO + 100
BOUND_4 = np.vstack([BOUND] * 4)


def earned(share: float, spread: float = 0.0, seed: int = 0) -> np.ndarray:
    """Dollars that make up a share of the gap, give or take `spread` of it a week."""
    weekly = np.random.default_rng(seed).normal(0, spread, (9, 1)) if spread else 0.0
    return FIFO + 100 * (share + weekly)


def verdict(newcomer: np.ndarray, incumbent: np.ndarray, name: str = "the expert rule", kind: Kind = Kind.FIRST):
    return judged(Earned(newcomer, incumbent, FIFO, BOUND), kind, incumbent_name=name)


def test_a_better_newcomer_is_promoted():
    result = verdict(earned(0.92), earned(0.88))
    assert result.promoted
    assert result.figures["lead"] == pytest.approx(0.04)
    assert result.figures["newcomer_share_of_gap"] == pytest.approx(0.92)


def test_an_equal_newcomer_is_no_worse_and_is_promoted():
    assert verdict(earned(0.9), earned(0.9)).promoted


def test_a_newcomer_may_lose_less_than_a_hundredth_of_the_gap():
    assert verdict(earned(0.895), earned(0.9)).promoted
    assert not verdict(earned(0.885), earned(0.9)).promoted


def test_a_newcomer_that_may_be_worse_for_all_the_weeks_show_is_refused():
    result = verdict(earned(0.9, spread=0.2), earned(0.9))
    assert not result.promoted
    assert result.figures["lead_low"] < -0.01


def test_a_new_recipe_must_be_better_where_a_refresh_need_only_be_no_worse():
    assert verdict(earned(0.9), earned(0.9), kind=Kind.REFRESH).promoted
    refused = verdict(earned(0.9), earned(0.9), kind=Kind.NEW_RECIPE)
    assert not refused.promoted
    assert refused.reason.endswith("a new recipe must lead even at the lower end")
    assert verdict(earned(0.91), earned(0.9), kind=Kind.NEW_RECIPE).promoted


def test_a_fault_of_this_very_model_does_not_drown_in_the_weeks_of_its_stand_ins():
    level, fallen = earned(0.9), earned(0.9)
    fallen[-2:] -= 3
    everything = Earned(np.vstack([level] * 3 + [fallen]), np.vstack([level] * 4), np.vstack([FIFO] * 4), BOUND_4)
    own = Earned(fallen[-2:], level[-2:], FIFO[-2:], BOUND[-2:])
    assert judged(everything, Kind.REFRESH, incumbent_name="the champion").promoted
    refused = judged(everything, Kind.REFRESH, incumbent_name="the champion", themselves=own)
    assert not refused.promoted
    assert refused.figures["own_lead"] == pytest.approx(-0.03)
    assert "in the 2 weeks played by itself it loses 0.030" in refused.reason


def test_a_broken_budget_refuses_the_best_and_says_what_was_measured():
    good = verdict(earned(0.95), earned(0.9))
    kept = Finding("size", 2.0, "at most 20 MB", True, " MB")
    broken = Finding("latency", 14.2, "at most 10 ms", False, " ms")
    assert good.within([kept]).promoted
    refused = good.within([kept, broken])
    assert not refused.promoted
    assert refused.reason.startswith(
        "refused: over budget in latency 14.2 ms (at most 10 ms); as for value, it captures"
    )
    assert refused.figures["budget.latency"] == 14.2
    assert refused.figures["lead"] == pytest.approx(0.05)


def test_chance_that_hits_both_alike_does_not_count():
    assert verdict(earned(0.92, spread=0.2), earned(0.91, spread=0.2)).promoted


def test_a_refusal_says_against_whom_by_how_much_and_how_sure():
    result = verdict(earned(0.7), earned(0.9), name="the champion (version 3)")
    assert result.reason.startswith("refused: it captures 0.200 less of the gap from FIFO to the bound")
    assert "the champion (version 3)" in result.reason
    assert "95 % interval -0.200 to -0.200, 9 weeks x 8 replicates" in result.reason


def test_without_weeks_nobody_is_promoted():
    none = np.zeros((0, 8))
    result = judged(Earned(none, none, none, none), Kind.REFRESH, incumbent_name="the champion")
    assert not result.promoted
    assert result.reason == "refused: no weeks were left to judge by"


def test_where_nothing_is_to_be_gained_nobody_is_promoted():
    result = judged(Earned(FIFO, FIFO, FIFO, FIFO), Kind.REFRESH, incumbent_name="the champion")
    assert not result.promoted
    assert "nothing was to be gained over FIFO" in result.reason


def test_weeks_that_one_of_the_two_learned_from_are_left_out():
    bundle = tiny_bundle(small_world())
    early, late = (
        replace(bundle, meta=replace(bundle.meta, training_window=(week_start(6), week_start(until))))
        for until in (44, 46)
    )
    assert withheld_from(range(44, 53), early) == list(range(44, 53))
    assert withheld_from(range(44, 53), early, late) == list(range(46, 53))
