"""The played scheduler on any queue: nothing lost, nothing done twice, nobody idle; with a second opinion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.curves import Floats
from serving.scheduling.columns import Columns
from serving.scheduling.play import play
from serving.scheduling.policies import ORDERS, Order, order_named
from serving.scheduling.preemption import Preemption
from serving.scheduling.rank import rank
from tests.queues import NOW, queues

# All but the planner, which plans anew at every decision: two slots free at once follow one plan, not two.
orders = st.sampled_from(sorted(set(ORDERS) - {"planner"})).map(lambda name: order_named(name, 6.0))
workers_ = st.integers(1, 5)
truths = st.integers(0, 2**32 - 1)
rules = st.none() | st.builds(
    Preemption, factor=st.sampled_from([1.0, 1.5]), min_run_h=st.sampled_from([0.0, 0.7]), budget=st.integers(0, 4)
)


def truth(columns: Columns, seed: int) -> Floats:
    return columns.remaining_h * np.random.default_rng(seed).lognormal(-0.03, 0.25, len(columns))


def one_decision_at_a_time(columns: Columns, actual_h: Floats, workers: int, order: Order) -> Floats:
    """When each starts, for one-slot campaigns without preemption: the plainest loop there is."""
    free_h, started = [NOW] * workers, np.full(len(columns), np.inf)
    while np.isinf(started).any():
        free_h.sort()
        waiting = np.flatnonzero(np.isinf(started))
        moment = max(free_h[0], columns.ready_h[waiting].min())
        ready = waiting[columns.ready_h[waiting] <= moment]
        first = ready[rank(columns.take(ready), moment, order)[0]]
        started[first], free_h[0] = moment, moment + actual_h[first]
    return started


@given(queues(), orders, workers_, truths)
def test_an_independent_loop_starts_the_same_at_the_same_time(
    columns: Columns, order: Order, workers: int, seed: int
) -> None:
    actual = truth(columns, seed)
    columns = replace(columns, boost=np.ones(len(columns)))  # a boosted place in line depends on who stands there
    run = play(columns, actual, workers, order, NOW, expire=False)
    np.testing.assert_array_equal(run.started_h, one_decision_at_a_time(columns, actual, workers, order))
    np.testing.assert_allclose(run.finished_h, run.started_h + actual, rtol=0, atol=1e-9)


@given(queues(slots=3), orders, workers_, truths, rules)
@settings(max_examples=200)
def test_all_work_is_done_once_whoever_gives_way(
    columns: Columns, order: Order, workers: int, seed: int, rule: Preemption | None
) -> None:
    actual = truth(columns, seed)
    run = play(columns, actual, workers, order, NOW, preemption=rule, expire=False)
    np.testing.assert_allclose(run.busy_h, actual, rtol=1e-9)
    assert (run.started_h >= np.maximum(columns.ready_h, NOW)).all()
    assert (run.finished_h >= run.started_h + actual / np.minimum(columns.slots, workers) - 1e-6).all()
    assert (run.preemptions <= (rule.budget if rule else 0)).all()
    # The workers cannot do more than all of them can.
    assert run.finished_h.max() >= NOW + actual.sum() / workers - 1e-6


@given(queues(), orders, truths, rules)
def test_a_single_worker_never_idles_while_work_is_ready(
    columns: Columns, order: Order, seed: int, rule: Preemption | None
) -> None:
    actual = truth(columns, seed)
    run = play(columns, actual, 1, order, NOW, preemption=rule, expire=False)
    done = NOW
    for i in np.argsort(columns.ready_h, kind="stable"):
        done = max(done, columns.ready_h[i]) + actual[i]
    # Any order that never idles is done at the same time.
    np.testing.assert_allclose(run.finished_h.max(), done, rtol=0, atol=1e-6)


@given(queues(), orders, workers_, truths)
def test_no_worker_idles_while_a_campaign_waits(columns: Columns, order: Order, workers: int, seed: int) -> None:
    run = play(columns, truth(columns, seed), workers, order, NOW, expire=False)
    moments = np.unique(np.concatenate([run.started_h, run.finished_h, columns.ready_h]))
    for moment in moments[moments >= NOW]:
        busy = ((run.started_h <= moment) & (moment < run.finished_h)).sum()
        assert busy == workers or not ((columns.ready_h <= moment) & (run.started_h > moment)).any()


@given(queues(), orders, workers_, truths, rules)
def test_what_expires_takes_no_time_and_what_starts_is_finished(
    columns: Columns, order: Order, workers: int, seed: int, rule: Preemption | None
) -> None:
    actual = truth(columns, seed)
    run = play(columns, actual, workers, order, NOW, preemption=rule)
    never = np.isinf(run.started_h)
    assert (run.started_h[~never] < columns.curves.ends_h[~never]).all()
    assert not run.busy_h[never].any()
    undisturbed = ~never & (run.preemptions == 0)
    np.testing.assert_allclose(run.busy_h[undisturbed], actual[undisturbed], rtol=1e-9)
    assert np.isfinite(run.finished_h[undisturbed]).all()


@given(queues(), workers_, truths)
def test_first_come_first_served_starts_in_the_order_of_release(columns: Columns, workers: int, seed: int) -> None:
    plain = replace(columns, pinned=np.zeros(len(columns), bool), boost=np.ones(len(columns)))
    run = play(plain, truth(columns, seed), workers, order_named("fifo", 1.0), NOW, expire=False)
    in_turn = np.lexsort((run.started_h, plain.ready_h))
    assert (np.diff(run.started_h[in_turn]) >= 0).all()
