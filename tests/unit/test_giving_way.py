"""Who is sent away while others of the same campaign are on their way out already."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from serving.scheduling.decide import decide
from serving.scheduling.ports import Running
from serving.scheduling.preemption import Preemption
from tests.floor import Floor, story

HOUR = timedelta(hours=1)


def until(runner: Running, hours: float) -> Running:
    """The runner, with a lease that runs out so many hours after it began."""
    assert runner.since is not None
    return replace(runner, lease=replace(runner.lease, until=runner.since + hours * HOUR))


@pytest.mark.parametrize(
    ("case", "sent"),
    [
        ("both run", 1),
        ("one is asked to give way", 0),
        ("one just gave way, which the store does not know yet", 0),
        ("one just gave way, and one whose lease ran out runs still", 0),
    ],
)
@story
async def test_a_task_on_its_way_out_counts_against_the_budget_before_the_store_knows(case: str, sent: int):
    floor = Floor(slots=2, preemption=Preemption(factor=1.0, min_run_h=1.0, budget=1))
    floor.submit("bulk", tasks=4, hours=9, planned_revenue=1.0)
    await floor.step()
    floor.submit("urgent", tasks=4, planned_revenue=900.0)
    await floor.step()
    board = replace(floor.tick.board, moment=floor.clock.now() + 2 * HOUR)
    first, second = (until(runner, hours=3) for runner in floor.executor.running())
    running = {
        "both run": [first, second],
        "one is asked to give way": [first, replace(second, yielding=True)],
        "one just gave way, which the store does not know yet": [first],
        "one just gave way, and one whose lease ran out runs still": [first, until(second, hours=1)],
    }
    assert sum(given_up.preempted for given_up in decide(board, running[case]).yields) == sent


@story
async def test_what_was_handed_out_ahead_is_taken_back_when_tasks_turn_out_large():
    floor = Floor(slots=2)
    floor.submit("mails", tasks=2)
    await floor.step()
    first, second = floor.executor.running()
    line = [Running(replace(first.lease, lease_id=f"line {n}"), None, yielding=False) for n in range(38)]
    small = floor.tick.board
    small = replace(small, lineup=replace(small.lineup, weight=np.array([0.05])))
    assert decide(small, [first, second, *line]).yields == []
    board = replace(small, moment=small.moment + timedelta(seconds=1))
    given_up = decide(board, [first, second, *line]).yields
    assert [y.running for y in given_up] == list(reversed(line)), "the last in line first, and nobody on a slot"
    assert not any(y.preempted for y in given_up)


@pytest.mark.parametrize(("weight", "back"), [(0.1, 0), (0.12, 20)])
@story
async def test_paces_may_waver_before_the_line_is_shortened_to_what_the_slots_do_soon(weight: float, back: int):
    floor = Floor(slots=2)
    floor.submit("mails", tasks=2)
    await floor.step()
    first, second = floor.executor.running()
    line = [Running(replace(first.lease, lease_id=f"line {n}"), None, yielding=False) for n in range(34)]
    board = replace(floor.tick.board, lineup=replace(floor.tick.board.lineup, weight=np.array([weight])))
    assert len(decide(board, [first, second, *line]).yields) == back
