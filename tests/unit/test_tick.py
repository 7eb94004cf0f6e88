"""Who runs when, step by step, on a hand-moved clock with simulated work."""

from __future__ import annotations

import numpy as np
import pytest

from features.records import OnFailure
from serving.scheduling.preemption import Preemption
from serving.scheduling.reasons import Reason
from serving.scheduling.states import Event, State
from tests.floor import Floor, hours_after_noon, story
from tests.queueing import NOON, after


@story
async def test_a_campaign_runs_to_its_end_and_is_launched_when_it_does():
    floor = Floor()
    floor.submit("sale", hours=2, planned_revenue=500.0)
    await floor.step()
    assert floor.states() == {"sale": State.RUNNING}
    await floor.pass_hours(3)
    standing = floor.standing("sale")
    assert (standing.state, hours_after_noon(standing.launched_at)) == (State.DONE, 2.0)
    assert floor.completions() == [("sale", "t0")]


@story
async def test_the_most_pressing_campaign_goes_first_whatever_the_order_of_submission():
    floor = Floor()
    for name, revenue in (("low", 10.0), ("high", 1000.0), ("middle", 100.0)):
        floor.submit(name, planned_revenue=revenue)
    await floor.pass_hours(4)
    assert floor.launch_order() == ["high", "middle", "low"]


@story
async def test_in_a_market_that_sleeps_at_night_long_work_is_done_in_the_evening():
    asleep = np.tile(np.repeat([0.01, 1.0], [8, 16]), 7)  # by the hour of the week, from midnight
    for rhythm, first in (((), "short"), (tuple((asleep / asleep.mean()).tolist()), "long")):
        floor = Floor(start=after(hours=10))
        floor.predictor.rhythm = rhythm
        floor.submit("short", hours=3, planned_revenue=36.0, ends_at=after(hours=72))
        floor.submit("long", hours=11, planned_revenue=120.0, ends_at=after(hours=72))
        await floor.step()
        assert floor.running() == [first], "at ten in the evening: done by one, or by nine"


@story
async def test_an_emphasis_on_latency_lets_a_large_campaign_pass_a_denser_small_one():
    for emphasis, first in ((0.0, "small"), (0.9, "large")):
        floor = Floor(emphasis=emphasis)
        floor.submit("small", hours=1, planned_revenue=100.0)
        floor.submit("large", hours=4, planned_revenue=300.0)
        await floor.pass_hours(6)
        assert floor.launch_order()[0] == first


@story
async def test_an_urgent_campaign_submitted_later_starts_before_queued_bulk():
    floor = Floor(preemption=Preemption(budget=0))
    for n in range(5):
        floor.submit(f"bulk{n}", planned_revenue=10.0)
    await floor.pass_hours(0.5)
    floor.submit("urgent", planned_revenue=1000.0)
    await floor.pass_hours(6)
    assert floor.launch_order() == ["bulk0", "urgent", "bulk1", "bulk2", "bulk3", "bulk4"]


@story
async def test_a_running_bulk_gives_way_at_a_checkpoint_and_loses_no_work():
    floor = Floor()
    floor.submit("bulk", hours=4, chunks=8, planned_revenue=10.0)
    await floor.pass_hours(0.75)
    floor.submit("urgent", hours=1, planned_revenue=1000.0)
    await floor.step()
    assert floor.running() == ["bulk"], "it stops at a checkpoint, not in the middle of a chunk"
    await floor.pass_hours(0.25)
    assert floor.running() == ["urgent"]
    assert floor.standing("bulk").preemptions == 1
    await floor.pass_hours(5)
    assert {s.campaign_id: hours_after_noon(s.launched_at) for s in floor.store.launched(NOON)} == {
        "urgent": 2.0,
        "bulk": 5.0,
    }
    assert sorted(floor.completions()) == [("bulk", "t0"), ("urgent", "t0")]
    chunks = [run["chunk"] for run in floor.store.rows("runs") if run["campaign_id"] == "bulk" and run["units"]]
    assert chunks == list(range(8)), "each chunk was done once"


@story
async def test_a_slightly_more_pressing_campaign_waits_for_its_turn():
    floor = Floor()
    floor.submit("bulk", hours=4, planned_revenue=100.0)
    await floor.pass_hours(1)
    floor.submit("similar", hours=4, planned_revenue=105.0)
    await floor.pass_hours(6)
    assert floor.launch_order()[0] == "bulk"
    assert floor.standing("bulk").preemptions == 0


@story
async def test_one_challenger_takes_one_slot_and_spares_the_most_pressing_runner():
    floor = Floor(slots=2)
    floor.submit("least", hours=4, chunks=8, planned_revenue=1.0)
    floor.submit("less", hours=4, chunks=8, planned_revenue=2.0)
    await floor.pass_hours(0.5)
    floor.submit("urgent", hours=1, planned_revenue=1000.0)
    await floor.pass_hours(0.5)
    assert sorted(floor.running()) == ["less", "urgent"]


@story
async def test_free_slots_are_filled_with_tasks_of_one_campaign_when_it_has_several():
    floor = Floor(slots=3)
    floor.submit("split", tasks=4, planned_revenue=1000.0)
    floor.submit("other", planned_revenue=1.0)
    await floor.step()
    assert floor.running() == ["split", "split", "split"]
    await floor.pass_hours(1)
    assert sorted(floor.running()) == ["other", "split"]


@story
async def test_a_campaign_waits_for_its_release_and_says_so():
    floor = Floor()
    floor.submit("later", released_at=after(hours=2), planned_revenue=10.0)
    await floor.pass_hours(1)
    why = floor.tick.board.entries["later"].why
    assert why is not None
    assert (why.reason, why.until, floor.states()) == (Reason.NOT_RELEASED, after(hours=2), {"later": State.WAITING})
    await floor.pass_hours(1)
    assert floor.running() == ["later"]


@story
async def test_a_dependency_waits_for_its_predecessor():
    floor = Floor(slots=2)
    floor.submit("second", after=("first",), planned_revenue=1000.0)
    floor.submit("first", planned_revenue=1.0)
    await floor.step()
    why = floor.tick.board.entries["second"].why
    assert why is not None
    assert (why.reason, why.object, floor.running()) == (Reason.DEPENDS_ON, "first", ["first"])
    await floor.pass_hours(1)
    assert floor.running() == ["second"]


@pytest.mark.parametrize(
    ("on_failure", "state"), [(OnFailure.HOLD, State.WAITING), (OnFailure.CANCEL, State.CANCELLED)]
)
@story
async def test_a_failed_predecessor_holds_or_cancels_those_that_follow(on_failure, state):
    floor = Floor()
    floor.submit("first", planned_revenue=1.0)
    floor.submit("second", after=("first",), on_failure=on_failure)
    floor.store.apply("first", Event.CANCEL)
    await floor.step()
    assert floor.standing("second").state is state


@story
async def test_what_is_over_is_not_run_and_is_recorded():
    floor = Floor()
    floor.submit("long", hours=5, planned_revenue=1000.0)
    floor.submit("short", ends_at=after(hours=2), planned_revenue=1.0)
    await floor.pass_hours(3)
    assert floor.standing("short").state is State.EXPIRED
    (expired,) = [row for row in floor.store.rows("decisions") if row["chosen"] == "expire"]
    assert (expired["campaign_id"], expired["at"]) == ("short", after(hours=2))


@story
async def test_what_runs_when_its_end_passes_is_let_finish():
    floor = Floor()
    floor.submit("sale", hours=3, ends_at=after(hours=2))
    await floor.pass_hours(4)
    assert floor.standing("sale").state is State.DONE


@story
async def test_facts_that_change_are_estimated_anew_and_reorder_the_queue():
    floor = Floor(preemption=Preemption(budget=0))
    floor.submit("now", hours=1, planned_revenue=1000.0)
    floor.submit("a", planned_revenue=100.0)
    floor.submit("b", planned_revenue=10.0)
    await floor.step()
    asked = len(floor.predictor.asked)
    floor.store.revise("b", {"planned_revenue": 500.0})
    await floor.step()
    assert floor.predictor.asked[asked:] == ["b"], "only what changed is asked about"
    await floor.pass_hours(3)
    assert floor.launch_order() == ["now", "b", "a"]


@story
async def test_estimates_are_refreshed_as_time_passes():
    floor = Floor()
    floor.submit("later", released_at=after(hours=5))
    await floor.pass_hours(2)
    assert floor.predictor.asked.count("later") > 4


@story
async def test_without_dollars_the_whole_queue_goes_by_the_matrix():
    floor = Floor(dollars=False)
    floor.submit("calm", urgency=0.1, planned_revenue=1000.0)
    floor.submit("urgent", urgency=0.9)
    await floor.pass_hours(3)
    assert floor.launch_order() == ["urgent", "calm"]
    start = floor.store.rows("decisions")[0]
    assert (start["source"], start["index"], start["score"]) == ("matrix", None, 90.0)


@story
async def test_a_model_that_comes_back_soon_takes_over_from_the_matrix():
    floor = Floor(dollars=False)
    floor.submit("later", released_at=after(hours=5), planned_revenue=100.0)
    await floor.step()
    assert floor.standing("later").source == "matrix"
    floor.predictor.dollars = True
    await floor.pass_hours(0.125)
    assert floor.standing("later").source == "champion"


@story
async def test_every_start_and_every_yield_is_logged_with_its_grounds():
    floor = Floor()
    floor.submit("bulk", hours=4, chunks=8, planned_revenue=10.0)
    await floor.pass_hours(0.25)
    floor.submit("urgent", planned_revenue=1000.0)
    await floor.pass_hours(0.5)
    rows = floor.store.rows("decisions")
    assert [(r["campaign_id"], r["chosen"], r["rank"]) for r in rows] == [
        ("bulk", "start", 1),
        ("bulk", "yield", None),
        ("urgent", "start", 1),
    ]
    assert rows[1]["reason"] == "outranked by urgent"
    assert (rows[2]["model_version"], rows[2]["source"], rows[2]["value"]) == ("3", "champion", 1000.0)
    assert rows[2]["index"] > rows[0]["index"] > 0
    assert rows[2]["score"] > rows[0]["score"]


@story
async def test_the_board_tells_position_reason_and_arrival_of_everyone():
    floor = Floor(looks_ahead=True)
    for name, revenue in (("third", 10.0), ("first", 1000.0), ("second", 100.0)):
        floor.submit(name, planned_revenue=revenue)
    floor.submit("held", after=("nobody",))
    await floor.step()
    board = floor.tick.board
    assert [(e.standing.campaign_id, e.position, e.why and e.why.reason) for e in board.entries.values()] == [
        ("first", 1, None),
        ("second", 2, Reason.NO_WORKER),
        ("third", 3, Reason.OUTRANKED),
        ("held", 4, Reason.DEPENDS_ON),
    ]
    etas = (await floor.foreseen("third")).etas
    done = [hours_after_noon(etas[name].p50) for name in ("first", "second", "third")]
    assert done == pytest.approx([1.0, 2.0, 3.0], rel=0.3)
    assert [etas[name].start_p50 for name in ("second", "third")] == [etas[name].p50 for name in ("first", "second")]
    assert etas["first"].start_p90 == NOON
    assert (etas["held"].p50, etas["held"].start_p90) == (None, None)
    assert etas["third"].p90 > etas["third"].p50


@story
async def test_work_that_would_end_after_the_last_date_has_no_arrival_and_takes_nobody_elses():
    floor = Floor(slots=2, looks_ahead=True)
    floor.submit("endless", hours=1e9)
    floor.submit("brief")
    await floor.step()
    etas = (await floor.foreseen("brief")).etas
    assert (etas["endless"].p50, etas["endless"].p90) == (None, None)
    assert hours_after_noon(etas["brief"].p50) == pytest.approx(1.0, rel=0.3)
