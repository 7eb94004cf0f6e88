"""What is told at once of campaigns that came after the latest outlook."""

from __future__ import annotations

from datetime import timedelta

import pytest

from serving.scheduling.ahead.eta import Eta
from serving.scheduling.ahead.turns import eta_of
from serving.scheduling.board import Board
from tests.floor import Floor, hours_after_noon, story
from tests.queueing import NOON, after


async def late_among_three(**facts: object) -> tuple[Eta | None, Board]:
    """One that came after the outlook of a runner and two that wait."""
    floor = Floor(looks_ahead=True)
    for name, revenue in (("first", 1000.0), ("second", 100.0), ("third", 10.0)):
        floor.submit(name, planned_revenue=revenue)
    await floor.step()
    await floor.foreseen("third")
    floor.submit("late", **facts)
    await floor.step()
    board = floor.tick.board
    assert "late" not in board.etas
    return eta_of(board, "late"), board


@story
async def test_it_takes_the_turn_of_the_one_it_pushes_back():
    eta, board = await late_among_three(planned_revenue=50.0, launch_by=after(hours=2.5))
    pushed_back = board.etas["third"]
    assert (eta.start_p50, eta.start_p90) == (pushed_back.start_p50, pushed_back.start_p90)
    assert eta.p50 - eta.start_p50 == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=1))
    assert eta.p90 > eta.p50
    assert 0.1 < eta.in_time < 0.5


@story
async def test_the_last_in_line_goes_on_where_the_one_before_it_is_done():
    eta, board = await late_among_three(planned_revenue=1.0)
    assert (eta.start_p50, eta.start_p90) == (board.etas["third"].p50, board.etas["third"].p90)
    assert eta.in_time is None


@story
async def test_what_has_begun_is_known_to_have():
    floor = Floor()
    floor.submit("first")
    floor.submit("second")
    await floor.step()
    running, waiting = (eta_of(floor.tick.board, name) for name in ("first", "second"))
    assert (running.start_p50, running.start_p90) == (NOON, NOON)
    assert hours_after_noon(running.p50) == pytest.approx(1.0)
    assert waiting.start_p50 == running.p50


@story
async def test_it_does_not_take_the_turn_of_one_that_began_before():
    floor = Floor(looks_ahead=True)
    floor.submit("begun", planned_revenue=10.0)
    floor.submit("third", planned_revenue=5.0)
    await floor.pass_hours(0.5)
    floor.submit("urgent", planned_revenue=9000.0)
    await floor.pass_hours(0.5)
    assert floor.running() == ["urgent"]
    await floor.foreseen("urgent")
    floor.submit("late", planned_revenue=100.0)
    await floor.step()
    board = floor.tick.board
    begun, late = board.entry("begun"), board.entry("late")
    assert (late.position + 1, begun.standing.begun_at) == (begun.position, NOON)
    assert eta_of(board, "late").start_p50 == board.etas["third"].start_p50


@story
async def test_of_what_is_held_nothing_is_known_at_once():
    eta, _ = await late_among_three(planned_revenue=50.0, after=("nobody",))
    assert eta is None


@story
async def test_of_one_behind_many_that_are_as_new_nothing_is_known_yet():
    floor = Floor()
    for n in range(4):
        floor.submit(f"c{n}", planned_revenue=10.0 - n)
    await floor.step()
    assert eta_of(floor.tick.board, "c3") is None
    assert eta_of(floor.tick.board, "gone") is None
