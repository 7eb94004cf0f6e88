"""Each of the ten reasons is the true one: a campaign waits for just what is named, and starts once that is gone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from features.records import Task
from serving.handlers.contract import Checkpoint, Context
from serving.handlers.python import Steps
from serving.scheduling.preemption import Preemption
from serving.scheduling.reasons import Reason, Why
from serving.scheduling.rules import Cap, Limit, Reserve, Rules, Shares
from serving.scheduling.states import Event
from tests.floor import Floor, story
from tests.queueing import NOON, after

RULES = Rules(
    Reserve(share=0.0),
    Shares(total=0.0),
    {"channel:sms": Limit(concurrency=1), "channel:push": Limit(rate_per_s=100 / 3600, burst=25)},
    cap=Cap(count=1, window_h=3),
)
SLOTS = 2
STEP_H = 0.125


def fails_once() -> Steps:
    """Work that does not go through the first time."""
    tries = count(1)

    async def steps(task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
        if next(tries) == 1:
            raise ConnectionError("the mail server hangs up")
        await context.clock.sleep(3600)
        yield Checkpoint(1, task.units)

    return steps


@dataclass(frozen=True)
class Case:
    """What was submitted when `asked` waits, why it does, and what ends that, where time alone does not."""

    arrange: Callable[[Floor], None]
    why: Why
    starts_h: float
    lift: Callable[[Floor], None] | None = None
    others_run: int = 0


def beside(**facts: Any) -> Callable[[Floor], None]:
    """Another campaign that is worth more, and takes two hours."""

    def arrange(floor: Floor) -> None:
        floor.submit("other", hours=2, planned_revenue=9_000.0, **facts.pop("other", {}))
        floor.submit("asked", planned_revenue=10.0, **facts)

    return arrange


def alone(**facts: Any) -> Callable[[Floor], None]:
    """`asked` and nobody else."""
    return lambda floor: floor.submit("asked", planned_revenue=10.0, **facts)


def paused(floor: Floor) -> None:
    floor.submit("asked")
    floor.store.apply("asked", Event.PAUSE)


def busy(floor: Floor, *, waiting: bool) -> None:
    """All slots are taken for two hours, and one that is worth more waits too, for as long as it is asked."""
    for n in range(SLOTS):
        floor.submit(f"runs{n}", hours=2, planned_revenue=9_000.0)
    if waiting:
        floor.submit("ahead", hours=2, tasks=SLOTS, planned_revenue=500.0)
    floor.submit("asked", planned_revenue=10.0)


VIP = {"exclusive": ("segment:vip",)}
AT_VIPS = {"targets": {"vip": 100.0}}
SMS = {"channel": "sms"}
CASES = {
    Reason.PAUSED: Case(paused, Why(Reason.PAUSED), 1, lambda floor: floor.store.apply("asked", Event.RESUME)),
    Reason.NOT_RELEASED: Case(alone(released_at=after(hours=2)), Why(Reason.NOT_RELEASED, until=after(hours=2)), 2),
    Reason.DEPENDS_ON: Case(beside(after=("other",)), Why(Reason.DEPENDS_ON, "other"), 2, others_run=1),
    Reason.BACKING_OFF: Case(alone(handler="fails_once"), Why(Reason.BACKING_OFF), 0.25),
    Reason.CONFLICTS_WITH: Case(beside(**VIP, other=VIP), Why(Reason.CONFLICTS_WITH, "other"), 2, others_run=1),
    Reason.FREQUENCY_CAPPED: Case(
        beside(**AT_VIPS, other=AT_VIPS), Why(Reason.FREQUENCY_CAPPED, "vip", after(hours=3)), 3, others_run=1
    ),
    Reason.CONCURRENCY_LIMITED: Case(
        beside(**SMS, other=SMS), Why(Reason.CONCURRENCY_LIMITED, "channel:sms"), 2, others_run=1
    ),
    # The bucket is empty after a start; a chunk of 25 units takes a quarter of an hour to come together.
    Reason.RATE_LIMITED: Case(
        alone(channel="push"), Why(Reason.RATE_LIMITED, "channel:push", NOON + timedelta(minutes=15)), 0.25
    ),
    Reason.OUTRANKED: Case(
        lambda floor: busy(floor, waiting=True), Why(Reason.OUTRANKED, "ahead"), 4, others_run=SLOTS
    ),
    Reason.NO_WORKER: Case(lambda floor: busy(floor, waiting=False), Why(Reason.NO_WORKER), 2, others_run=SLOTS),
}


def test_there_is_a_case_for_each_reason() -> None:
    assert set(CASES) == set(Reason)


@pytest.mark.parametrize("reason", list(Reason))
@story
async def test_what_a_campaign_is_said_to_wait_for_is_all_it_waits_for(reason: Reason) -> None:
    case = CASES[reason]
    floor = Floor(slots=SLOTS, rules=RULES, preemption=Preemption(budget=0), handlers={"fails_once": fails_once()})
    case.arrange(floor)
    await floor.step()
    told = floor.why("asked")
    assert told is not None
    assert (told.reason, told.object) == (case.why.reason, case.why.object)
    assert case.why.until is None or told.until == case.why.until
    assert len(floor.running()) == case.others_run, "a free slot alone does not help it"
    if told.until is not None:
        await floor.pass_hours((told.until - NOON) / timedelta(hours=1) - STEP_H, STEP_H)
        assert floor.why("asked") == told
    else:
        await floor.pass_hours(case.starts_h - STEP_H, STEP_H)
        assert floor.why("asked") is not None
    if case.lift is not None:
        case.lift(floor)
    await floor.pass_hours(2 * STEP_H, STEP_H)
    assert "asked" in floor.running()
    assert floor.why("asked") is None
