"""What every store promises about leases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.scheduling.ports import Store
from serving.scheduling.states import Event, State
from serving.scheduling.work import Completed, Failed, Move, Reached, Released, Want
from tests.queueing import NOON, a_campaign, a_task, after, claimed, reported, submitted_ready


class QueueContract:
    def test_tasks_are_leased_down_the_campaigns_oldest_first(self, store: Store):
        for name in ("a", "b"):
            submitted_ready(store, name, tasks=2)
        leases = store.claim([Want("b", 2), Want("a", 1)], "here", NOON, after(60))
        assert [(e.task.campaign_id, e.task.task_id) for e in leases] == [("b", "t0"), ("b", "t1"), ("a", "t0")]
        assert [s.state for s in store.live(NOON).standings] == [State.RUNNING, State.RUNNING]
        assert store.standing("a", NOON).progress.leased == 1
        assert len({e.lease_id for e in leases}) == 3

    def test_a_leased_task_is_leased_to_nobody_else(self, store: Store):
        submitted_ready(store)
        claimed(store)
        assert store.claim([Want("sale", 1)], "there", NOON, after(60)) == []

    @pytest.mark.parametrize("event", [Event.PAUSE, Event.CANCEL, Event.BLOCK])
    def test_a_campaign_that_may_not_run_is_passed_over(self, store: Store, event):
        submitted_ready(store)
        store.move([Move(campaign_id="sale", before=State.READY, event=event)], NOON)
        assert store.claim([Want("sale", 1)], "here", NOON, after(60)) == []

    def test_a_checkpoint_is_where_the_next_lease_goes_on(self, store: Store):
        submitted_ready(store)
        lease = reported(store, claimed(store), Reached({"sent": 4}, 4.0), after(10))
        assert (lease.checkpoint, lease.units_done, lease.chunk, lease.until) == ({"sent": 4}, 4.0, 1, after(70))
        reported(store, lease, Released(preempted=True), after(10))
        again = claimed(store, at=after(20))
        assert (again.checkpoint, again.units_done, again.chunk) == ({"sent": 4}, 4.0, 1)
        assert again.fence > lease.fence
        standing = store.standing("sale", NOON)
        assert (standing.preemptions, standing.progress.units_done, standing.progress.chunks_done) == (1, 4.0, 1)

    def test_a_release_for_another_reason_is_no_preemption(self, store: Store):
        submitted_ready(store)
        reported(store, claimed(store), Released(preempted=False), NOON)
        assert store.standing("sale", NOON).preemptions == 0

    def test_progress_never_goes_back_nor_past_the_end(self, store: Store):
        submitted_ready(store)
        lease = reported(store, claimed(store), Reached(1, 6.0))
        lease = reported(store, lease, Reached(2, 3.0))
        assert lease.units_done == 6.0
        lease = reported(store, lease, Reached(3, 99.0))
        assert lease.units_done == 10.0
        assert store.standing("sale", NOON).progress.units_done == 10.0

    def test_a_checkpoint_that_json_cannot_hold_keeps_nothing_of_its_batch(self, store: Store):
        submitted_ready(store, tasks=2)
        first, second = claimed(store), claimed(store)
        before, mark = store.standing("sale", NOON), store.changed(0, NOON).mark
        with pytest.raises(TypeError, match="not JSON serializable"):
            store.report([(first, Completed()), (second, Reached(object(), 1.0))], NOON, after(60))
        assert store.standing("sale", NOON) == before
        assert store.changed(mark, NOON).standings == []
        assert store.rows("runs") == []
        assert store.report([(first, Completed()), (second, Completed())], NOON, after(60)) != [None, None]

    def test_a_settled_lease_is_stale(self, store: Store):
        submitted_ready(store)
        lease = claimed(store)
        reported(store, lease, Completed(), after(5))
        for outcome in (Completed(), Released(preempted=False), Failed("late", after(9)), Failed("late", None)):
            assert reported(store, lease, outcome, after(6)) is None
        assert store.standing("sale", NOON).progress.done == 1
        assert [run["outcome"] for run in store.rows("runs")] == ["done"]

    def test_a_worker_whose_lease_was_given_on_is_refused(self, store: Store):
        submitted_ready(store)
        stale = claimed(store, for_s=60)
        assert store.recover(after(61), attempts=5) == 1
        fresh = claimed(store, at=after(62))
        assert reported(store, stale, Reached({"sent": 9}, 9.0), after(63)) is None
        assert reported(store, stale, Completed(), after(63)) is None
        assert store.extend([stale, fresh], after(200)) == [replace(fresh, until=after(200))]
        reported(store, fresh, Completed(), after(64))
        assert [run["outcome"] for run in store.rows("runs")] == ["lost", "done"]

    def test_a_stale_report_changes_nothing_and_the_others_of_its_batch_are_kept(self, store: Store):
        submitted_ready(store, tasks=3)
        stale = claimed(store, for_s=60)
        store.recover(after(60), attempts=5)
        first, second, third = store.claim([Want("sale", 3)], "here", after(61), after(200))
        answers = store.report(
            [(stale, Completed()), (first, Reached(1, 4.0)), (stale, Failed("late", None)), (second, Completed())],
            after(62),
            after(122),
        )
        assert [answer is None for answer in answers] == [True, False, True, False]
        assert answers[1] == replace(
            first, checkpoint=1, units_done=4.0, chunk=1, attempts=0, chunk_from=after(62), until=after(122)
        )
        progress = store.standing("sale", after(62)).progress
        assert (progress.done, progress.dead, progress.leased, progress.units_done) == (1, 0, 2, 14.0)
        assert [(run["task_id"], run["outcome"]) for run in store.rows("runs")] == [
            ("t0", "lost"),
            ("t0", "checkpoint"),
            ("t1", "done"),
        ]
        assert store.extend([third], after(300)) == [replace(third, until=after(300))]

    def test_reports_on_one_lease_in_one_batch_take_place_in_their_order(self, store: Store):
        submitted_ready(store)
        lease = claimed(store)
        reports = [(lease, Reached("half", 5.0)), (lease, Completed()), (lease, Completed())]
        half, done, again = store.report(reports, after(5), after(65))
        assert (half.units_done, done.units_done, again) == (5.0, 10.0, None)
        progress = store.standing("sale", after(5)).progress
        assert (progress.done, progress.leased, progress.chunks_done, progress.units_done) == (1, 0, 2, 10.0)

    def test_a_checkpoint_told_twice_is_kept_once(self, store: Store):
        submitted_ready(store)
        lease = claimed(store)
        half = reported(store, lease, Reached("half", 5.0), after(5))
        assert reported(store, lease, Reached("half", 5.0), after(6)) == half
        most = reported(store, half, Reached("most", 8.0), after(7))
        assert reported(store, lease, Reached("half", 5.0), after(8)) == most
        progress = store.standing("sale", after(8)).progress
        assert (progress.chunks_done, progress.units_done) == (2, 8.0)
        assert len(store.rows("runs")) == 2

    @pytest.mark.parametrize("state", [None, 1, 2.0, 10**20, "3", [1.0, {"to": "é"}], {}, False])
    def test_a_checkpoint_comes_back_as_it_was_stored(self, store: Store, state):
        submitted_ready(store)
        lease = reported(store, claimed(store), Reached(state, 1.0))
        reported(store, lease, Released(preempted=False))
        again = claimed(store)
        assert again.checkpoint == state
        assert type(again.checkpoint) is type(state)

    def test_a_campaign_wanted_twice_gives_different_tasks(self, store: Store):
        submitted_ready(store, tasks=4)
        leases = store.claim([Want("sale", 1), Want("sale", 2), Want("gone", 1)], "here", NOON, after(60))
        assert [lease.task.task_id for lease in leases] == ["t0", "t1", "t2"]
        assert store.standing("sale", NOON).progress.leased == 3

    def test_a_lease_for_one_chunk_says_so(self, store: Store):
        submitted_ready(store)
        lease = claimed(store, one_chunk=True)
        assert lease.one_chunk
        lease = reported(store, lease, Reached(1, 5.0), after(1))
        assert lease.one_chunk
        reported(store, lease, Released(preempted=False), after(1))
        assert not claimed(store, at=after(2)).one_chunk

    def test_an_expired_lease_is_requeued_at_its_checkpoint(self, store: Store):
        submitted_ready(store)
        reported(store, claimed(store), Reached("half", 5.0), after(10))
        assert store.recover(after(69), attempts=5) == 0
        assert store.recover(after(70), attempts=5) == 1
        again = claimed(store, at=after(71))
        assert (again.checkpoint, again.units_done, again.attempts) == ("half", 5.0, 1)

    def test_an_extended_lease_does_not_expire(self, store: Store):
        submitted_ready(store)
        store.extend([claimed(store, for_s=60)], after(120))
        assert store.recover(after(100), attempts=5) == 0

    def test_what_a_dead_owner_held_is_requeued_at_once(self, store: Store):
        for name in ("a", "b"):
            submitted_ready(store, name)
        claimed(store, "a", owner="dead", for_s=600)
        claimed(store, "b", owner="alive", for_s=600)
        assert store.recover(after(1), attempts=5, owner="dead") == 1
        assert store.standing("a", NOON).progress.queued == 1
        assert store.standing("b", NOON).progress.leased == 1

    def test_a_task_that_keeps_losing_its_workers_becomes_a_dead_letter(self, store: Store):
        submitted_ready(store)
        for attempt in range(3):
            claimed(store, at=after(100 * attempt), for_s=60)
            store.recover(after(100 * attempt + 60), attempts=3)
        (letter,) = store.dead_letters()
        assert (letter.task_id, letter.attempts, letter.died_at) == ("t0", 3, after(260))
        assert "lost 3 times" in letter.error

    def test_progress_forgives_earlier_failures(self, store: Store):
        submitted_ready(store)
        reported(store, claimed(store), Failed("flaky", NOON), NOON)
        lease = claimed(store)
        assert lease.attempts == 1
        assert reported(store, lease, Reached(1, 5.0)).attempts == 0

    def test_the_same_checkpoint_once_more_forgives_nothing(self, store: Store):
        submitted_ready(store)
        held = reported(store, claimed(store), Reached(1, 5.0))
        reported(store, held, Failed("flaky", NOON), NOON)
        lease = claimed(store)
        assert (lease.checkpoint, lease.attempts) == (1, 1)
        assert reported(store, lease, Reached(1, 5.0)).attempts == 1

    def test_who_was_told_to_come_back_later_has_not_failed(self, store: Store):
        submitted_ready(store)
        reported(store, claimed(store), Failed("throttled", after(30), counts=False), NOON)
        assert store.standing("sale", after(1)).retry_at == after(30)
        assert claimed(store, at=after(30)).attempts == 0

    @pytest.mark.parametrize(
        "error", ["", "NULL", 'no "such" list: {a,b}', "C:\\\\lists\n\ttab", "naïve 🎉, '%s' %(own)s"]
    )
    def test_an_error_is_kept_word_for_word(self, store: Store, error: str):
        submitted_ready(store)
        reported(store, claimed(store), Failed(error, None))
        assert [letter.error for letter in store.dead_letters()] == [error]

    def test_a_failed_task_waits_for_its_retry(self, store: Store):
        submitted_ready(store, tasks=2)
        reported(store, claimed(store), Failed("throttled", after(30)), NOON)
        standing = store.standing("sale", after(1))
        assert (standing.backing_off, standing.retry_at, standing.progress.queued) == (1, after(30), 2)
        assert claimed(store, at=after(1)).task.task_id == "t1"
        assert store.claim([Want("sale", 1)], "here", after(29), after(90)) == []
        assert claimed(store, at=after(30)).attempts == 1
        assert store.standing("sale", after(31)).backing_off == 0

    def test_a_dead_letter_keeps_its_error_and_never_runs_again(self, store: Store):
        submitted_ready(store)
        reported(store, claimed(store), Failed("ValueError: no such list", None), after(3))
        (letter,) = store.dead_letters()
        assert (letter.campaign_id, letter.error, letter.died_at) == ("sale", "ValueError: no such list", after(3))
        progress = store.standing("sale", NOON).progress
        assert (progress.dead, progress.open, progress.leased) == (1, 0, 0)
        assert store.claim([Want("sale", 1)], "here", after(9), after(60)) == []

    def test_a_task_that_follows_others_waits_for_all_of_them(self, store: Store):
        last = a_task("last", after=("a", "b"))
        store.submit(a_campaign(), [last, a_task("a"), a_task("b")], NOON)
        store.move([Move(campaign_id="sale", before=State.SUBMITTED, event=Event.CLEAR)], NOON)
        first, second = store.claim([Want("sale", 5)], "here", NOON, after(60))
        reported(store, first, Completed(), after(1))
        assert store.claim([Want("sale", 5)], "here", after(1), after(60)) == []
        reported(store, second, Completed(), after(2))
        (lease,) = store.claim([Want("sale", 5)], "here", after(2), after(60))
        assert (lease.task, lease.enqueued_at) == (last, after(2))

    def test_every_chunk_is_logged_with_its_times_and_units(self, store: Store):
        submitted_ready(store)
        lease = reported(store, claimed(store, at=after(5)), Reached(1, 4.0), after(15))
        reported(store, lease, Completed(), after(20))
        shown = ("chunk", "enqueued_at", "started_at", "finished_at", "units", "attempts", "capacity", "outcome")
        assert [tuple(run[name] for name in shown) for run in store.rows("runs")] == [
            (0, NOON, after(5), after(15), 4.0, 1, 1.0, "checkpoint"),
            (1, NOON, after(15), after(20), 6.0, 1, 1.0, "done"),
        ]
