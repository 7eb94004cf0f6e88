"""Ranking for any queue: a total order that company, row order and boosts cannot upset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.scheduling.columns import Columns
from serving.scheduling.policies import ORDERS, order_named
from serving.scheduling.rank import density, pressure, rank
from tests.queues import NOW, queues

# All but the planner: its plan is one of chance tries, judged as a whole, and compiling it takes seconds.
orders = st.sampled_from(sorted(set(ORDERS) - {"planner"})).map(lambda name: order_named(name, 6.0))


@given(queues(), orders)
def test_every_campaign_is_ranked_once(columns: Columns, order) -> None:
    assert sorted(rank(columns, NOW, order)) == list(range(len(columns)))


@given(queues(), orders)
def test_neighbours_stand_as_documented(columns: Columns, order) -> None:
    keys = pressure(columns, NOW, order)
    worth = density(columns, NOW)
    told = [(not columns.pinned[i], -keys[i], -worth[i], columns.submitted_h[i], i) for i in rank(columns, NOW, order)]
    assert told == sorted(told)


@given(queues(), orders)
def test_keys_are_never_negative_so_that_a_boost_always_helps(columns: Columns, order) -> None:
    assert (order(columns, NOW) >= 0).all()


@given(queues(), orders, st.data())
def test_a_larger_boost_never_loses_a_place(columns: Columns, order, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(0, len(columns) - 1))
    boost = columns.boost.copy()
    boost[chosen] = 10.0
    before = rank(columns, NOW, order).tolist().index(chosen)
    assert rank(replace(columns, boost=boost), NOW, order).tolist().index(chosen) <= before


@given(queues(least=2), st.sampled_from(["matrix", "value", "vp", "gcmu", "atc", "index"]), st.data())
def test_two_campaigns_stand_alike_in_any_company(columns: Columns, name: str, data: st.DataObject) -> None:
    order = order_named(name, 6.0)
    some = np.array(sorted(data.draw(st.sets(st.integers(0, len(columns) - 1), min_size=1))))
    among_all = [i for i in rank(columns, NOW, order) if i in some]
    assert some[rank(columns.take(some), NOW, order)].tolist() == among_all


@given(queues(), orders, st.randoms(use_true_random=False))
def test_row_order_does_not_matter_unless_all_else_is_equal(columns: Columns, order, chance) -> None:
    columns = replace(columns, submitted_h=NOW - 100 - np.arange(len(columns)) / 16)
    shuffled = list(range(len(columns)))
    chance.shuffle(shuffled)
    rows = np.array(shuffled)
    assert rows[rank(columns.take(rows), NOW, order)].tolist() == rank(columns, NOW, order).tolist()
