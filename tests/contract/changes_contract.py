"""What every store promises a scheduler that reads only what changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from serving.scheduling.ports import Store
from serving.scheduling.states import Event, State
from serving.scheduling.work import Completed, Failed, Move, Reached, Released, Want
from tests.queueing import NOON, a_campaign, a_task, after, claimed, reported, submitted_ready

CHANGES: dict[str, Callable[[Store], object]] = {
    "tasks are added": lambda store: store.add_tasks("sale", [a_task("more")], NOON),
    "facts change": lambda store: store.revise("sale", {"urgency": 0.9}),
    "the boost changes": lambda store: store.revise("sale", {}, boost=2.0),
    "it is paused": lambda store: store.apply("sale", Event.PAUSE),
    "it moves": lambda store: _moved(store, "sale", State.READY, Event.BLOCK),
    "its task is leased": claimed,
    "its task reaches a checkpoint": lambda store: reported(store, claimed(store), Reached(1, 2.0)),
    "its task is given back": lambda store: reported(store, claimed(store), Released(preempted=True)),
    "its task is done": lambda store: reported(store, claimed(store), Completed()),
    "its task fails for now": lambda store: reported(store, claimed(store), Failed("flaky", after(9))),
    "its task dies": lambda store: reported(store, claimed(store), Failed("broken", None)),
    "its task is lost": lambda store: (claimed(store), store.recover(after(60), attempts=3)),
    "its dead letter is queued again": lambda store: (
        reported(store, claimed(store), Failed("broken", None)),
        store.redrive("sale", None, after(9)),
    ),
}
NO_CHANGES: dict[str, Callable[[Store], object]] = {
    "it is submitted again": lambda store: store.submit(a_campaign(), [a_task("t0"), a_task("t1")], after(9)),
    "a task is added again": lambda store: store.add_tasks("sale", [a_task("t0")], NOON),
    "a move comes too late": lambda store: _moved(store, "sale", State.RUNNING, Event.GIVE_WAY),
    "nothing of it is wanted": lambda store: store.claim([Want("sale", 0)], "here", NOON, after(60)),
    "nothing was lost": lambda store: store.recover(after(60), attempts=3),
    "others change": lambda store: reported(store, claimed(store, "other"), Completed()),
}


class ChangesContract:
    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_a_change_is_seen_once_and_nothing_else_with_it(self, store: Store, change):
        for name in ("other", "sale"):
            submitted_ready(store, name, tasks=2)
        mark = store.live(NOON).mark
        change(store)
        seen = store.changed(mark, after(9))
        assert seen.standings == [store.standing("sale", after(9))]
        assert seen.mark > mark
        assert store.changed(seen.mark, after(9)).standings == []

    @pytest.mark.parametrize("nothing", NO_CHANGES.values(), ids=NO_CHANGES)
    def test_what_changes_nothing_is_no_change(self, store: Store, nothing):
        for name in ("other", "sale"):
            submitted_ready(store, name, tasks=2)
        mark = store.live(NOON).mark
        nothing(store)
        assert "sale" not in [s.campaign_id for s in store.changed(mark, after(9)).standings]

    def test_a_new_campaign_is_a_change(self, store: Store):
        mark = store.live(NOON).mark
        store.submit(a_campaign(), [a_task()], NOON)
        seen = store.changed(mark, NOON)
        assert (seen.standings, seen.mark > mark) == ([store.standing("sale", NOON)], True)

    def test_changes_come_oldest_submission_first_and_those_that_ended_with_them(self, store: Store):
        mark = store.live(NOON).mark
        for name in ("c", "a", "b"):
            submitted_ready(store, name)
        store.apply("a", Event.CANCEL)
        assert [(s.campaign_id, s.state) for s in store.changed(mark, NOON).standings] == [
            ("c", State.READY),
            ("a", State.CANCELLED),
            ("b", State.READY),
        ]

    def test_marks_grow_with_every_change(self, store: Store):
        marks = [store.live(NOON).mark]
        submitted_ready(store, tasks=3)
        for report in (Reached(1, 1.0), Released(preempted=False), Failed("flaky", NOON), Completed()):
            marks.append(store.changed(0, NOON).mark)
            reported(store, claimed(store), report)
        assert marks == sorted(set(marks))

    def test_campaigns_asked_for_are_read_whether_they_changed_or_not(self, store: Store):
        for name in ("a", "b", "c"):
            submitted_ready(store, name)
        reported(store, claimed(store, "b"), Failed("throttled", after(30)), NOON)
        mark = store.live(NOON).mark
        assert store.changed(mark, after(30)).standings == []
        (waited,) = store.changed(mark, after(29), also=["b", "nobody"]).standings
        assert (waited.backing_off, waited.retry_at) == (1, after(30))
        (due,) = store.changed(mark, after(30), also=["b"]).standings
        assert (due.backing_off, due.retry_at) == (0, None)
        store.apply("c", Event.PAUSE)
        seen = store.changed(mark, after(30), also=["b", "c"])
        assert sorted(s.campaign_id for s in seen.standings) == ["b", "c"]

    @pytest.mark.parametrize("end", [Event.CANCEL, Event.EXPIRE])
    def test_followers_are_told_when_what_they_follow_is_submitted_and_when_it_ends(self, store: Store, end):
        store.submit(a_campaign(after=("first",)), [a_task()], NOON)
        mark = store.live(NOON).mark
        submitted_ready(store, "first")
        assert _seen(store, mark) == {"sale": (("first", State.READY),), "first": ()}
        mark = store.live(NOON).mark
        _moved(store, "first", State.READY, Event.BLOCK)
        assert list(_seen(store, mark)) == ["first"]
        mark = store.live(NOON).mark
        if end is Event.CANCEL:
            store.apply("first", end)
        else:
            _moved(store, "first", State.WAITING, end)
        over = State.CANCELLED if end is Event.CANCEL else State.EXPIRED
        assert _seen(store, mark) == {"sale": (("first", over),), "first": ()}

    def test_followers_are_told_when_what_they_follow_is_done(self, store: Store):
        submitted_ready(store, "first")
        store.submit(a_campaign(after=("first",)), [a_task()], NOON)
        reported(store, claimed(store, "first"), Completed())
        mark = store.live(NOON).mark
        _moved(store, "first", State.RUNNING, Event.FINISH)
        assert _seen(store, mark) == {"first": (), "sale": ()}

    def test_followers_are_told_when_what_had_failed_waits_again(self, store: Store):
        submitted_ready(store, "first")
        store.submit(a_campaign(after=("first",)), [a_task()], NOON)
        reported(store, claimed(store, "first"), Failed("broken", None))
        _moved(store, "first", State.RUNNING, Event.FAIL)
        mark = store.live(NOON).mark
        store.redrive("first", None, after(9))
        assert _seen(store, mark) == {"first": (), "sale": (("first", State.WAITING),)}

    def test_a_move_that_comes_too_late_tells_no_follower(self, store: Store):
        submitted_ready(store, "first")
        store.submit(a_campaign(after=("first",)), [a_task()], NOON)
        mark = store.live(NOON).mark
        assert _moved(store, "first", State.RUNNING, Event.FINISH) == 0
        assert _seen(store, mark) == {}

    def test_a_campaign_that_follows_another_no_longer_is_not_told(self, store: Store):
        submitted_ready(store, "first")
        store.submit(a_campaign(after=("first",)), [a_task()], NOON)
        store.revise("sale", {"after": ["second"]})
        mark = store.live(NOON).mark
        store.apply("first", Event.CANCEL)
        assert list(_seen(store, mark)) == ["first"]
        submitted_ready(store, "second")
        assert set(_seen(store, mark)) == {"first", "second", "sale"}

    def test_it_is_kept_when_a_campaign_got_its_first_slot_became_ready_and_last_worked(self, store: Store):
        submitted_ready(store, tasks=2, at=after(1))
        standing = store.standing("sale", after(1))
        assert (standing.ready_since, standing.begun_at, standing.worked_at) == (after(1), None, None)
        lease = claimed(store, at=after(2))
        reported(store, lease, Reached(1, 5.0), after(3))
        standing = store.standing("sale", after(3))
        assert (standing.ready_since, standing.begun_at, standing.worked_at) == (after(1), after(2), None)
        reported(store, lease, Released(preempted=True), after(4))
        _moved(store, "sale", State.RUNNING, Event.GIVE_WAY, at=after(5))
        claimed(store, at=after(6))
        standing = store.standing("sale", after(6))
        assert (standing.ready_since, standing.begun_at, standing.worked_at) == (after(5), after(2), after(4))
        store.recover(after(70), attempts=3)
        assert store.standing("sale", after(70)).worked_at == after(70)

    def test_campaigns_that_began_are_told_in_the_order_in_which_they_did(self, store: Store):
        for name in ("a", "b", "c", "d"):
            submitted_ready(store, name)
        for at, name in enumerate(("c", "a", "b")):
            claimed(store, name, at=after(at))
        store.apply("a", Event.CANCEL)
        assert [s.campaign_id for s in store.begun(NOON - timedelta(seconds=1), after(9))] == ["c", "a", "b"]
        assert [(s.campaign_id, s.begun_at) for s in store.begun(NOON, after(9))] == [("a", after(1)), ("b", after(2))]


def _moved(store: Store, campaign_id: str, before: State, event: Event, at=NOON) -> int:
    return store.move([Move(campaign_id=campaign_id, before=before, event=event)], at)


def _seen(store: Store, mark: int) -> dict[str, tuple[tuple[str, State | None], ...]]:
    """What changed since a mark, and what each of them waits for."""
    return {s.campaign_id: s.blocked_by for s in store.changed(mark, NOON).standings}
