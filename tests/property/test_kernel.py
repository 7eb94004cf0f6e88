"""The compiled play of the backtest equals the scheduler's own, on any queue it covers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.curves import value_at
from serving.scheduling import policies
from serving.scheduling.columns import Columns
from serving.scheduling.planning import clock_of, facts, worth_at
from serving.scheduling.play import play
from tests.queues import NOW, queue_of, queues
from training.backtest import kernel

COVERED = [name for name in policies.ORDERS if name != "planner"]
orders = st.sampled_from(COVERED).map(lambda name: policies.order_named(name, 6.0)) | st.builds(
    policies.Index, horizon_h=st.sampled_from([1.0, 24.0]), emphasis=st.sampled_from([0.0, 0.4, 1.0])
)


def plain(columns: Columns, seed: int) -> Columns:
    """Without pins and boosts; values differ in all digits where two ways to round e^x must not decide who is first."""
    n = len(columns)
    fine = np.random.default_rng(seed).uniform(0.9, 1.1, n)
    curves = replace(columns.curves, value=columns.curves.value * fine)
    return replace(columns, curves=curves, boost=np.ones(n), pinned=np.zeros(n, bool))


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    columns = plain(queue_of(0, 3), 0)
    kernel.finished_h(columns, columns.work_h, 1, policies.index(6.0), NOW, expire=False)


@given(queues(), orders, st.integers(1, 5), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=500, deadline=None)
def test_compiled_and_plain_play_finish_everything_at_the_same_time(
    columns: Columns, order: policies.Order, workers: int, seed: int, expire: bool
) -> None:
    columns = plain(columns, seed)
    actual = columns.remaining_h * np.random.default_rng(seed).lognormal(-0.03, 0.25, len(columns))
    expected = play(columns, actual, workers, order, NOW, expire=expire).finished_h
    found = kernel.finished_h(columns, actual, workers, order, NOW, expire)
    np.testing.assert_array_equal(found, expected)


@given(queues(), st.sampled_from(["fifo", "spt", "edf", "matrix", "value", "vp"]), st.integers(1, 5))
@settings(deadline=None)
def test_ties_are_broken_alike(columns: Columns, name: str, workers: int) -> None:
    n = len(columns)
    coarse = replace(columns, boost=np.ones(n), pinned=np.zeros(n, bool))
    order = policies.order_named(name, 6.0)
    expected = play(coarse, coarse.work_h, workers, order, NOW).finished_h
    np.testing.assert_array_equal(kernel.finished_h(coarse, coarse.work_h, workers, order, NOW, True), expected)


@given(queues(), st.floats(-40, 80))
@settings(deadline=None)
def test_compiled_curves_are_the_curves(columns: Columns, after_h: float) -> None:
    known, clock, live = facts(columns.curves, columns.delay_h), clock_of(columns.curves), NOW + after_h
    found = [worth_at(known, clock, i, live) for i in range(len(columns))]
    np.testing.assert_allclose(found, value_at(columns.curves, np.full(len(columns), live)), rtol=1e-12)


def test_what_it_does_not_cover_is_refused() -> None:
    columns = plain(queue_of(0, 3), 0)
    pinned = replace(columns, pinned=np.array([True, False, False]))
    planner = policies.order_named("planner", 6.0)
    for queue, order in ((pinned, policies.fifo), (columns, planner)):
        with pytest.raises(ValueError, match="without pins and boosts"):
            kernel.finished_h(queue, queue.work_h, 1, order, NOW, expire=True)
