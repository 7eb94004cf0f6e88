"""Who looks ahead, when, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from serving.scheduling.ahead.lookout import Lookout
from serving.scheduling.ahead.outlook import Outlook
from serving.scheduling.board import Board
from tests.floor import Floor, let_run, looking, story, until
from tests.queueing import after


class Gate:
    """Carries out a look when told to."""

    def __init__(self) -> None:
        self.asked, self.open = 0, asyncio.Event()

    async def __call__(self, look: Callable[[], Outlook]) -> Outlook:
        self.asked += 1
        await self.open.wait()
        return look()


async def board_of(*names: str) -> Board:
    floor = Floor()
    for name in names:
        floor.submit(name)
    await floor.step()
    return floor.tick.board


async def foreseen(lookout: Lookout, *names: str) -> None:
    """Wait until an outlook has these campaigns and no others."""
    await until(lambda: set(lookout.etas) == set(names))


@story
async def test_who_asks_about_a_campaign_that_the_latest_outlook_lacks_gets_another():
    lookout = looking()
    lookout.see(await board_of("first"))
    await foreseen(lookout, "first")
    lookout.see(await board_of("first", "second"))
    lookout.ask("second")
    await foreseen(lookout, "first", "second")
    assert lookout.looks == 2
    lookout.stop()


@story
async def test_nobody_who_is_in_the_latest_outlook_causes_another():
    lookout = looking()
    board = await board_of("first")
    lookout.see(board)
    await foreseen(lookout, "first")
    for _ in range(5):
        lookout.see(board)
        lookout.ask("first")
        await let_run()
    assert lookout.looks == 1
    lookout.stop()


@story
async def test_those_who_ask_while_a_look_is_under_way_share_the_next():
    gate = Gate()
    lookout = looking(gate)
    lookout.see(await board_of("first"))
    await let_run()
    lookout.see(await board_of("first", "second", "third"))
    for name in ("second", "third", "second"):
        lookout.ask(name)
    await let_run()
    assert (gate.asked, lookout.looks) == (1, 0)
    gate.open.set()
    await foreseen(lookout, "first", "second", "third")
    await let_run()
    assert gate.asked == 2
    lookout.stop()


@story
async def test_a_look_that_fails_leaves_the_last_outlook_and_the_next_is_taken():
    failing = iter([False, True, False])
    asked = []

    async def sometimes(look: Callable[[], Outlook]) -> Outlook:
        asked.append(look)
        if next(failing):
            raise RuntimeError("no memory")
        return look()

    lookout = looking(sometimes)
    lookout.see(await board_of("first"))
    await foreseen(lookout, "first")
    lookout.see(await board_of("first", "second"))
    lookout.ask("second")
    await until(lambda: len(asked) == 2)
    assert set(lookout.etas) == {"first"}
    lookout.ask("second")
    await foreseen(lookout, "first", "second")
    lookout.stop()


@story
async def test_what_came_before_is_expected_to_come_again():
    floor = Floor(looks_ahead=True)
    for hour in range(30):
        floor.submit(f"quick{hour}", hours=0.6, planned_revenue=900.0, ends_at=after(hours=hour + 24))
        await floor.pass_hours(1, every_h=0.5)
        await floor.foreseen(f"quick{hour}")
    floor.submit("poor", hours=0.5, planned_revenue=1.0, ends_at=after(hours=900))
    floor.submit("rich", hours=8, planned_revenue=9e6, ends_at=after(hours=100))
    await floor.step()
    etas = (await floor.foreseen("rich")).etas
    # Eight hours of the rich one, and in each better work of .6 hours that brings more in turn: 8 / (1 - .6).
    assert etas["poor"].start_p90 is None or etas["poor"].start_p90 > after(hours=30 + 20)
    assert etas["poor"].start_p50 > after(hours=30 + 12)


@story
async def test_what_was_there_in_the_first_minute_is_not_expected_every_minute():
    floor = Floor(slots=4, looks_ahead=True)
    for n in range(40):
        floor.submit(f"c{n}", hours=0.1)
    await floor.step()
    etas = (await floor.foreseen("c39")).etas
    assert max(eta.p90 for eta in etas.values()) < after(hours=3)
