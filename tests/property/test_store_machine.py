"""Whatever is done to a store, in whatever order: every store does the same, and what it counts is what there is."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from serving.errors import PrecedenceError
from serving.scheduling.states import LIVE, TRANSITIONS, Event, State
from serving.scheduling.work import (
    Completed,
    Failed,
    Forecast,
    Lease,
    Move,
    Reached,
    Released,
    Standing,
    Want,
)
from serving.stores.lifecycle import TaskState
from serving.stores.memory import MemoryStore
from serving.stores.schema import campaigns, tasks
from serving.stores.sql import SqlStore
from tests.databases import emptied, migrated_schema
from tests.queueing import NOON, a_campaign, a_task, an_estimate

NAMES = ["a", "b", "c", "d"]
CAMPAIGNS = st.sampled_from(NAMES)
PREDECESSORS = st.sets(st.sampled_from([*NAMES, "unknown"]), max_size=2)
TASKS = ["t0", "t1", "t2", "t3"]
OWNERS = st.sampled_from(["here", "there"])
SECONDS = st.sampled_from([1, 30, 61, 130])
LEASE = timedelta(seconds=60)
ATTEMPTS = 3
MOVES = [(before, event) for before, events in TRANSITIONS.items() for event in events]


class StoreMachine(RuleBasedStateMachine):
    """A SQL store and one in memory, to which the same is done."""

    def __init__(self) -> None:
        super().__init__()
        self.stores: tuple[SqlStore, MemoryStore] = (SqlStore(self.url()), MemoryStore())
        self.at = NOON
        self.leases: list[Lease] = []
        self.reports: list[Any] = []
        self.marks = [store.live(NOON).mark for store in self.stores]
        self.seen: dict[str, Standing] = {}

    def url(self) -> str:
        """Of an empty database."""
        return "sqlite://"

    def teardown(self) -> None:
        self.stores[0].close()

    def both(self, call: Callable[[Any], Any]) -> Any:
        """What both stores answer, or the sentence with which both refuse."""
        answers = []
        for store in self.stores:
            try:
                answers.append(call(store))
            except PrecedenceError as error:
                answers.append(f"{type(error).__name__}: {error}")
        assert answers[0] == answers[1]
        return answers[0]

    @initialize()
    def something_to_do(self) -> None:
        for campaign in (a_campaign("a"), a_campaign("b", after=("a",))):
            own = campaign.campaign_id
            given = [a_task("t0", own), a_task("t1", own), a_task("t2", own, after=("t0",))]
            for store in self.stores:
                store.submit(campaign, given, self.at)
        self.clear()

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)

    @rule(own=CAMPAIGNS, after=PREDECESSORS, data=st.data())
    def submit(self, own: str, after: set[str], data: st.DataObject) -> None:
        campaign = a_campaign(own, after=tuple(sorted(after - {own})))
        given = self._tasks(own, data)
        self.both(lambda store: store.submit(campaign, given, self.at))

    @rule(own=CAMPAIGNS, data=st.data())
    def add_tasks(self, own: str, data: st.DataObject) -> None:
        given = self._tasks(own, data)
        self.both(lambda store: store.add_tasks(own, given, self.at))

    @rule(wanted=st.lists(st.builds(Want, CAMPAIGNS, st.integers(0, 3), st.booleans()), max_size=4), owner=OWNERS)
    def claim(self, wanted: list[Want], owner: str) -> None:
        leases = self.both(lambda store: store.claim(wanted, owner, self.at, self.at + LEASE))
        for lease in leases:
            earlier = [known.fence for known in self.leases if known.key == lease.key]
            assert lease.fence > max(earlier, default=0)
        self.leases += leases

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        latest = {lease.key: lease for lease in self.leases}
        either = st.sampled_from(list(latest.values())) | st.sampled_from(self.leases)
        chosen = data.draw(st.lists(either, min_size=1, max_size=4))
        self.reports = [(lease, data.draw(self._report())) for lease in chosen]
        self.reports_arrive()

    @rule()
    def reports_arrive(self) -> None:
        """For the first time or, where a message came twice, once more."""
        reports = self.reports
        held = {key: task.fence for key, task in self.stores[1]._memory.leased.items()}
        answers = self.both(lambda store: store.report(reports, self.at, self.at + LEASE))
        for (lease, _), answer in zip(reports, answers, strict=True):
            assert answer is None or held[lease.key] == lease.fence
        self.leases += [lease for lease in answers if lease is not None and lease not in self.leases]

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def extend(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self.leases), unique_by=lambda lease: lease.key, max_size=3))
        self.both(lambda store: store.extend(chosen, self.at + 2 * LEASE))

    @rule(owner=st.none() | OWNERS)
    def recover(self, owner: str | None) -> None:
        self.both(lambda store: store.recover(self.at, attempts=ATTEMPTS, owner=owner))

    @rule()
    def workers_go_silent(self) -> None:
        """All of them, and others take over."""
        self.at += 3 * LEASE
        self.recover(None)
        self.clear()
        self.claim([Want(name, 2) for name in NAMES], "there")

    @rule(own=CAMPAIGNS, event=st.sampled_from([Event.PAUSE, Event.RESUME, Event.CANCEL]))
    def apply(self, own: str, event: Event) -> None:
        self.both(lambda store: store.apply(own, event))

    @rule(own=CAMPAIGNS, after=st.none() | PREDECESSORS, boost=st.sampled_from([None, 2.0, 99.0]), pin=st.booleans())
    def revise(self, own: str, after: set[str] | None, boost: float | None, pin: bool) -> None:
        facts = {} if after is None else {"after": sorted(after)}
        self.both(lambda store: store.revise(own, facts, boost=boost, pinned=pin))

    @rule(own=CAMPAIGNS, chosen=st.none() | st.sets(st.sampled_from(TASKS), max_size=2))
    def redrive(self, own: str, chosen: set[str] | None) -> None:
        self.both(lambda store: store.redrive(own, None if chosen is None else sorted(chosen), self.at))

    @rule()
    def clear(self) -> None:
        ready = {
            State.SUBMITTED: [Event.CLEAR],
            State.WAITING: [Event.CLEAR],
            State.PAUSED: [Event.RESUME, Event.CLEAR],
        }
        moves = []
        for standing in self.stores[1].live(self.at).standings:
            state = standing.state
            for event in ready.get(state, ()):
                moves.append(Move(campaign_id=standing.campaign_id, before=state, event=event))
                state = TRANSITIONS[state][event]
        self.both(lambda store: store.move(moves, self.at))

    @rule(own=CAMPAIGNS, data=st.data())
    def move(self, own: str, data: st.DataObject) -> None:
        kept = self.stores[1]._memory.campaigns.get(own)
        allowed = [] if kept is None else [(kept.state, event) for event in TRANSITIONS[kept.state]]
        before, event = data.draw(st.sampled_from([*allowed, *allowed, *MOVES]))
        self.both(lambda store: store.move([Move(campaign_id=own, before=before, event=event)], self.at))

    @rule(own=CAMPAIGNS, value=st.none() | st.integers(0, 99).map(float), late=st.booleans())
    def estimate(self, own: str, value: float | None, late: bool) -> None:
        estimate = an_estimate(own, value=value)
        forecast = Forecast(
            model_version="3", source="champion", horizon_h=12.0, index_quantiles=(), estimates=(estimate,)
        )
        for store in self.stores:
            asked = [s for s in store.live(self.at).standings if s.campaign_id == own]
            if late and asked:
                asked = [replace(asked[0], revision=asked[0].revision - 1)]
            store.estimated(asked, replace(forecast, estimates=(estimate,) * len(asked)), [value] * len(asked), self.at)

    @invariant()
    def everything_is_told_alike(self) -> None:
        for call in (
            lambda store: store.live(self.at).standings,
            lambda store: store.launched(self.at),
            lambda store: store.begun(NOON, self.at),
            lambda store: store.backlog(),
            lambda store: store.dead_letters(),
            lambda store: store.rows("runs"),
        ):
            self.both(call)

    @invariant()
    def what_changed_is_seen_and_only_that(self) -> None:
        seen = [store.changed(mark, self.at) for store, mark in zip(self.stores, self.marks, strict=True)]
        assert seen[0].standings == seen[1].standings
        self.marks = [each.mark for each in seen]
        self.seen |= {s.campaign_id: s for s in seen[0].standings}
        for name in NAMES:
            now = self.both(lambda store, own=name: store.standing(own, self.at))
            if isinstance(now, Standing):
                assert _marked(self.seen[name]) == _marked(now)

    @invariant()
    def counters_are_what_there_is(self) -> None:
        sql, memory = self.stores
        with sql._database.reading() as connection:
            rows = connection.execute(
                select(campaigns.c.campaign_id, tasks.c.state, func.count(), func.sum(tasks.c.units_done))
                .join_from(tasks, campaigns)
                .group_by(campaigns.c.campaign_id, tasks.c.state)
            ).all()
        counted: dict[str, Counter[str]] = defaultdict(Counter)
        units: Counter[str] = Counter()
        for own, state, count, done in rows:
            counted[own][state] = count
            units[own] += done
        spent: Counter[str] = Counter()
        for run in memory.rows("runs"):
            spent[run["campaign_id"]] += (run["finished_at"] - run["started_at"]).total_seconds()
        for own, kept in memory._memory.campaigns.items():
            progress, found = memory.standing(own, self.at).progress, counted[own]
            assert (progress.queued, progress.leased, progress.done, progress.dead) == tuple(
                found[state] for state in (TaskState.QUEUED, TaskState.LEASED, TaskState.DONE, TaskState.DEAD)
            )
            assert (progress.tasks, progress.units_done) == (sum(found.values()), units[own])
            assert progress.units == sum(task.task.units for task in kept.tasks.values())
            assert progress.spent_s == spent[own]

    @invariant()
    def no_chunk_comes_before_its_predecessor_and_no_task_is_done_twice(self) -> None:
        reached: Counter[tuple[str, str]] = Counter()
        done: Counter[tuple[str, str]] = Counter()
        for run in self.stores[0].rows("runs"):
            task = (run["campaign_id"], run["task_id"])
            assert (run["chunk"], done[task]) == (reached[task], 0)
            reached[task] += run["outcome"] == "checkpoint"
            done[task] += run["outcome"] == "done"

    def _tasks(self, own: str, data: st.DataObject) -> list[Any]:
        """Some tasks of a campaign; they may follow each other, and even in a circle."""
        names = data.draw(st.lists(st.sampled_from(TASKS), min_size=1, max_size=3, unique=True))
        follows = st.sets(st.sampled_from(TASKS), max_size=1)
        return [a_task(name, own, after=tuple(sorted(data.draw(follows)))) for name in names]

    def _report(self) -> st.SearchStrategy[Any]:
        later = st.none() | SECONDS.map(lambda seconds: self.at + timedelta(seconds=seconds))
        return st.one_of(
            st.builds(Reached, st.integers(0, 9), st.integers(0, 12).map(float)),
            st.just(Completed()),
            st.builds(Released, st.booleans()),
            st.builds(Failed, st.sampled_from(["flaky", "broken"]), later),
        )


def _marked(standing: Standing) -> Standing:
    """A standing without what changes by itself, or by an estimate, which gives no mark."""
    blocked = tuple((name, state if state not in LIVE else State.WAITING) for name, state in standing.blocked_by)
    return replace(
        standing,
        blocked_by=blocked,
        **{"backing_off": 0, "retry_at": None, "estimate": None, "estimated_at": None},
        **{"model_version": None, "source": None, "score": None},
    )


TestStoreMachine = pytest.mark.no_cover(StoreMachine.TestCase)  # it would take twice as long
TestStoreMachine.settings = settings(max_examples=200 if os.environ.get("CI") else 40, stateful_step_count=50)


def test_a_store_on_postgresql_does_the_same(postgresql: str) -> None:
    with migrated_schema(postgresql) as url:

        class OnPostgresql(StoreMachine):
            def url(self) -> str:
                return emptied(url)

        run_state_machine_as_test(OnPostgresql, settings=settings(max_examples=20, stateful_step_count=50))
