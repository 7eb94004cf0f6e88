"""Slots follow the work that presses on an executor, and its pace follows what tasks lately took."""

from __future__ import annotations

import pytest

from serving.executors.capacity import Capacity
from serving.executors.pace import Pace
from tests.queueing import after


def test_slots_grow_at_once_up_to_the_most():
    capacity = Capacity(2, 8, idle_s=60)
    assert [capacity.fit(tasks, after()) for tasks in (0, 3, 8, 900)] == [2, 3, 8, 8]


def test_slots_shrink_to_what_was_needed_lately_once_fewer_were_enough_for_a_while():
    capacity = Capacity(1, 8, idle_s=60)
    needed = [(0, 8), (10, 3), (40, 5), (69, 0), (70, 2), (71, 2), (131, 0)]
    assert [capacity.fit(tasks, after(seconds)) for seconds, tasks in needed] == [8, 8, 8, 8, 5, 5, 2]


def test_work_that_comes_back_begins_the_wait_anew():
    capacity = Capacity(1, 4, idle_s=60)
    needed = [(0, 4), (10, 1), (50, 4), (71, 1), (130, 1), (131, 1)]
    assert [capacity.fit(tasks, after(seconds)) for seconds, tasks in needed] == [4, 4, 4, 4, 4, 1]


def test_equal_bounds_make_it_fixed():
    capacity = Capacity(4, 4, idle_s=0)
    assert {capacity.fit(tasks, after(tasks)) for tasks in (0, 9, 1, 0)} == {4}


@pytest.mark.parametrize(("least", "most"), [(0, 4), (5, 4), (-1, 1)])
def test_bounds_the_wrong_way_round_are_refused(least, most):
    with pytest.raises(ValueError, match=f"least {least} must be from 1 to most {most}"):
        Capacity(least, most, idle_s=1)


def test_the_pace_is_a_mean_of_the_latest_tasks():
    pace = Pace()
    assert pace.mean_s("sale") is None
    for _ in range(50):
        pace.took("sale", 10.0)
    for _ in range(20):
        pace.took("sale", 2.0)
    assert pace.mean_s("sale") == pytest.approx(2.0, abs=0.2)


def test_campaigns_not_seen_for_longest_are_forgotten():
    pace = Pace(most=2)
    for campaign_id in ("old", "kept", "old", "new"):
        pace.took(campaign_id, 1.0)
    assert [pace.mean_s(campaign_id) for campaign_id in ("old", "kept", "new")] == [1.0, None, 1.0]
