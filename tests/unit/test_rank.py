"""Who goes first: named orders, pins, boosts and ties."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from features.curves import hours
from features.records import Campaign
from serving.scheduling import policies
from serving.scheduling.columns import Columns
from serving.scheduling.rank import rank
from tests.worlds import MONDAY, campaign

NOW = hours(MONDAY)


def ends(after_h: float, **facts: Any) -> Campaign:
    return campaign(**{"ends_at": MONDAY + timedelta(hours=after_h), **facts})


def by(name: str, columns: Columns, horizon_h: float = 6.0) -> list[int]:
    return rank(columns, NOW, policies.order_named(name, horizon_h)).tolist()


def points(*given: float, **state: Any) -> Columns:
    """Campaigns alike but for their matrix points."""
    return Columns.of([ends(100)] * len(given), 100.0, 1.0, points=given, **state)


def test_fifo_takes_the_first_to_come_then_the_first_submitted() -> None:
    released = [MONDAY - timedelta(hours=h) for h in (1, 9, 9, 5)]
    columns = Columns.of(
        [campaign(released_at=at) for at in released],
        [1.0, 2.0, 900.0, 4.0],
        1.0,
        submitted_h=NOW - np.array([50, 20, 10, 50]),
    )
    assert by("fifo", columns) == [1, 2, 3, 0]


def test_fifo_is_not_decided_by_value_when_all_came_together() -> None:
    assert by("fifo", Columns.of([ends(100)] * 3, [1.0, 3.0, 2.0], 1.0)) == [0, 1, 2]


def test_spt_takes_the_least_work_left() -> None:
    columns = Columns.of([ends(100)] * 3, 1.0, [5.0, 3.0, 9.0], remaining_h=[4.0, 3.0, 1.0], chunk_h=0.5)
    assert by("spt", columns) == [2, 1, 0]


def test_edf_takes_the_first_due_or_ended() -> None:
    due = campaign(value_shape="deadline", launch_by=MONDAY + timedelta(hours=20))
    assert by("edf", Columns.of([ends(30), due, ends(-3, starts_at=MONDAY - timedelta(9))], 1.0, 1.0)) == [2, 1, 0]


def test_the_matrix_takes_the_most_points() -> None:
    assert by("matrix", points(10, 90, 50)) == [1, 2, 0]


def test_vp_takes_the_most_value_per_slot_hour() -> None:
    assert by("vp", Columns.of([ends(9), ends(99), ends(50)], [10.0, 30.0, 50.0], [1.0, 2.0, 10.0])) == [1, 0, 2]


def test_the_index_takes_what_cannot_wait_where_vp_takes_what_is_worth_most() -> None:
    columns = Columns.of([ends(200), ends(12)], [1000.0, 400.0], [4.0, 4.0])
    assert by("vp", columns) == [0, 1]
    assert by("index", columns) == [1, 0]
    assert by("index", columns, horizon_h=1e6) == [0, 1]


def test_an_unknown_order_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'lifo' is unknown: one of fifo, random, spt, .*, index, planner"):
        policies.order_named("lifo", 6.0)


def test_pinned_goes_before_everything_and_by_key_among_its_own() -> None:
    assert by("matrix", points(10, 90, 50, 20, pinned=[True, False, False, True])) == [3, 0, 1, 2]


def test_a_boost_multiplies_the_key() -> None:
    assert by("matrix", points(10, 90, 50, boost=[10.0, 1.0, 1.9])) == [0, 2, 1]
    assert by("matrix", points(10, 90, 50, boost=[1.0, 0.1, 1.0])) == [2, 0, 1]


def test_ties_go_to_more_value_per_slot_hour_then_to_the_older_then_to_the_upper_row() -> None:
    columns = Columns.of([ends(100)] * 4, [5.0, 8.0, 5.0, 5.0], 1.0, points=50.0, submitted_h=[NOW, NOW, NOW - 3, NOW])
    assert by("matrix", columns) == [1, 2, 0, 3]


def test_nothing_ranks_as_nothing() -> None:
    assert by("index", Columns.of([], [], [])) == []


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"work_h": 0.0}, "work_h 0.0 of campaign 'spring-sale'"),
        ({"work_h": float("nan")}, "work_h nan"),
        ({"chunk_h": -1.0}, "chunk_h -1.0"),
        ({"slots": 0}, "slots 0.0"),
        ({"boost": 11.0}, "boost 11.0 of campaign 'spring-sale' must be 0.1 to 10"),
    ],
)
def test_columns_that_make_no_sense_are_refused(wrong: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Columns.of([campaign()], 1.0, **{"work_h": 1.0, **wrong})


def test_rows_are_taken_by_mask_or_position() -> None:
    columns = points(10, 90, 50)
    np.testing.assert_array_equal(columns.take(np.array([True, False, True])).points, [10, 50])
    np.testing.assert_array_equal(columns.take(np.array([2, 1])).points, [50, 90])
    assert len(columns.take(np.array([1]))) == 1
