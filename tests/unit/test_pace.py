"""What the scheduler believes of work under way, step by step: what the model says of it then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest

from features.curves import hours
from serving.api.answers import Place
from serving.clock import ManualClock
from serving.scheduling.asking import Asking
from serving.scheduling.books import Books
from serving.scheduling.policy import Policy
from serving.scheduling.preemption import Preemption
from serving.scheduling.roster import Roster
from serving.scheduling.rules import NO_RULES
from serving.scheduling.watch import Watch
from serving.scheduling.work import Forecast, Reached, Standing, Want
from serving.stores.memory import MemoryStore
from tests.floor import Floor, hours_after_noon, let_run, story
from tests.queueing import NOON, DeclaredWorth, after, reported, submitted_ready


@story
async def test_a_campaign_slower_than_predicted_is_believed_to_have_more_left_after_a_checkpoint():
    floor = Floor(looks_ahead=True)
    floor.predictor.by_pace = True
    floor.submit("slow", hours=8, work_units=200.0, planned_revenue=100.0, launch_by=after(hours=4))
    await floor.step()
    before = await floor.foreseen("slow")
    assert hours_after_noon(before.etas["slow"].p50) == pytest.approx(2.0, rel=0.2)
    assert Place.of(floor.standing("slow"), before).feasibility.probability > 0.9
    await floor.pass_hours(2)
    await floor.look_ahead()
    board, standing = floor.tick.board, floor.standing("slow")
    assert (standing.progress.spent_h, standing.estimate.left_p50_h) == pytest.approx((2.0, 6.0))
    assert standing.estimate.done_when_asked == pytest.approx(0.25)
    assert board.lineup.columns.remaining_h[0] == pytest.approx(6.0)
    assert hours_after_noon(board.etas["slow"].p50) == pytest.approx(8.0, rel=0.2)
    assert Place.of(standing, board).feasibility.probability < 0.1
    assert board.entry("slow").index < before.entry("slow").index


@story
async def test_who_turns_out_slow_makes_way_for_who_earns_more_in_an_hour():
    for by_pace, order in ((True, ["brief", "slow"]), (False, ["slow", "brief"])):
        floor = Floor(preemption=Preemption(factor=1.2, min_run_h=0.0))
        floor.predictor.by_pace = by_pace
        floor.submit("slow", hours=8, work_units=100.0, planned_revenue=150.0, ends_at=after(hours=72))
        floor.submit("brief", hours=1, planned_revenue=100.0, ends_at=after(hours=72))
        await floor.pass_hours(10)
        assert floor.launch_order() == order


@story
async def test_a_model_is_asked_once_for_every_tenth_of_the_work_and_no_more():
    floor = Floor()
    floor.submit("sale", hours=0.2, chunks=100)
    await floor.pass_hours(0.2, every_h=0.001)
    assert floor.launch_order() == ["sale"]
    assert 9 <= len(floor.predictor.asked) <= 12


@story
async def test_nobody_waits_for_an_answer_about_what_is_known_already():
    store, clock, predictor = MemoryStore(), ManualClock(NOON), Silent()
    watch = Watch(store, Roster(NO_RULES, lambda _: None, refresh_h=1.0), Books.opened(NO_RULES, hours(NOON)))
    asking, policy = Asking(store, predictor, clock, watch, lambda: None), Policy(12.0, None, Preemption())
    submitted_ready(store)
    watch.start(NOON)
    predictor.answers.set()
    await asking.answered(policy, patience_s=60)
    (lease,) = store.claim([Want("sale", 1)], "here", NOON, after(60))
    reported(store, lease, Reached(1, 5.0), after(30))
    clock.advance(120)
    watch.look(clock.now())
    predictor.answers.clear()
    async with asyncio.timeout(30):
        await asking.answered(policy, patience_s=3600)
    await let_run()
    assert predictor.asked == ["sale", "sale"]
    predictor.answers.set()
    await let_run()
    await asking.answered(policy, patience_s=3600)
    assert store.standing("sale", clock.now()).estimate.done_when_asked == 0.5


class Silent(DeclaredWorth):
    """Answers when it is let to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()

    async def forecast(self, asked: Sequence[Standing], at: datetime) -> Forecast:
        forecast = await super().forecast(asked, at)
        await self.answers.wait()
        return forecast
