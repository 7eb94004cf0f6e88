"""The played scheduler on instances small enough to check by hand."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from features.curves import Floats, hours, value_at
from serving.scheduling import policies
from serving.scheduling.columns import Columns
from serving.scheduling.play import Played, play
from serving.scheduling.preemption import Preemption
from tests.worlds import MONDAY, campaign

START = hours(MONDAY)
EAGER = Preemption(factor=1.0, min_run_h=0.0, budget=100)


def queue(released: list[float], work_h: list[float], ends_h: float = 500.0, **state: Any) -> Columns:
    """Campaigns released so many hours after Monday, worth 100 dollars each unless told."""
    ends = MONDAY + timedelta(hours=ends_h)
    campaigns = [
        campaign(f"c{n}", released_at=MONDAY + timedelta(hours=after), starts_at=MONDAY, ends_at=ends)
        for n, after in enumerate(released)
    ]
    return Columns.of(campaigns, state.pop("values", 100.0), work_h, **state)


def since_start(moments_h: Floats) -> list[float]:
    return np.round(moments_h - START, 6).tolist()


def played(columns: Columns, workers: int, order: Any, **rules: Any) -> Played:
    return play(columns, rules.pop("actual_h", columns.work_h), workers, order, START, **rules)


def test_fifo_on_two_workers() -> None:
    run = played(queue([0, 1, 2, 3], [4, 2, 1, 5]), 2, policies.fifo)
    assert since_start(run.started_h) == [0, 1, 3, 4]
    assert since_start(run.finished_h) == [4, 3, 4, 9]
    assert run.busy_h.tolist() == [4, 2, 1, 5]
    assert not run.preemptions.any()


def test_a_worker_idles_only_until_the_next_release() -> None:
    run = played(queue([6, 2], [1, 1]), 1, policies.fifo)
    assert since_start(run.started_h) == [6, 2]


def test_nothing_runs_before_it_is_submitted() -> None:
    run = played(queue([0, 0], [1, 1], submitted_h=START + np.array([5, -9])), 1, policies.fifo)
    assert since_start(run.started_h) == [5, 0]


def test_an_order_sees_predictions_and_time_passes_by_the_truth() -> None:
    run = played(queue([0, 0], [1, 2]), 1, policies.spt, actual_h=[7, 3])
    assert since_start(run.started_h) == [0, 7]
    assert since_start(run.finished_h) == [7, 10]


def test_work_is_chosen_only_when_a_slot_is_free() -> None:
    late_and_better = queue([0, 0, 1], [4, 4, 4], values=[10.0, 5.0, 90.0])
    assert since_start(played(late_and_better, 1, policies.vp).started_h) == [0, 8, 4]


def test_a_queue_is_ranked_once_each_time_a_slot_gets_free() -> None:
    rankings = []

    def counted(columns: Columns, moment_h: float) -> Floats:
        rankings.append(round(moment_h - START, 6))
        return policies.fifo(columns, moment_h)

    played(queue([0, 0, 0, 0, 0], [2, 2, 3, 4, 5]), 2, counted)
    assert rankings == [0, 2, 5]


def test_smiths_rule_is_optimal_on_equal_windows() -> None:
    columns = queue([0] * 6, [3, 1, 4, 1.5, 9, 2.6], values=[20.0, 5.0, 31.0, 4.0, 60.0, 2.0], ends_h=40)
    run = played(columns, 1, policies.vp)
    best = 0.0
    for turn in permutations(range(6)):
        finished = np.empty(6)
        finished[list(turn)] = START + np.cumsum(columns.work_h[list(turn)])
        best = max(best, value_at(columns.curves, finished).sum())
    assert value_at(columns.curves, run.finished_h).sum() == pytest.approx(best)


def test_several_slots_share_the_work() -> None:
    run = played(queue([0, 0], [6, 2], slots=[3, 1]), 3, policies.fifo)
    assert since_start(run.finished_h) == [2, 4]
    assert run.busy_h.tolist() == [6, 2]


def test_a_campaign_takes_the_slots_that_are_free_and_leaves_the_rest() -> None:
    run = played(queue([0, 0, 0], [4, 6, 1], slots=[1, 9, 1]), 3, policies.fifo)
    assert since_start(run.started_h) == [0, 0, 3]
    assert since_start(run.finished_h) == [4, 3, 4]


def test_what_is_past_its_end_is_never_started() -> None:
    run = played(queue([0, 0, 0], [5, 2, 2], ends_h=6), 1, policies.fifo)
    assert since_start(run.started_h) == [0, 5, np.inf]
    assert run.finished_h[2] == np.inf
    assert run.busy_h[2] == 0


def test_a_queue_that_does_not_know_of_ends_works_on_what_is_worth_nothing() -> None:
    run = played(queue([0, 0, 0], [5, 2, 2], ends_h=6), 1, policies.fifo, expire=False)
    assert since_start(run.started_h) == [0, 5, 7]


def test_what_never_finishes_is_worth_nothing() -> None:
    run = played(queue([0, 0], [9, 9], ends_h=8), 1, policies.fifo)
    columns = queue([0, 0], [9, 9], ends_h=8)
    assert value_at(columns.curves, run.finished_h).tolist() == [0, 0]


def test_a_more_pressing_campaign_takes_over_at_a_checkpoint_and_no_work_is_done_twice() -> None:
    columns = queue([0, 1.5], [6, 1], values=[60.0, 90.0], chunk_h=[1.0, 1.0])
    run = played(columns, 1, policies.vp, preemption=EAGER)
    assert since_start(run.started_h) == [0, 2]
    assert since_start(run.finished_h) == [7, 3]
    assert run.busy_h.tolist() == [6, 1]
    assert run.preemptions.tolist() == [1, 0]


def test_checkpoints_follow_true_progress() -> None:
    columns = queue([0, 0.5], [6, 1], values=[60.0, 90.0], chunk_h=[1.0, 1.0])
    run = played(columns, 1, policies.vp, preemption=EAGER, actual_h=[12, 1])
    assert since_start(run.started_h) == [0, 2]
    assert since_start(run.finished_h) == [13, 3]


def test_a_runner_is_left_alone_for_its_minimum_run() -> None:
    columns = queue([0, 0.5], [6, 1], values=[60.0, 90.0], chunk_h=[1.0, 1.0])
    rule = Preemption(factor=1.0, min_run_h=3.5, budget=9)
    assert since_start(played(columns, 1, policies.vp, preemption=rule).started_h) == [0, 4]


def test_a_spent_budget_lets_a_runner_finish() -> None:
    columns = queue([0, 0.5, 2.5], [6, 1, 1], values=[60.0, 90.0, 90.0], chunk_h=1.0)
    rule = Preemption(factor=1.0, min_run_h=0.0, budget=1)
    run = played(columns, 1, policies.vp, preemption=rule)
    assert since_start(run.started_h) == [0, 1, 7]
    assert run.preemptions.tolist() == [1, 0, 0]


def test_a_free_slot_is_taken_before_any_runner_is_challenged() -> None:
    columns = queue([0, 0, 1], [6, 1, 1], values=[60.0, 10.0, 90.0], chunk_h=1.0)
    run = played(columns, 2, policies.vp, preemption=EAGER)
    assert since_start(run.started_h) == [0, 0, 1]
    assert not run.preemptions.any()


def test_a_challenger_that_needs_fewer_slots_leaves_the_rest_to_the_next() -> None:
    columns = queue([0, 0.5], [8, 1], values=[80.0, 900.0], chunk_h=2.0, slots=[2, 1])
    run = played(columns, 2, policies.vp, preemption=EAGER)
    # Both slots until 1, then one beside the challenger: 8 = 2 x 1 + 6.
    assert since_start(run.started_h) == [0, 1]
    assert since_start(run.finished_h) == [7, 2]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"workers": 0}, "workers 0"),
        ({"workers": 1, "actual_h": [0.0]}, "actual_h must be 1 slot-hours above 0"),
        ({"workers": 1, "actual_h": [1.0, 1.0]}, "actual_h must be 1 slot-hours above 0"),
    ],
)
def test_an_impossible_play_is_refused(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        played(queue([0], [1]), order=policies.fifo, **wrong)


def test_nothing_to_play() -> None:
    assert len(play(Columns.of([], [], []), [], 1, policies.fifo, START).started_h) == 0
