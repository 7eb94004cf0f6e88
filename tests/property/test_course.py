"""The play of live campaigns, under everything that binds, gives out slots exactly as the live scheduler would."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.scheduling.ahead.course import Course
from serving.scheduling.ahead.seating import Reliance
from serving.scheduling.allot import Allotment
from serving.scheduling.books import Books
from serving.scheduling.lineup import Lineup, Via, alone
from serving.scheduling.play import play
from serving.scheduling.policies import order_named
from serving.scheduling.preemption import Preemption
from serving.scheduling.rules import NO_RULES, Cap, Limit, Reserve, Rules, Shares, Terms
from tests.queues import NOW, queues
from tests.unit.test_play import queue

LIMITS = {
    "channel:email": Limit(concurrency=2),
    "channel:sms": Limit(rate_per_s=10 / 3600, burst=15),
    "kind:sale": Limit(rate_per_s=20 / 3600, burst=20, concurrency=3),
}
BOUND = Rules(Reserve(0.2, 6.0), Shares(0.5), LIMITS, Cap(2, 10.0))
ORDER = order_named("index", 6.0)
RULE = Preemption(factor=1.5, min_run_h=0.25, budget=2)

rules_ = st.sampled_from([NO_RULES, Rules(Reserve(0.2, 6.0), Shares(0.5)), BOUND, replace(BOUND, reserve=Reserve(0.0))])


def bound_by(columns: Any, seed: int, rules: Rules) -> Lineup:
    """The campaigns under some keys and behind one another."""
    chance, n = np.random.default_rng(seed), len(columns)
    terms = [
        Terms(
            account=f"account {chance.integers(3)}",
            limits=tuple(key for key in LIMITS if key in rules.limits and chance.random() < 0.4),
            exclusive=("segment:vip",) if chance.random() < 0.2 else (),
            targets=tuple(sorted({f"target {t}" for t in chance.integers(0, 4, 2)}))
            if rules.cap and chance.random() < 0.3
            else (),
        )
        for _ in range(n)
    ]
    follows = tuple((row, int(chance.integers(row))) for row in range(1, n) if chance.random() < 0.15)
    units = chance.integers(1, 12, n).astype(float)
    return replace(alone(columns), terms=terms, follows=follows, chunk_units=units)


class Watched(Course):
    """A play that asks the live scheduler's allotment for a second opinion whenever slots are free."""

    def fill(self) -> None:
        before, free, seated = list(self.held), self.free, Counter[int]()
        waiting = np.array([0 if self.ends[row] <= self.now else tasks for row, tasks in enumerate(self.waiting)])
        lineup = replace(self.lineup, open=waiting, since_h=np.array(self.waits_since))
        allotment = Allotment(lineup, self.books.copy(), self.now, self.order, self.workers)
        allotment._guaranteed = dict(self._guaranteed)  # accounts are known here by what binds their campaigns
        expected: Counter[int] = Counter()
        for grant in allotment.fill(free):
            expected[grant.row] += grant.tasks
        super().fill()
        for row, held in enumerate(self.held):
            if held != before[row]:
                seated[row] = held - before[row]
        assert seated == expected


def watched(lineup: Lineup, rules: Rules, workers: int, actual_h: Any, kind: Any = Watched, **given: Any) -> Course:
    n = len(lineup.columns)
    course = kind(
        lineup,
        Books(rules, NOW),
        actual_h,
        workers=workers,
        order=given.pop("order", ORDER),
        start_h=NOW,
        since_h=np.full(n, NOW),
        preempted=[0] * n,
        preemption=given.pop("preemption", RULE),
        reliance=Reliance(until_h=NOW + 2_000, most_events=20_000, **given),
    )
    course.run()
    return course


@given(queues(slots=3), rules_, st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_slots_go_to_whom_the_live_scheduler_would_give_them(
    columns: Any, rules: Rules, workers: int, seed: int
) -> None:
    actual = columns.remaining_h * np.random.default_rng(seed).lognormal(-0.03, 0.25, len(columns))
    watched(bound_by(columns, seed, rules), rules, workers, actual)


@given(queues(slots=3), rules_, st.integers(1, 5), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 3.0]))
@settings(max_examples=150, deadline=None)
def test_nothing_that_binds_is_ever_broken(
    columns: Any, rules: Rules, workers: int, seed: int, good_for_h: float
) -> None:
    class Checked(Course):
        def next_h(self) -> float:
            assert sum(self.held) + self.free == workers
            tasks: Counter[str] = Counter()
            for row in self.runners:
                tasks.update(dict.fromkeys(self.lineup.terms[row].limits, self.held[row]))
            for key, count in tasks.items():
                assert count <= (LIMITS[key].concurrency or count)
            begun = [r for r in range(len(self.held)) if self.started[r] < np.inf and self.finished[r] == np.inf]
            assert sum(bool(self.lineup.terms[r].exclusive) for r in begun) <= 1
            return super().next_h()

    actual = columns.remaining_h * np.random.default_rng(seed).lognormal(-0.03, 0.25, len(columns))
    lineup = bound_by(columns, seed, rules)
    course = watched(lineup, rules, workers, actual, kind=Checked, good_for_h=good_for_h)
    run = course.played()
    for row, first in lineup.follows:
        assert run.started_h[row] >= run.finished_h[first] or run.started_h[row] == np.inf
    done = np.isfinite(run.finished_h)
    np.testing.assert_allclose(run.busy_h[done], actual[done], rtol=1e-6)
    assert (run.preemptions <= RULE.budget).all()


@given(
    queues(), st.integers(1, 5), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 5.0]), st.sampled_from([None, RULE])
)
@settings(deadline=None)
def test_where_nothing_binds_and_no_key_changes_it_is_the_played_scheduler(
    columns: Any, workers: int, seed: int, good_for_h: float, rule: Preemption | None
) -> None:
    chance = np.random.default_rng(seed)
    points = chance.permutation(len(columns)).astype(float)  # never alike
    columns, order = replace(columns, points=points, boost=np.ones(len(points))), order_named("matrix", 6.0)
    actual = columns.remaining_h * chance.lognormal(-0.03, 0.25, len(columns))
    course = watched(
        alone(columns), NO_RULES, workers, actual, Course, order=order, preemption=rule, good_for_h=good_for_h
    )
    expected = play(columns, actual, workers, order, NOW, preemption=rule)
    np.testing.assert_allclose(course.played().started_h, expected.started_h, rtol=0, atol=1e-6)
    np.testing.assert_allclose(course.played().finished_h, expected.finished_h, rtol=0, atol=1e-6)


def test_a_campaign_behind_another_starts_when_that_is_done() -> None:
    lineup = replace(alone(queue([0, 0, 0], [2, 3, 1])), follows=((2, 1),))
    course = watched_from_monday(lineup, workers=2)
    assert course.started[2] == course.finished[1]


def watched_from_monday(lineup: Lineup, workers: int) -> Course:
    n, start_h = len(lineup.columns), float(lineup.columns.ready_h.min())
    course = Course(
        lineup,
        Books(NO_RULES, start_h),
        lineup.columns.work_h,
        workers=workers,
        order=ORDER,
        start_h=start_h,
        since_h=np.full(n, start_h),
        preempted=[0] * n,
        preemption=None,
        reliance=Reliance(),
    )
    course.run()
    return course


def test_tasks_that_wait_join_those_that_run_when_a_slot_comes_free() -> None:
    columns = queue([0, 0], [6, 2], values=[1.0, 1e6], slots=[2, 1])
    course = watched_from_monday(alone(columns), workers=2)
    # One slot beside the other until 2, then both: 6 = 2 + 2 x 2.
    assert [round(h - course.start_h, 6) for h in course.finished] == [4, 2]
    assert course.lineup.via.tolist() == [Via.RANK, Via.RANK]
