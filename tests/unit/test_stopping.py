"""A campaign that ended while its tasks run still: what they use is used until they stop at a checkpoint."""

from __future__ import annotations

import pytest

from serving.scheduling.rules import NO_RULES, Limit, Rules
from serving.scheduling.states import Event, State
from tests.floor import Floor, story

ONE_AT_A_TIME = Rules(NO_RULES.reserve, NO_RULES.shares, limits={"channel:email": Limit(concurrency=1)})


@pytest.mark.parametrize(("rules", "facts"), [(ONE_AT_A_TIME, {}), (NO_RULES, {"exclusive": ("vip",)})])
@story
async def test_what_a_cancelled_campaign_holds_is_free_once_its_task_stops(rules, facts):
    floor = Floor(slots=2, rules=rules)
    floor.submit("first", hours=2, chunks=2, planned_revenue=100.0, **facts)
    await floor.pass_hours(0.25)
    floor.submit("second", planned_revenue=50.0, **facts)
    floor.store.apply("first", Event.CANCEL)
    await floor.step()
    assert floor.running() == ["first"]
    await floor.pass_hours(0.875)
    assert (floor.standing("first").state, floor.running()) == (State.CANCELLED, ["second"])


@story
async def test_units_done_by_a_cancelled_campaign_count_against_its_rate():
    rules = Rules(NO_RULES.reserve, NO_RULES.shares, limits={"channel:email": Limit(rate_per_s=0.01, burst=100.0)})
    floor = Floor(slots=2, rules=rules)
    await floor.pass_hours(3)  # the bucket fills
    floor.submit("first", hours=1, chunks=1, planned_revenue=100.0)
    await floor.pass_hours(0.5)
    floor.submit("second", hours=1, chunks=1, planned_revenue=50.0)
    floor.store.apply("first", Event.CANCEL)
    await floor.pass_hours(1)
    assert floor.running() == [], "a hundred units were just sent"
    await floor.pass_hours(2.5)
    assert floor.running() == ["second"]
