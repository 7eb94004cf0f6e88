"""Work is done at least once and never lost: failures, stops, restarts, and schedulers that take over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

from features.records import Task
from serving.handlers.python import Checkpoint, Context
from serving.scheduling.reasons import Reason
from serving.scheduling.states import Event, State
from tests.floor import LEASE_S, Floor, let_run, story, until
from tests.queueing import a_task


@story
async def test_a_paused_campaign_stops_at_its_checkpoint_and_goes_on_when_resumed():
    floor = Floor()
    floor.submit("sale", hours=2, chunks=4)
    floor.submit("other", hours=1)
    floor.store.revise("sale", {}, pinned=True)
    await floor.pass_hours(0.25)
    floor.store.apply("sale", Event.PAUSE)
    await floor.pass_hours(2)
    assert floor.launch_order() == ["other"]
    standing = floor.standing("sale")
    assert (standing.state, standing.progress.units_done, standing.preemptions) == (State.PAUSED, 50.0, 0)
    floor.store.apply("sale", Event.RESUME)
    await floor.pass_hours(1.5)
    assert floor.launch_order() == ["other", "sale"]


@story
async def test_a_cancelled_campaign_stops_at_its_checkpoint():
    floor = Floor()
    floor.submit("sale", hours=2, chunks=2)
    await floor.pass_hours(0.5)
    floor.store.apply("sale", Event.CANCEL)
    await floor.pass_hours(2)
    assert (floor.running(), floor.completions(), floor.standing("sale").state) == ([], [], State.CANCELLED)


@story
async def test_a_poison_task_becomes_a_dead_letter_and_blocks_nobody():
    async def poison(_task: Task, _resume: Any, _context: Context) -> AsyncGenerator[Checkpoint, None]:
        raise ValueError("no such list")
        yield Checkpoint(None, 0)

    floor = Floor(handlers={"poison": poison})
    floor.submit("bad", handler="poison", planned_revenue=1000.0)
    floor.submit("good", planned_revenue=1.0)
    await floor.step()
    assert floor.running() == ["good"], "while it backs off, others run"
    why = floor.tick.board.entries["bad"].why
    assert why is not None
    assert why.reason is Reason.BACKING_OFF
    await floor.pass_hours(2)
    assert floor.launch_order() == ["good"]
    (letter,) = floor.store.dead_letters()
    assert (letter.campaign_id, letter.error, letter.attempts) == ("bad", "ValueError: no such list", 3)
    assert floor.standing("bad").state is State.FAILED


@story
async def test_a_flaky_task_is_tried_again_from_its_checkpoint():
    resumed = []

    async def flaky(task: Task, resume: Any, _context: Context) -> AsyncGenerator[Checkpoint, None]:
        resumed.append(resume)
        if resume is None:
            yield Checkpoint("half", task.units / 2)
            raise ConnectionError("throttled")

    floor = Floor(handlers={"flaky": flaky})
    floor.submit("sale", handler="flaky")
    await floor.pass_hours(1)
    assert resumed == [None, "half"]
    assert floor.completions() == [("sale", "t0")]


@story
async def test_an_unknown_handler_is_a_dead_letter_that_names_those_there_are():
    floor = Floor()
    floor.submit("sale", handler="smoke_signals")
    await floor.pass_hours(2)
    (letter,) = floor.store.dead_letters()
    assert "'smoke_signals' is not registered" in letter.error


@story
async def test_an_expired_lease_is_taken_over_at_its_checkpoint_and_the_old_worker_is_refused():
    first = Floor(owner="first")
    first.submit("sale", hours=4, chunks=4)
    await first.pass_hours(1.5)  # one checkpoint stored, the second chunk in the making
    # Its clock stands still, as a stalled machine's would, while another scheduler comes after the leases ran out.
    second = Floor(first.store, start=first.clock.now() + timedelta(seconds=2 * LEASE_S), owner="second")
    await second.step()
    assert second.executor.running()[0].lease.checkpoint == 1
    first.clock.advance(0.5 * 3600)
    await let_run()
    assert first.running() == [], "its checkpoint came under a stale lease"
    await second.pass_hours(3)
    assert second.completions() == [("sale", "t0")]
    chunks = [run["chunk"] for run in second.store.rows("runs") if run["units"]]
    assert chunks == [0, 1, 2, 3]


@story
async def test_a_second_scheduler_stands_by_until_the_first_is_gone():
    leading = Floor(owner="leading")
    leading.submit("sale")
    await leading.step()
    waiting = Floor(leading.store, owner="waiting")
    leading.submit("more")
    await waiting.step()
    assert waiting.running() == []
    assert [leading.tick.leads, waiting.tick.leads] == [True, False]
    assert set(waiting.tick.board.entries) == {"sale", "more"}, "it answers for the queue all the same"
    waiting.clock.advance(LEASE_S)
    await waiting.step()
    assert waiting.running() == ["sale"]


@story
async def test_a_scheduler_that_stops_leaves_the_lead_to_the_next():
    leading = Floor(owner="leading")
    running = asyncio.create_task(leading.tick.run())
    await let_run()
    waiting = Floor(leading.store, owner="waiting")
    await waiting.step()
    await leading.tick.stop(grace_s=0)
    await running
    await waiting.step()
    assert [leading.tick.leads, waiting.tick.leads] == [False, True]


@story
async def test_what_a_stand_by_saw_end_is_forgotten():
    leading = Floor(owner="leading")
    leading.submit("sale")
    await leading.step()
    waiting = Floor(leading.store, owner="waiting")
    await waiting.step()
    leading.store.apply("sale", Event.CANCEL)
    await leading.pass_hours(1)
    await waiting.step()
    assert waiting.tick.board.entries == {}


@story
async def test_a_restart_under_the_same_name_takes_over_at_once():
    killed = Floor()
    killed.submit("sale", hours=4, chunks=4)
    await killed.pass_hours(1)
    again = Floor(killed.store, start=killed.clock.now())
    await again.step()
    assert again.executor.running()[0].lease.checkpoint == 1


@story
async def test_tasks_added_while_the_last_one_finishes_are_done_too():
    floor = Floor()
    floor.submit("sale", hours=1)
    await floor.step()
    floor.clock.advance(3600)
    await let_run()
    more = a_task("more", payload={"slot_hours": 1, "chunks": 1})
    floor.store.add_tasks("sale", [more], floor.clock.now())
    await floor.pass_hours(2)
    assert floor.completions() == [("sale", "t0"), ("sale", "more")]
    assert floor.standing("sale").state is State.DONE


@story
async def test_the_loop_wakes_for_submissions_and_ends_when_stopped():
    floor = Floor()
    loop = asyncio.create_task(floor.tick.run())
    floor.submit("sale", hours=1, chunks=4)
    board = await floor.tick.refreshed()
    assert board.entries["sale"].standing.state is State.RUNNING
    floor.clock.advance(900)
    await until(lambda: floor.standing("sale").progress.chunks_done == 1)
    stopping = asyncio.create_task(floor.tick.stop(grace_s=5))
    await let_run()
    floor.clock.advance(900)
    await asyncio.gather(stopping, loop)
    progress = floor.standing("sale").progress
    assert (progress.units_done, progress.queued, progress.leased) == (50.0, 1, 0)


@story
async def test_a_step_that_fails_is_counted_and_the_next_one_goes_on(caplog):
    floor = Floor()
    loop = asyncio.create_task(floor.tick.run())
    floor.submit("sale")
    broken, floor.predictor.forecast = floor.predictor.forecast, None
    await floor.tick.refreshed()
    assert floor.tick.failed_steps == 1
    assert "step_failed" in caplog.text
    floor.predictor.forecast = broken
    board = await floor.tick.refreshed()
    assert board.entries["sale"].standing.state is State.RUNNING
    stopping = asyncio.create_task(floor.tick.stop(grace_s=0))
    await asyncio.gather(stopping, loop)
