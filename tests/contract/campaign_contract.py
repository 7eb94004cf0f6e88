"""What every store promises owners of campaigns, and the scheduler about where campaigns stand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.errors import BadInput, CampaignConflict, CampaignUnknown, IllegalTransition
from serving.scheduling.ports import Store
from serving.scheduling.states import Event, State
from serving.scheduling.work import Backlog, Completed, Failed, Forecast, Move, Reached, Released, Want
from tests.queueing import NOON, a_campaign, a_task, after, an_estimate, claimed, reported, submitted_ready


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

    def test_a_long_line_of_tasks_that_follow_each_other_is_taken(self, store: Store):
        line = [a_task("0"), *(a_task(str(n), after=(str(n - 1),)) for n in range(1, 3000))]
        assert store.submit(a_campaign(), line, NOON)
        assert store.standing("sale", NOON).progress.queued == 1

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
        store.estimated(store.live(NOON).standings, _forecast("sale"), [50.0], NOON)
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

    def test_dead_letters_are_queued_again_at_their_checkpoints(self, store: Store):
        submitted_ready(store, tasks=3)
        for at, name in enumerate(("t0", "t1")):
            lease = reported(store, claimed(store), Reached({"sent": 4}, 4.0))
            assert lease.task.task_id == name
            reported(store, lease, Failed("broken", None), after(at))
        assert store.redrive("sale", ["t1"], after(9)) == 1
        assert [letter.task_id for letter in store.dead_letters()] == ["t0"]
        progress = store.standing("sale", after(9)).progress
        assert (progress.queued, progress.dead, progress.units_done) == (2, 1, 8.0)
        assert store.redrive("sale", None, after(10)) == 1
        assert store.dead_letters() == []
        first, second, _ = store.claim([Want("sale", 9)], "here", after(10), after(70))
        assert [(e.task.task_id, e.checkpoint, e.units_done, e.attempts) for e in (first, second)] == [
            ("t0", {"sent": 4}, 4.0, 0),
            ("t1", {"sent": 4}, 4.0, 0),
        ]
        assert (first.enqueued_at, second.enqueued_at) == (after(10), after(9))

    def test_a_failed_campaign_waits_again_when_its_dead_letters_are_queued(self, store: Store):
        submitted_ready(store)
        reported(store, claimed(store), Failed("broken", None), after(1))
        store.move([Move(campaign_id="sale", before=State.RUNNING, event=Event.FAIL)], after(1))
        assert store.redrive("sale", [], after(2)) == 0
        assert store.standing("sale", after(2)).state is State.FAILED
        assert store.redrive("sale", None, after(2)) == 1
        assert store.standing("sale", after(2)).state is State.WAITING
        assert store.redrive("sale", None, after(3)) == 0

    def test_only_dead_letters_of_a_campaign_that_is_not_over_can_be_queued_again(self, store: Store):
        submitted_ready(store, tasks=2)
        reported(store, claimed(store), Failed("broken", None), after(1))
        with pytest.raises(BadInput, match=r"task_ids is 't1'.*dead letters of campaign 'sale'"):
            store.redrive("sale", ["t0", "t1"], after(2))
        assert [letter.task_id for letter in store.dead_letters()] == ["t0"]
        store.apply("sale", Event.CANCEL)
        with pytest.raises(IllegalTransition, match="cancelled cannot redrive"):
            store.redrive("sale", None, after(3))

    def test_the_backlog_is_what_is_not_over(self, store: Store):
        assert store.backlog() == Backlog(0, 0)
        for name in ("a", "b"):
            submitted_ready(store, name, tasks=3)
        store.add_tasks("a", [a_task("last", "a", after=("t0",))], NOON)
        assert store.backlog() == Backlog(2, 7)
        reported(store, claimed(store, "a"), Completed())
        reported(store, claimed(store, "a"), Failed("broken", None))
        reported(store, claimed(store, "a"), Failed("flaky", after(9)))
        assert store.backlog() == Backlog(2, 5)
        store.apply("b", Event.CANCEL)
        assert store.backlog() == Backlog(1, 2)
        store.redrive("a", None, after(9))
        assert store.backlog() == Backlog(1, 3)

    def test_a_campaign_never_submitted_is_unknown(self, store: Store):
        for asked in (
            lambda: store.standing("sale", NOON),
            lambda: store.add_tasks("sale", [a_task()], NOON),
            lambda: store.revise("sale", {}),
            lambda: store.apply("sale", Event.PAUSE),
            lambda: store.redrive("sale", None, NOON),
        ):
            with pytest.raises(CampaignUnknown, match="no campaign 'sale'"):
                asked()


class StandingsContract:
    def test_live_campaigns_come_oldest_submission_first(self, store: Store):
        for name in ("b", "a", "c"):
            submitted_ready(store, name)
        store.apply("a", Event.CANCEL)
        store.apply("c", Event.PAUSE)
        assert [(s.campaign_id, s.state) for s in store.live(NOON).standings] == [
            ("b", State.READY),
            ("c", State.PAUSED),
        ]

    def test_a_campaign_that_ended_is_among_the_live_until_its_last_task_stops(self, store: Store):
        submitted_ready(store)
        lease = claimed(store)
        store.apply("sale", Event.CANCEL)
        assert [(s.state, s.progress.leased) for s in store.live(NOON).standings] == [(State.CANCELLED, 1)]
        store.report([(lease, Released(preempted=False))], NOON, after(60))
        assert store.live(NOON).standings == []

    def test_estimates_are_kept_with_their_source(self, store: Store):
        store.submit(a_campaign(), [a_task()], NOON)
        store.estimated(store.live(NOON).standings, _forecast("sale"), [50.0], after(1))
        (standing,) = store.live(NOON).standings
        assert standing.estimate == _forecast("sale").estimates[0]
        assert (standing.model_version, standing.source, standing.score) == ("3", "champion", 50.0)
        assert standing.estimated_at == after(1)

    def test_an_estimate_of_facts_that_changed_meanwhile_is_dropped(self, store: Store):
        store.submit(a_campaign(), [a_task()], NOON)
        asked = store.live(NOON).standings
        store.revise("sale", {"urgency": 0.9})
        store.estimated(asked, _forecast("sale"), [50.0], NOON)
        assert store.standing("sale", NOON).estimate is None

    def test_a_move_from_a_state_it_is_not_in_is_skipped(self, store: Store):
        submitted_ready(store)
        store.apply("sale", Event.PAUSE)
        assert store.move([Move(campaign_id="sale", before=State.READY, event=Event.BLOCK)], NOON) == 0
        assert store.standing("sale", NOON).state is State.PAUSED

    def test_a_campaign_does_not_finish_while_work_was_added(self, store: Store):
        submitted_ready(store)
        reported(store, claimed(store), Completed(), after(5))
        finish = Move(campaign_id="sale", before=State.RUNNING, event=Event.FINISH, launched_at=after(5))
        store.add_tasks("sale", [a_task("late")], after(6))
        assert store.move([finish], after(6)) == 0
        reported(store, claimed(store, at=after(7)), Completed(), after(8))
        assert store.move([replace(finish, launched_at=after(8))], after(8)) == 1
        (launched,) = store.launched(NOON)
        assert (launched.state, launched.launched_at, launched.worked_at) == (State.DONE, after(8), after(8))

    def test_time_spent_is_that_of_all_runs_whatever_came_of_them(self, store: Store):
        submitted_ready(store, tasks=3)
        lease = reported(store, claimed(store), Reached(1, 4.0), after(10))
        reported(store, lease, Failed("flaky", after(30)), after(30))
        reported(store, claimed(store, at=after(40)), Released(preempted=True), after(45))
        claimed(store, at=after(50), for_s=5)
        store.recover(after(60), attempts=3)
        reported(store, claimed(store, at=after(70)), Completed(), after(77))
        progress = store.standing("sale", after(80)).progress
        assert (progress.spent_s, progress.spent_h) == (47.0, 47 / 3600)  # but for what was given back

    def test_predecessors_that_are_not_done_are_named(self, store: Store):
        submitted_ready(store, "first")
        store.submit(a_campaign(after=("first", "unknown")), [a_task()], NOON)
        assert store.standing("sale", NOON).blocked_by == (("first", State.READY), ("unknown", None))
        reported(store, claimed(store, "first"), Completed(), NOON)
        store.move([Move(campaign_id="first", before=State.RUNNING, event=Event.FINISH, launched_at=NOON)], NOON)
        assert store.standing("sale", NOON).blocked_by == (("unknown", None),)


def _forecast(campaign_id: str) -> Forecast:
    estimate = an_estimate(campaign_id, left_p50_h=1.0, left_p90_h=1.25, done_when_asked=0.75)
    return Forecast(
        model_version="3", source="champion", horizon_h=12.0, index_quantiles=(0.0, 10.0), estimates=(estimate,)
    )
