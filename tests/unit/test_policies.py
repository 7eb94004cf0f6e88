"""Orders of work beyond the index: what each looks at, and the planner's promise."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from features.curves import Curves, value_at
from serving.scheduling import policies
from serving.scheduling.columns import Columns
from serving.scheduling.planner import Planner
from tests.queues import NOW, queue_of


def windows(values: list[float], work_h: list[float], ends_h: list[float]) -> Columns:
    """Window campaigns that have begun to earn, alike in all else."""
    n = len(values)
    curves = Curves(
        value=np.array(values),
        starts_h=np.full(n, NOW),
        ends_h=NOW + np.array(ends_h),
        due_h=np.full(n, np.inf),
        shape=np.zeros(n, np.int8),
        late_fraction=np.full(n, 0.2),
        half_life_h=np.full(n, np.inf),
    )
    work, one = np.array(work_h), np.ones(n)
    no, at = np.zeros(n, bool), np.full(n, NOW)
    return Columns(curves, work, work, work, one, no, one, no, one, at, at)


def test_value_without_work_looks_at_dollars_alone() -> None:
    columns = windows([10, 30, 20], [1, 99, 2], [168] * 3)
    assert policies.value(columns, NOW).tolist() == [10, 30, 20]


def test_a_full_emphasis_looks_at_the_loss_whatever_averts_it_and_none_at_the_slot_hour() -> None:
    columns = windows([10, 30, 20], [1, 9, 4], [168] * 3)
    loss = policies.Index(6.0)(columns, NOW) * columns.needed_h
    np.testing.assert_allclose(policies.Index(6.0, 1.0)(columns, NOW), loss)
    np.testing.assert_array_equal(policies.Index(6.0, 0.0)(columns, NOW), policies.index(6.0)(columns, NOW))


def test_the_index_tends_to_generalised_c_mu_as_its_horizon_shrinks() -> None:
    columns = windows([10, 30, 20], [1, 9, 4], [168, 90, 40])
    h = 1e-4
    np.testing.assert_allclose(policies.gcmu(columns, NOW), policies.Index(h)(columns, NOW) / h, rtol=1e-6)


def test_a_deadline_gives_atc_whether_by_its_own_name_or_by_the_index() -> None:
    columns = queue_of(3, 40)
    never = np.zeros(40)
    due = replace(columns.curves, shape=np.ones(40, np.int8), late_fraction=never, ends_h=np.full(40, np.inf))
    columns = replace(columns, curves=due)
    in_time = NOW + columns.delay_h <= due.due_h
    index, atc = policies.Index(6.0)(columns, NOW), policies.Atc(6.0)(columns, NOW)
    np.testing.assert_allclose(index[in_time], atc[in_time])


def test_a_lot_is_drawn_once_and_evenly() -> None:
    columns = replace(queue_of(1, 400), submitted_h=NOW - np.arange(400.0))
    first, again, other = (policies.Shuffled(seed)(columns, NOW) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.2
    assert abs(np.corrcoef(first, np.arange(400))[0, 1]) < 0.2


def earned(columns: Columns, line: tuple[int, ...]) -> float:
    """What a line earns on one slot."""
    finished = np.empty(len(line))
    finished[list(line)] = NOW + np.cumsum(columns.work_h[list(line)])
    return float(value_at(columns.curves, finished).sum())


@pytest.mark.parametrize("seed", range(5))
def test_a_plan_of_few_campaigns_is_the_best_there_is(seed: int) -> None:
    chance = np.random.default_rng(seed)
    columns = windows(
        chance.uniform(1, 100, 6).tolist(), chance.uniform(1, 9, 6).tolist(), chance.uniform(9, 40, 6).tolist()
    )
    plan = np.argsort(-Planner(6.0, workers=1)(columns, NOW))
    best = max(earned(columns, line) for line in permutations(range(6)))
    # Swaps and moves one at a time may get stuck a little below.
    assert earned(columns, tuple(plan)) >= 0.995 * best


def test_plans_of_equal_queues_are_equal_and_a_queue_of_one_has_one() -> None:
    columns = queue_of(2, 20)
    np.testing.assert_array_equal(Planner(6.0)(columns, NOW), Planner(6.0)(columns, NOW))
    assert Planner(6.0)(queue_of(2, 1), NOW).tolist() == [1]


def test_without_tries_a_plan_is_the_order_of_the_index() -> None:
    columns = windows([10, 30, 20], [1, 9, 4], [168, 90, 40])
    by_index = np.argsort(-policies.Index(6.0)(columns, NOW))
    assert np.argsort(-Planner(6.0, tries=0)(columns, NOW)).tolist() == by_index.tolist()


def test_arrivals_beyond_capacity_cannot_be_planned_for() -> None:
    with pytest.raises(ValueError, match=r"arriving 1.0 must be at least 0 and below 1"):
        Planner(6.0, arriving=1.0)
