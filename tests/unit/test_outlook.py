"""What is told of starts and finishes, on queues small enough to know the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from serving.scheduling import policies
from serving.scheduling.ahead import spans
from serving.scheduling.ahead.arrivals import Arrivals
from serving.scheduling.ahead.outlook import Outlook, Outset, outlook
from serving.scheduling.books import Books
from serving.scheduling.columns import Columns
from serving.scheduling.lineup import alone
from serving.scheduling.rules import NO_RULES
from tests.unit.test_play import START, queue

NOBODY = Arrivals.seen(alone(Columns.of([], [], [])), np.zeros(0), START, START)
SURE = 1e-6


def outset(columns: Columns, spread: float = SURE, **state: Any) -> Outset:
    n = len(columns)
    lineup = replace(alone(columns), **state)
    none = np.zeros(n, dtype=np.int64)
    return Outset(lineup, Books(NO_RULES, START), np.full(n, spread), np.full(n, START), np.zeros(n), none)


def told(begin: Outset, workers: int = 1, coming: Arrivals = NOBODY, seed: int = 1) -> Outlook:
    return outlook(begin, workers, policies.fifo, None, coming, START, np.random.default_rng(seed))


def test_where_nothing_is_uncertain_p50_and_p90_are_what_will_happen() -> None:
    found = told(outset(queue([0, 1, 2], [4, 2, 1])))
    for start in (found.start_p50_h, found.start_p90_h):
        assert (start - START).tolist() == pytest.approx([0, 4, 6], abs=1e-3)
    for finish in (found.finish_p50_h, found.finish_p90_h):
        assert (finish - START).tolist() == pytest.approx([4, 6, 7], abs=1e-3)


def test_p90_of_what_starts_at_once_is_the_p90_of_its_work() -> None:
    found = told(outset(queue([0], [4]), spread=float(np.log(1.5) / ndtri(0.9))))
    assert found.start_p90_h[0] == START
    assert found.finish_p90_h[0] - START == pytest.approx(6, rel=0.15)
    assert found.finish_p50_h[0] - START == pytest.approx(4, rel=0.1)


def test_the_same_chance_gives_the_same_outlook() -> None:
    begin, coming = outset(queue([0] * 5, [1, 2, 3, 4, 5]), spread=0.5), seen_coming()
    again = [told(begin, coming=coming, seed=seed).finish_p90_h for seed in (3, 3, 4)]
    np.testing.assert_array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


def seen_coming() -> Arrivals:
    """A campaign of an hour every two hours, over two days."""
    columns = queue([-2.0 * n - 1 for n in range(24)], [1.0] * 24)
    return Arrivals.seen(alone(columns), np.full(24, SURE), START - 48, START)


def test_who_is_to_come_delays_those_it_will_outrank() -> None:
    begin = outset(queue([0, 0], [10, 1], values=[10.0, 0.1]))
    alone, beside = (
        outlook(begin, 1, policies.vp, None, coming, START, np.random.default_rng(1)).start_p50_h[1] - START
        for coming in (NOBODY, seen_coming())
    )
    assert alone == pytest.approx(10, abs=1e-3)
    # Each of the ten hours brings half an hour of better work, which brings more in turn: 10 / (1 - 1/2).
    assert beside == pytest.approx(20, rel=0.3)


def test_a_held_campaign_and_all_beyond_what_can_be_told_have_no_date() -> None:
    columns = queue([0, 0], [1, 1])
    held = replace(columns, released_h=np.array([START, np.inf]))
    found = told(outset(held))
    assert np.isfinite(found.finish_p90_h).tolist() == [True, False]


def test_a_campaign_released_much_later_has_a_date() -> None:
    found = told(outset(queue([0, 900], [1, 1], ends_h=2000)))
    assert (found.start_p90_h - START).tolist() == pytest.approx([0, 900])


def test_the_probability_of_being_in_time_counts_plays() -> None:
    columns = queue([0, 0, 0], [4, 4, 4])
    curves = replace(columns.curves, due_h=START + np.array([4.0, 1.0, np.inf]))
    found = told(outset(replace(columns, curves=curves), spread=0.5), workers=3)
    assert found.in_time[0] == pytest.approx(0.5, abs=0.2)
    assert found.in_time[1] < 0.05
    assert np.isnan(found.in_time[2])


def test_nothing_queued_has_an_outlook_too() -> None:
    assert len(told(outset(queue([], []))).start_p50_h) == 0


def left(spent_h: float, *, remaining_h: float = 4.0, chunk_h: float = 4.0, running: bool = True) -> Any:
    found = spans.left_h(
        np.random.default_rng(0),
        20_000,
        work_h=np.array([4.0]),
        remaining_h=np.array([remaining_h]),
        chunk_h=np.array([chunk_h]),
        spread=np.array([0.5]),
        spent_h=np.array([spent_h]),
        running=np.array([running]),
    )
    return found[:, 0]


def test_what_was_not_begun_takes_what_was_predicted() -> None:
    assert np.quantile(left(0.0, running=False), [0.5, 0.9]) == pytest.approx(
        [4, 4 * np.exp(0.5 * ndtri(0.9))], rel=0.02
    )


def test_what_has_lasted_long_without_a_checkpoint_is_a_long_one() -> None:
    def totals_beyond(hours: float) -> Any:
        total = 4 * np.exp(0.5 * np.random.default_rng(7).standard_normal(400_000))
        return np.median(total[total > hours]) - hours

    for spent in (2.0, 6.0, 10.0):
        assert np.median(left(spent)) == pytest.approx(totals_beyond(spent), rel=0.05)


def test_the_pace_so_far_goes_on() -> None:
    assert left(3.0, remaining_h=3.0, chunk_h=1.0, running=False) == pytest.approx(np.full(20_000, 9.0))
    running = left(3.0, remaining_h=3.0, chunk_h=1.0)
    assert running.min() >= 3
    assert running.max() <= 9


def test_work_that_lasts_beyond_belief_still_ends() -> None:
    endless = left(4e6)
    assert (endless > 0).all()
    assert np.isfinite(endless).all()


def test_arrivals_come_at_the_rate_seen_and_look_like_those_seen() -> None:
    coming = seen_coming()
    assert coming.per_h == 0.5
    counts, chance = [], np.random.default_rng(5)
    for _ in range(400):
        drawn, spread = coming.drawn(chance, START, START + 20)
        counts.append(len(drawn.columns))
        assert ((drawn.columns.submitted_h >= START) & (drawn.columns.submitted_h <= START + 20)).all()
        assert (drawn.columns.work_h == 1).all()
        assert len(spread) == len(drawn.columns)
    assert np.mean(counts) == pytest.approx(10, rel=0.1)


def test_nobody_is_expected_where_nobody_came() -> None:
    assert len(NOBODY.drawn(np.random.default_rng(0), START, START + 99)[1]) == 0
    assert NOBODY.per_h == 0


def test_what_was_submitted_at_once_comes_at_once_again() -> None:
    loaded = queue([-3.0] * 30 + [-1.0], [1.0] * 31)
    coming = Arrivals.seen(alone(loaded), np.full(31, SURE), START - 48, START)
    assert coming.per_h == pytest.approx(31 / 48)
    chance, none, counts = np.random.default_rng(5), 0, []
    for _ in range(400):
        submitted = coming.drawn(chance, START, START + 24)[0].columns.submitted_h
        none += not len(submitted)
        counts += np.unique(submitted, return_counts=True)[1].tolist()
    assert set(counts) == {1, 30}
    assert none > 100  # two events in two days: a day without any is nothing rare
