"""What every store promises. A store's test class inherits this and brings a `store` fixture."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from features.records import Kpi, Metric, Signal
from serving.errors import BadInput, CampaignConflict, CampaignUnknown, IllegalTransition, StaleLease
from serving.scheduling.ports import Store
from serving.scheduling.states import Event, State
from serving.scheduling.work import Completed, Decision, Estimate, Failed, Forecast, Move, Released
from tests.queueing import NOON, a_campaign, a_task, after, claimed, submitted_ready


class IntakeContract:
    def test_a_submitted_campaign_is_kept_as_it_was_declared(self, store: Store):
        campaign = a_campaign(targets={"vip": 10.0}, after=("first",), tags=("black", "friday"))
        assert store.submit(campaign, [a_task(payload={"to": ["a", "b"]})], NOON)
        standing = store.standing("sale", NOON)
        assert standing.campaign == campaign
        assert (standing.state, standing.submitted_at) == (State.SUBMITTED, NOON)
        assert (standing.progress.tasks, standing.progress.queued, standing.progress.units) == (1, 1, 10.0)

    def test_equal_content_submitted_again_is_the_same_campaign(self, store: Store):
        assert store.submit(a_campaign(), [a_task("a"), a_task("b")], NOON)
        assert not store.submit(a_campaign(), [a_task("b"), a_task("a")], after(1))
        assert store.standing("sale", NOON).progress.tasks == 2

    def test_equal_content_is_judged_on_what_was_first_submitted(self, store: Store):
        store.submit(a_campaign(urgency=0.2), [a_task()], NOON)
        store.revise("sale", {"urgency": 0.9})
        assert not store.submit(a_campaign(urgency=0.2), [a_task()], NOON)
        with pytest.raises(CampaignConflict):
            store.submit(a_campaign(urgency=0.9), [a_task()], NOON)

    @pytest.mark.parametrize("tasks", [[], [a_task("other")], [a_task(units=11.0)]])
    def test_other_content_under_the_same_id_is_a_conflict(self, store: Store, tasks):
        store.submit(a_campaign(), [a_task()], NOON)
        with pytest.raises(CampaignConflict, match="'sale' was submitted before with other content"):
            store.submit(a_campaign(), tasks, NOON)

    @pytest.mark.parametrize(
        ("tasks", "message"),
        [
            ([], "tasks is .*at least one task"),
            ([a_task(), a_task()], r"tasks\[1\].task_id is 'send'.*must differ"),
            ([a_task(campaign_id="other")], r"tasks\[0\].campaign_id is 'other'.*must be 'sale'"),
            ([a_task(after=("none",))], r"tasks\[0\].after is 'none'.*same campaign"),
            ([a_task("a", after=("b",)), a_task("b", after=("a",))], "circle: a -> b -> a"),
        ],
    )
    def test_tasks_that_could_never_run_are_refused_and_nothing_is_kept(self, store: Store, tasks, message):
        with pytest.raises(BadInput, match=message):
            store.submit(a_campaign(), tasks, NOON)
        with pytest.raises(CampaignUnknown):
            store.standing("sale", NOON)

    def test_campaigns_that_wait_for_each_other_are_refused_with_the_circle_named(self, store: Store):
        store.submit(a_campaign("a", after=("b",)), [a_task(campaign_id="a")], NOON)
        store.submit(a_campaign("b", after=("c",)), [a_task(campaign_id="b")], NOON)
        with pytest.raises(BadInput, match="circle: c -> a -> b -> c"):
            store.submit(a_campaign("c", after=("a",)), [a_task(campaign_id="c")], NOON)
        store.submit(a_campaign("c"), [a_task(campaign_id="c")], NOON)
        with pytest.raises(BadInput, match="circle"):
            store.revise("c", {"after": ["a"]})
        assert store.standing("c", NOON).campaign.after == ()

    def test_changed_facts_are_checked_kept_and_estimated_anew(self, store: Store):
        store.submit(a_campaign(), [a_task()], NOON)
        store.estimated(store.live(NOON), _forecast("sale"), [50.0], NOON)
        store.revise("sale", {"urgency": 0.9}, boost=2.0, pinned=True)
        standing = store.standing("sale", NOON)
        assert (standing.campaign.urgency, standing.boost, standing.pinned) == (0.9, 2.0, True)
        assert standing.estimated_at is None
        store.revise("sale", {"brand": 0.5})
        assert store.standing("sale", NOON).campaign == a_campaign(urgency=0.9, brand=0.5)

    @pytest.mark.parametrize(
        ("facts", "message"),
        [
            ({"urgency": 2}, "facts.urgency is 2"),
            ({"colour": "red"}, "facts.colour"),
            ({"ends_at": "2026-11-27T11:00:00+00:00"}, "ends_at .* must be later than starts_at"),
            ({"campaign_id": "other"}, "campaign_id is 'other': cannot be changed"),
        ],
    )
    def test_facts_that_break_a_rule_change_nothing(self, store: Store, facts, message):
        store.submit(a_campaign(), [a_task()], NOON)
        with pytest.raises(BadInput, match=message):
            store.revise("sale", facts, pinned=True)
        standing = store.standing("sale", NOON)
        assert (standing.campaign, standing.pinned, standing.revision) == (a_campaign(), False, 0)

    def test_a_boost_out_of_range_is_refused(self, store: Store):
        store.submit(a_campaign(), [a_task()], NOON)
        with pytest.raises(BadInput, match=r"boost is 11: must be 0.1 to 10"):
            store.revise("sale", {}, boost=11)

    def test_tasks_can_be_added_and_are_added_once(self, store: Store):
        store.submit(a_campaign(), [a_task()], NOON)
        more = [a_task("more", after=("send",)), a_task()]
        assert store.add_tasks("sale", more, NOON) == 1
        assert store.add_tasks("sale", more, NOON) == 0
        progress = store.standing("sale", NOON).progress
        assert (progress.tasks, progress.queued, progress.units) == (2, 1, 20.0)
        with pytest.raises(BadInput, match="taken by a task with other content"):
            store.add_tasks("sale", [a_task(units=99.0)], NOON)

    def test_a_campaign_that_ended_takes_no_tasks_and_no_changes(self, store: Store):
        store.submit(a_campaign(), [a_task()], NOON)
        store.apply("sale", Event.CANCEL)
        with pytest.raises(IllegalTransition, match="cancelled cannot take more tasks"):
            store.add_tasks("sale", [a_task("more")], NOON)
        with pytest.raises(IllegalTransition, match="cancelled cannot change"):
            store.revise("sale", {"urgency": 0.5})
        with pytest.raises(IllegalTransition):
            store.apply("sale", Event.PAUSE)

    def test_a_campaign_never_submitted_is_unknown(self, store: Store):
        for asked in (
            lambda: store.standing("sale", NOON),
            lambda: store.add_tasks("sale", [a_task()], NOON),
            lambda: store.revise("sale", {}),
            lambda: store.apply("sale", Event.PAUSE),
        ):
            with pytest.raises(CampaignUnknown, match="no campaign 'sale'"):
                asked()


class StandingsContract:
    def test_live_campaigns_come_oldest_submission_first(self, store: Store):
        for name in ("b", "a", "c"):
            submitted_ready(store, name)
        store.apply("a", Event.CANCEL)
        store.apply("c", Event.PAUSE)
        assert [(s.campaign_id, s.state) for s in store.live(NOON)] == [("b", State.READY), ("c", State.PAUSED)]

    def test_estimates_are_kept_with_their_source(self, store: Store):
        store.submit(a_campaign(), [a_task()], NOON)
        store.estimated(store.live(NOON), _forecast("sale"), [50.0], after(1))
        (standing,) = store.live(NOON)
        assert standing.estimate == _forecast("sale").estimates[0]
        assert (standing.model_version, standing.source, standing.score) == ("3", "champion", 50.0)
        assert standing.estimated_at == after(1)

    def test_an_estimate_of_facts_that_changed_meanwhile_is_dropped(self, store: Store):
        store.submit(a_campaign(), [a_task()], NOON)
        asked = store.live(NOON)
        store.revise("sale", {"urgency": 0.9})
        store.estimated(asked, _forecast("sale"), [50.0], NOON)
        assert store.standing("sale", NOON).estimate is None

    def test_a_move_from_a_state_it_is_not_in_is_skipped(self, store: Store):
        submitted_ready(store)
        store.apply("sale", Event.PAUSE)
        assert store.move([Move(campaign_id="sale", before=State.READY, event=Event.BLOCK)]) == 0
        assert store.standing("sale", NOON).state is State.PAUSED

    def test_a_campaign_does_not_finish_while_work_was_added(self, store: Store):
        submitted_ready(store)
        store.settle(claimed(store), Completed(), after(5))
        finish = Move(campaign_id="sale", before=State.RUNNING, event=Event.FINISH, launched_at=after(5))
        store.add_tasks("sale", [a_task("late")], after(6))
        assert store.move([finish]) == 0
        store.settle(claimed(store, at=after(7)), Completed(), after(8))
        assert store.move([replace(finish, launched_at=after(8))]) == 1
        (launched,) = store.launched(NOON)
        assert (launched.state, launched.launched_at, launched.worked_at) == (State.DONE, after(8), after(8))

    def test_predecessors_that_are_not_done_are_named(self, store: Store):
        submitted_ready(store, "first")
        store.submit(a_campaign(after=("first", "unknown")), [a_task()], NOON)
        assert store.standing("sale", NOON).blocked_by == (("first", State.READY), ("unknown", None))
        store.settle(claimed(store, "first"), Completed(), NOON)
        store.move([Move(campaign_id="first", before=State.RUNNING, event=Event.FINISH, launched_at=NOON)])
        assert store.standing("sale", NOON).blocked_by == (("unknown", None),)


class QueueContract:
    def test_tasks_are_leased_down_the_campaigns_oldest_first(self, store: Store):
        for name in ("a", "b"):
            submitted_ready(store, name, tasks=2)
        leases = store.claim(["b", "a"], 3, "here", NOON, after(60))
        assert [(e.task.campaign_id, e.task.task_id) for e in leases] == [("b", "t0"), ("b", "t1"), ("a", "t0")]
        assert [s.state for s in store.live(NOON)] == [State.RUNNING, State.RUNNING]
        assert store.standing("a", NOON).progress.leased == 1
        assert len({e.lease_id for e in leases}) == 3

    def test_a_leased_task_is_leased_to_nobody_else(self, store: Store):
        submitted_ready(store)
        claimed(store)
        assert store.claim(["sale"], 1, "there", NOON, after(60)) == []

    @pytest.mark.parametrize("event", [Event.PAUSE, Event.CANCEL, Event.BLOCK])
    def test_a_campaign_that_may_not_run_is_passed_over(self, store: Store, event):
        submitted_ready(store)
        store.move([Move(campaign_id="sale", before=State.READY, event=event)])
        assert store.claim(["sale"], 1, "here", NOON, after(60)) == []

    def test_a_checkpoint_is_where_the_next_lease_goes_on(self, store: Store):
        submitted_ready(store)
        lease = store.checkpoint(claimed(store), {"sent": 4}, 4.0, after(10), after(70))
        assert (lease.checkpoint, lease.units_done, lease.chunk, lease.until) == ({"sent": 4}, 4.0, 1, after(70))
        store.settle(lease, Released(preempted=True), after(10))
        again = claimed(store, at=after(20))
        assert (again.checkpoint, again.units_done, again.chunk) == ({"sent": 4}, 4.0, 1)
        assert again.fence > lease.fence
        standing = store.standing("sale", NOON)
        assert (standing.preemptions, standing.progress.units_done, standing.progress.chunks_done) == (1, 4.0, 1)

    def test_a_release_for_another_reason_is_no_preemption(self, store: Store):
        submitted_ready(store)
        store.settle(claimed(store), Released(preempted=False), NOON)
        assert store.standing("sale", NOON).preemptions == 0

    def test_progress_never_goes_back_nor_past_the_end(self, store: Store):
        submitted_ready(store)
        lease = store.checkpoint(claimed(store), 1, 6.0, NOON, after(60))
        lease = store.checkpoint(lease, 2, 3.0, NOON, after(60))
        assert lease.units_done == 6.0
        lease = store.checkpoint(lease, 3, 99.0, NOON, after(60))
        assert lease.units_done == 10.0
        assert store.standing("sale", NOON).progress.units_done == 10.0

    def test_a_checkpoint_that_json_cannot_hold_is_refused(self, store: Store):
        submitted_ready(store)
        lease = claimed(store)
        with pytest.raises(TypeError, match="not JSON serializable"):
            store.checkpoint(lease, object(), 1.0, NOON, after(60))
        store.settle(lease, Completed(), NOON)

    def test_a_settled_lease_is_stale(self, store: Store):
        submitted_ready(store)
        lease = claimed(store)
        store.settle(lease, Completed(), after(5))
        for outcome in (Completed(), Released(preempted=False), Failed("late", after(9)), Failed("late", None)):
            with pytest.raises(StaleLease):
                store.settle(lease, outcome, after(6))
        assert store.standing("sale", NOON).progress.done == 1
        assert [run["outcome"] for run in store.rows("runs")] == ["done"]

    def test_a_worker_whose_lease_was_given_on_is_refused(self, store: Store):
        submitted_ready(store)
        stale = claimed(store, for_s=60)
        assert store.recover(after(61), attempts=5) == 1
        fresh = claimed(store, at=after(62))
        with pytest.raises(StaleLease, match="is stale"):
            store.checkpoint(stale, {"sent": 9}, 9.0, after(63), after(123))
        with pytest.raises(StaleLease):
            store.settle(stale, Completed(), after(63))
        assert store.extend([stale, fresh], after(200)) == [replace(fresh, until=after(200))]
        store.settle(fresh, Completed(), after(64))
        assert [run["outcome"] for run in store.rows("runs")] == ["lost", "done"]

    def test_an_expired_lease_is_requeued_at_its_checkpoint(self, store: Store):
        submitted_ready(store)
        store.checkpoint(claimed(store), "half", 5.0, after(10), after(70))
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
        store.settle(claimed(store), Failed("flaky", NOON), NOON)
        lease = claimed(store)
        assert lease.attempts == 1
        assert store.checkpoint(lease, 1, 5.0, NOON, after(60)).attempts == 0

    def test_a_failed_task_waits_for_its_retry(self, store: Store):
        submitted_ready(store, tasks=2)
        store.settle(claimed(store), Failed("throttled", after(30)), NOON)
        standing = store.standing("sale", after(1))
        assert (standing.backing_off, standing.retry_at, standing.progress.queued) == (1, after(30), 2)
        assert claimed(store, at=after(1)).task.task_id == "t1"
        assert store.claim(["sale"], 1, "here", after(29), after(90)) == []
        assert claimed(store, at=after(30)).attempts == 1
        assert store.standing("sale", after(31)).backing_off == 0

    def test_a_dead_letter_keeps_its_error_and_never_runs_again(self, store: Store):
        submitted_ready(store)
        store.settle(claimed(store), Failed("ValueError: no such list", None), after(3))
        (letter,) = store.dead_letters()
        assert (letter.campaign_id, letter.error, letter.died_at) == ("sale", "ValueError: no such list", after(3))
        progress = store.standing("sale", NOON).progress
        assert (progress.dead, progress.open, progress.leased) == (1, 0, 0)
        assert store.claim(["sale"], 1, "here", after(9), after(60)) == []

    def test_a_task_that_follows_others_waits_for_all_of_them(self, store: Store):
        last = a_task("last", after=("a", "b"))
        store.submit(a_campaign(), [last, a_task("a"), a_task("b")], NOON)
        store.move([Move(campaign_id="sale", before=State.SUBMITTED, event=Event.CLEAR)])
        first, second = store.claim(["sale"], 5, "here", NOON, after(60))
        store.settle(first, Completed(), after(1))
        assert store.claim(["sale"], 5, "here", after(1), after(60)) == []
        store.settle(second, Completed(), after(2))
        (lease,) = store.claim(["sale"], 5, "here", after(2), after(60))
        assert (lease.task, lease.enqueued_at) == (last, after(2))

    def test_every_chunk_is_logged_with_its_times_and_units(self, store: Store):
        submitted_ready(store)
        lease = store.checkpoint(claimed(store, at=after(5)), 1, 4.0, after(15), after(75))
        store.settle(lease, Completed(), after(20))
        shown = ("chunk", "enqueued_at", "started_at", "finished_at", "units", "attempts", "capacity", "outcome")
        assert [tuple(run[name] for name in shown) for run in store.rows("runs")] == [
            (0, NOON, after(5), after(15), 4.0, 1, 1.0, "checkpoint"),
            (1, NOON, after(15), after(20), 6.0, 1, 1.0, "done"),
        ]


class LogContract:
    def test_the_log_is_read_in_order_and_from_a_row_on(self, store: Store):
        decisions = [
            Decision(campaign_id=name, at=after(at), chosen="start", reason="first in rank", index=float(at), rank=1)
            for at, name in enumerate("abc")
        ]
        store.decided(decisions[:1])
        store.decided(decisions[1:])
        rows = store.rows("decisions")
        assert [(row["campaign_id"], row["at"], row["index"]) for row in rows] == [
            ("a", NOON, 0.0),
            ("b", after(1), 1.0),
            ("c", after(2), 2.0),
        ]
        assert [row["campaign_id"] for row in store.rows("decisions", since=rows[0]["id"])] == ["b", "c"]

    def test_results_and_signals_are_kept(self, store: Store):
        kpi = Kpi(campaign_id="sale", at=NOON, known_at=after(60), metric=Metric.REVENUE, value=12.5)
        signal = Signal(entity="market:us", at=NOON, known_at=NOON, name="sentiment", value=-0.2)
        store.observed([kpi, replace(kpi, target_id="vip")], [signal])
        store.observed()
        assert [(row["metric"], row["target_id"], row["known_at"]) for row in store.rows("kpis")] == [
            ("revenue", None, after(60)),
            ("revenue", "vip", after(60)),
        ]
        assert [(row["entity"], row["name"], row["value"]) for row in store.rows("signals")] == [
            ("market:us", "sentiment", -0.2)
        ]


class NotesContract:
    def test_the_first_note_stays(self, store: Store):
        assert store.remember("clock", "one") == "one"
        assert store.remember("clock", "two") == "one"

    def test_a_lock_is_held_by_one_owner_until_it_lapses(self, store: Store):
        assert store.hold("scheduler", "a", NOON, after(10))
        assert not store.hold("scheduler", "b", after(5), after(15))
        assert store.hold("scheduler", "a", after(8), after(18))
        assert not store.hold("scheduler", "b", after(17), after(27))
        assert store.hold("scheduler", "b", after(18), after(28))
        assert not store.hold("scheduler", "a", after(19), after(29))
        assert store.hold("another", "a", NOON, NOON + timedelta(seconds=1))


class StoreContract(IntakeContract, StandingsContract, QueueContract, LogContract, NotesContract):
    """All of it."""


def _forecast(campaign_id: str) -> Forecast:
    estimate = Estimate(campaign_id=campaign_id, value=500.0, points=70.0, p50_h=2.0, p90_h=3.0)
    return Forecast(
        model_version="3", source="champion", horizon_h=12.0, index_quantiles=(0.0, 10.0), estimates=(estimate,)
    )
