"""What users of other schedulers ask for in vain, each as it would happen to them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from features.records import ValueShape
from serving.scheduling.preemption import Preemption
from serving.scheduling.reasons import Reason, Why
from serving.scheduling.rules import Cap, Limit, Reserve, Rules, Shares
from serving.scheduling.states import Event, State
from tests.floor import Floor, story
from tests.queueing import after

NO_RESERVE, NO_SHARES = Reserve(share=0.0), Shares(total=0.0)


def limits(**of_channels: Limit) -> Rules:
    return Rules(NO_RESERVE, NO_SHARES, {f"channel:{name}": limit for name, limit in of_channels.items()})


@story
async def test_a_flash_sale_runs_within_one_checkpoint_of_two_million_units_of_bulk():
    floor = Floor(preemption=Preemption(budget=2, min_run_h=0.0))
    floor.submit("bulk", hours=20_000, chunks=4_000, planned_revenue=1_000.0, ends_at=after(hours=30_000))
    await floor.pass_hours(15, every_h=2.5)
    floor.submit("flash", hours=1, chunks=1, planned_revenue=1_000.0, ends_at=after(hours=40))
    await floor.pass_hours(5, every_h=2.5)
    began = floor.began_h("flash")
    assert began is not None
    assert 15 <= began <= 20, "a checkpoint comes every five hours"
    await floor.pass_hours(5, every_h=0.5)
    bulk = floor.standing("bulk")
    assert (floor.standing("flash").state, bulk.state, bulk.preemptions) == (State.DONE, State.RUNNING, 1)
    chunks = [row["chunk"] for row in floor.store.rows("runs") if row["campaign_id"] == "bulk"]
    assert chunks == list(range(len(chunks))), "no chunk twice, none left out"


@story
async def test_a_throttled_head_delays_nobody_else():
    began = {}
    for throttled in (False, True):
        floor = Floor(slots=2, rules=limits(sms=Limit(rate_per_s=1e-3)))
        if throttled:
            for n in range(5):
                floor.submit(f"sms{n}", channel="sms", planned_revenue=9_000.0)
            await floor.pass_hours(1)  # the bucket is empty after a start, and holds no whole campaign anyway
        for n in range(6):
            floor.submit(f"mail{n}", planned_revenue=100.0 - n)
        await floor.pass_hours(5)
        start = floor.began_h("mail0")
        assert start is not None
        began[throttled] = [h - start for n in range(6) if (h := floor.began_h(f"mail{n}")) is not None]
    assert began[True] == began[False] == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]


@story
async def test_a_rate_holds_over_any_stretch_of_time():
    floor = Floor(slots=4, rules=limits(sms=Limit(rate_per_s=100 / 3600, burst=50)))
    for n in range(3):
        floor.submit(f"sms{n}", hours=2, chunks=8, channel="sms", planned_revenue=100.0)  # 25 units a chunk
    await floor.pass_hours(8)
    runs = [(row["started_at"], row["units"]) for row in floor.store.rows("runs")]
    assert sum(units for _, units in runs) >= 500, "and it is made use of"
    for at, (begins, _) in enumerate(runs):
        for upto in range(at + 1, len(runs) + 1):
            hours = (runs[upto - 1][0] - begins).total_seconds() / 3600
            assert sum(units for _, units in runs[at:upto]) <= 50 + 100 * hours + 1e-6
    assert floor.why("sms2") is None or floor.why("sms2").reason is Reason.RATE_LIMITED


@story
async def test_a_full_channel_is_said_and_a_better_campaign_of_it_takes_its_place():
    floor = Floor(slots=3, rules=limits(sms=Limit(concurrency=1)))
    floor.submit("slow", hours=8, chunks=8, channel="sms", planned_revenue=10.0)
    await floor.step()
    floor.submit("slower", hours=8, channel="sms", planned_revenue=9.0)
    await floor.step()
    assert floor.why("slower") == Why(Reason.CONCURRENCY_LIMITED, "channel:sms")
    floor.submit("urgent", channel="sms", planned_revenue=5_000.0)
    await floor.pass_hours(1.5)
    assert floor.running() == ["urgent"]


@story
async def test_a_valuable_campaign_is_not_stuck_behind_a_worthless_holder_of_its_key():
    floor = Floor(preemption=Preemption(budget=0))
    floor.submit("worthless", hours=4, tasks=2, planned_revenue=1.0, exclusive=("segment:vip",))
    await floor.pass_hours(1)
    for n in range(5):
        floor.submit(f"middling{n}", hours=2, planned_revenue=100.0)
    floor.submit("valuable", planned_revenue=9_000.0, exclusive=("segment:vip",), ends_at=after(hours=48))
    await floor.step()
    assert floor.why("valuable") == Why(Reason.CONFLICTS_WITH, "worthless")
    await floor.pass_hours(9)
    assert floor.launch_order() == ["worthless", "valuable"], (
        "its holder goes on before all that are worth more than it"
    )


@story
async def test_a_predecessor_goes_as_early_as_what_waits_for_it_would():
    floor = Floor(preemption=Preemption(budget=0))
    floor.submit("landing_page", planned_revenue=1.0)
    floor.submit("sale", planned_revenue=9_000.0, after=("landing_page",))
    for n in range(3):
        floor.submit(f"middling{n}", planned_revenue=100.0)
    await floor.step()
    assert floor.why("sale") == Why(Reason.DEPENDS_ON, "landing_page")
    await floor.pass_hours(5)
    assert floor.launch_order()[:2] == ["landing_page", "sale"]


@story
async def test_a_paused_campaign_lets_go_of_its_key():
    floor = Floor()
    floor.submit("first", hours=4, planned_revenue=100.0, exclusive=("segment:vip",))
    await floor.pass_hours(0.5)
    floor.submit("second", planned_revenue=90.0, exclusive=("segment:vip",))
    await floor.step()
    assert floor.why("second") == Why(Reason.CONFLICTS_WITH, "first")
    floor.store.apply("first", Event.PAUSE)
    await floor.pass_hours(1)
    assert floor.running() == ["second"]


@story
async def test_a_target_is_not_addressed_more_often_than_its_cap():
    floor = Floor(slots=3, rules=Rules(NO_RESERVE, NO_SHARES, cap=Cap(count=1, window_h=10)))
    for name in ("first", "second"):
        floor.submit(name, planned_revenue=100.0, targets={"vip": 100.0}, ends_at=after(hours=48))
    floor.submit("other", planned_revenue=50.0, targets={"new": 100.0})
    await floor.step()
    assert sorted(floor.running()) == ["first", "other"]
    assert floor.why("second") == Why(Reason.FREQUENCY_CAPPED, "vip", after(hours=10))
    await floor.pass_hours(11)
    assert floor.began_h("second") == pytest.approx(10, abs=0.2)


@story
async def test_nobody_starves_however_little_they_are_worth():
    share, max_wait_h, slots = 0.25, 10.0, 2
    floor = Floor(slots=slots, rules=Rules(Reserve(share, max_wait_h), NO_SHARES))
    for n in range(3):
        floor.submit(f"humble{n}", hours=2, chunks=4, planned_revenue=0.5 + n / 10, ends_at=after(hours=2_000))
    for hour in range(60):  # a load of one and a half, all worth a hundred times as much
        for n in range(3):
            floor.submit(f"grand{hour}-{n}", chunks=2, planned_revenue=100.0, ends_at=after(hours=2_000))
        await floor.pass_hours(1, every_h=0.25)
    began = [floor.began_h(f"humble{n}") for n in range(3)]
    assert all(h is not None for h in began)
    chunk_h = 0.5
    for place, h in enumerate(sorted(h for h in began if h is not None)):
        assert h <= max_wait_h + place * 2 / (share * slots) + chunk_h + 0.25


@story
async def test_each_account_gets_its_guaranteed_share_while_others_would_take_all():
    slots, hours = 4, 40
    floor = Floor(slots=slots, rules=Rules(NO_RESERVE, Shares(total=0.5, of={"small": 0.125})))
    floor.submit(
        "grand", hours=hours, tasks=2 * slots, chunks=4 * hours, planned_revenue=1e6, ends_at=after(hours=2_000)
    )
    await floor.pass_hours(4)
    floor.submit(
        "bulk", hours=hours, tasks=4, chunks=4 * hours, planned_revenue=5.0, account="small", ends_at=after(hours=2_000)
    )
    done = []
    for _ in range(5):
        await floor.pass_hours(8, every_h=0.25)
        done.append(floor.standing("bulk").progress.units_done / 100)
    gained = [after_ - before for before, after_ in pairwise([0.0, *done])]
    chunk_h = 0.25
    assert all(g >= 0.125 * slots * 8 - chunk_h for g in gained)
    assert sum(gained) <= 0.125 * slots * 40 + 2 * chunk_h, "and no more, as others press harder"


@story
async def test_an_idle_share_is_borrowed():
    floor = Floor(slots=4, rules=Rules(NO_RESERVE, Shares(total=0.5)))
    floor.submit("grand", tasks=8, planned_revenue=1e6)
    await floor.step()
    assert len(floor.running()) == 4


@story
async def test_what_is_worth_nothing_any_more_is_put_aside_with_a_record():
    floor = Floor()
    floor.submit("long", hours=3, planned_revenue=9e6)
    floor.submit(
        "late",
        planned_revenue=1.0,
        value_shape=ValueShape.DEADLINE,
        launch_by=after(hours=2),
        late_fraction=0.0,
        ends_at=None,
    )
    await floor.pass_hours(3)
    assert floor.standing("late").state is State.EXPIRED
    decisions = [row for row in floor.store.rows("decisions") if row["campaign_id"] == "late"]
    assert [(row["chosen"], row["reason"]) for row in decisions] == [("expire", "nothing left to win")]
