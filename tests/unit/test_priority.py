"""The index by hand: each shape before, inside and after its window, overdue, partly done, recipient by recipient."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import exp, log
from typing import Any

import numpy as np
import pytest

from features.curves import Curves, hours
from serving import priority
from serving.scheduling import policies
from serving.scheduling.columns import Columns
from tests.worlds import MONDAY, campaign

H = 6.0
HALVING = H * log(2)
"""A half-life that decays at rate 1/h."""

WINDOW = {"ends_at": MONDAY + timedelta(hours=24)}
DEADLINE = {"value_shape": "deadline", "launch_by": MONDAY + timedelta(hours=10), "ends_at": None}
DEADLINE_WITH_END = {**DEADLINE, "starts_at": MONDAY, "ends_at": MONDAY + timedelta(hours=20)}
HALF_LIFE = {"value_shape": "half_life", "half_life_h": HALVING, "ends_at": None}
HALF_LIFE_CUT = {**HALF_LIFE, "ends_at": MONDAY + timedelta(hours=2 * HALVING)}


def at(after_h: float) -> float:
    return hours(MONDAY) + after_h


def index_of(facts: dict[str, Any], after_h: float, work_h: float = 2.0, **state: Any) -> float:
    columns = Columns.of([campaign(**facts)], 240.0, work_h, **state)
    return float(policies.index(H)(columns, at(after_h))[0])


@pytest.mark.parametrize(
    ("facts", "after_h", "lost"),
    [
        # 10 dollars an hour from 0 to 24 h; live 2 h from now.
        pytest.param(WINDOW, -8, 60 * (exp(-1) - exp(-5)), id="window, live 6 h before it opens"),
        pytest.param(WINDOW, -2, 60 * (1 - exp(-4)), id="window, live when it opens"),
        pytest.param(WINDOW, 4, 60 * (1 - exp(-3)), id="window, live inside"),
        pytest.param(WINDOW, 22, 0, id="window, live when it closes"),
        pytest.param(WINDOW, 90, 0, id="window, long over"),
        # 192 dollars drop after 10 h.
        pytest.param(DEADLINE, 2, 192 * exp(-1), id="deadline, 6 h of slack"),
        pytest.param(DEADLINE, 8, 192, id="deadline, no slack"),
        pytest.param(DEADLINE, 8.5, 0, id="deadline, overdue: the loss is behind it"),
        pytest.param(DEADLINE_WITH_END, 2, 192 * exp(-1) + 48 * exp(-16 / 6), id="deadline with an end, in time"),
        pytest.param(DEADLINE_WITH_END, 12, 48 * exp(-1), id="deadline with an end, overdue"),
        pytest.param(DEADLINE_WITH_END, 18, 0, id="deadline with an end, live at its end"),
        # Decays at the rate 1/h, so half of what is left is lost in expectation.
        pytest.param(HALF_LIFE, -8, 120 * exp(-1), id="half-life, live 6 h before it starts"),
        pytest.param(HALF_LIFE, -2, 120, id="half-life, live when it starts"),
        pytest.param(HALF_LIFE, HALVING - 2, 60, id="half-life, live one half-life later"),
        # Over the two half-lives 1 - 1/16 of that half, then a drop of the last quarter, discounted to a quarter.
        pytest.param(HALF_LIFE_CUT, -2, 120 * 15 / 16 + 240 / 16, id="half-life, cut"),
        pytest.param(HALF_LIFE_CUT, 2 * HALVING - 2, 0, id="half-life, live at its end"),
    ],
)
def test_the_index_of_each_shape(facts: dict[str, Any], after_h: float, lost: float) -> None:
    assert index_of(facts, after_h) == pytest.approx(lost / 2, abs=1e-7)


def test_a_preempted_campaign_is_judged_by_what_is_left_of_its_work() -> None:
    assert index_of(WINDOW, 4, remaining_h=0.5, chunk_h=0.25) == pytest.approx(60 * (1 - exp(-19.5 / 6)) / 0.5)


def test_work_left_never_counts_less_than_a_chunk() -> None:
    assert index_of(WINDOW, 4, remaining_h=0.001, chunk_h=0.5) == index_of(WINDOW, 4, remaining_h=0.5, chunk_h=0.5)


def test_more_slots_bring_it_live_sooner() -> None:
    assert index_of(DEADLINE, 9, slots=2) == pytest.approx(192 / 2)
    assert index_of(DEADLINE, 9, slots=1) == 0


def test_as_done_counts_the_recipients_left_and_the_delay_of_one_chunk() -> None:
    facts = {**WINDOW, "delivers": "as_done"}
    # A quarter of 240 dollars is left; the next chunk is out after half an hour.
    assert index_of(facts, 4, remaining_h=0.5, chunk_h=0.5) == pytest.approx(15 * (1 - exp(-19.5 / 6)) / 0.5)


def test_mixed_shapes_answer_as_each_alone() -> None:
    each = [WINDOW, DEADLINE_WITH_END, HALF_LIFE, DEADLINE, HALF_LIFE_CUT, WINDOW]
    together = Columns.of([campaign(**facts) for facts in each], 240.0, 2.0)
    np.testing.assert_array_equal(policies.index(H)(together, at(3)), [index_of(facts, 3) for facts in each])


def test_a_negative_value_presses_nobody() -> None:
    columns = Columns.of([campaign(**WINDOW)], -240.0, 2.0)
    assert policies.index(H)(columns, at(4))[0] == 0


def test_no_campaigns_have_no_indices() -> None:
    assert len(priority.index(Curves.of([], []), [], [], at(0), H)) == 0


def test_one_delay_may_stand_for_all() -> None:
    curves = Curves.of([campaign(**WINDOW), campaign(**DEADLINE)], [240.0, 240.0])
    np.testing.assert_allclose(
        priority.index(curves, [2.0, 2.0], 2.0, at(2), H), [30 * (1 - exp(-20 / 6)), 96 * exp(-1)], rtol=1e-9
    )


def test_the_loss_per_hour_is_the_expected_loss_over_the_mean_delay() -> None:
    index = np.array([index_of(WINDOW, 4)])
    assert priority.loss_per_hour(index, np.array([2.0]), H)[0] == pytest.approx(10 * (1 - exp(-3)))


@pytest.mark.parametrize("horizon_h", [0, -1, float("inf"), float("nan")])
def test_a_horizon_that_is_no_duration_is_refused(horizon_h: float) -> None:
    with pytest.raises(ValueError, match="horizon_h"):
        priority.index(Curves.of([campaign()], [1.0]), [1.0], [1.0], at(0), horizon_h)


def test_no_work_left_is_refused() -> None:
    with pytest.raises(ValueError, match=r"remaining_h 0\.0"):
        priority.index(Curves.of([campaign()], [1.0]), [0.0], [1.0], at(0), H)


def test_a_score_is_the_share_of_past_contenders_that_pressed_less() -> None:
    scale = priority.Scale.of(np.arange(101.0))
    np.testing.assert_allclose(scale.score([-1, 0, 25, 87, 100, 1e9]), [0, 0, 25, 87, 100, 100])


def test_a_score_of_tied_indices_is_the_middle_of_their_range() -> None:
    scale = priority.Scale(np.array([0.0, 0.0, 0.0, 1.0, 2.0]))
    np.testing.assert_allclose(scale.score([0, 1, 2]), [25, 75, 100])


@pytest.mark.parametrize("quantiles", [[], [1.0], [2.0, 1.0], [0.0, np.nan]])
def test_a_scale_needs_ascending_quantiles(quantiles: list[float]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        priority.Scale(np.array(quantiles))


def test_bands_are_tenths_of_the_score() -> None:
    np.testing.assert_array_equal(priority.band([0, 9.99, 10, 87, 99.9, 100]), [0, 0, 1, 8, 9, 9])


def test_the_moment_is_only_an_argument() -> None:
    later = datetime(2031, 5, 6, tzinfo=MONDAY.tzinfo)
    moved = {"released_at": later, "ends_at": later + timedelta(hours=24)}
    columns = Columns.of([campaign(**moved)], 240.0, 2.0)
    assert policies.index(H)(columns, hours(later) + 4)[0] == pytest.approx(index_of(WINDOW, 4))
