"""What is told to whoever adds and removes workers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from serving.scheduling.load import Load
from tests.floor import Floor, story
from tests.queueing import after

LEASE = timedelta(minutes=1)


@story
async def test_the_backlog_is_what_runs_or_could_start_and_no_more():
    floor = Floor()
    floor.submit("now", hours=2, tasks=4)
    floor.submit("tomorrow", hours=5, released_at=after(hours=24), ends_at=after(hours=48))
    await floor.step()
    board = floor.tick.board
    load = Load.of(board, board.moment, LEASE)
    assert (load.tasks, load.slots) == (4, board.slots)
    assert load.slot_h == pytest.approx(float(board.lineup.columns.remaining_h[board.row_of["now"]]))
    assert load.drain_h == pytest.approx(load.slot_h / load.slots)
    await floor.pass_hours(12)
    board = floor.tick.board
    assert Load.of(board, board.moment, LEASE) == Load(slots=board.slots)


@story
async def test_who_has_not_stepped_for_a_lease_does_not_lead_and_tells_of_no_load():
    floor = Floor()
    floor.submit("now", hours=2)
    await floor.step()
    board = floor.tick.board
    assert Load.of(board, board.moment + LEASE, LEASE).tasks == 1
    assert Load.of(board, board.moment + 2 * LEASE, LEASE) == Load()
