"""The process that computes beside the scheduler's: what it is asked, and what becomes of it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from functools import partial

import pytest

from serving.errors import NotReady
from serving.sidecar import Sidecar
from tests.floor import Floor, looking, story, until


@story
async def test_calls_are_carried_out_elsewhere_one_after_the_other_by_one_process():
    sidecar = Sidecar()
    pids = await asyncio.gather(*(sidecar(os.getpid) for _ in range(3)))
    assert len(set(pids)) == 1
    assert pids[0] != os.getpid()
    assert await sidecar(partial(bytes, 3_000_000)) == bytes(3_000_000)
    await sidecar.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


@story
async def test_what_a_call_raises_is_raised_here_and_the_next_is_carried_out():
    sidecar = Sidecar()
    with pytest.raises(ValueError, match="invalid literal"):
        await sidecar(partial(int, "nothing"))
    assert await sidecar(partial(int, "7")) == 7
    await sidecar.close()


@story
async def test_a_process_that_dies_fails_its_call_only():
    sidecar = Sidecar()
    pid = await sidecar(os.getpid)
    dying = asyncio.ensure_future(sidecar(partial(time.sleep, 60)))
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(NotReady):
        await dying
    assert await sidecar(os.getpid) != pid
    await sidecar.close()


@story
async def test_a_call_that_is_given_up_leaves_no_answer_to_the_next():
    sidecar = Sidecar()
    await sidecar(os.getpid)
    given_up = asyncio.ensure_future(sidecar(partial(pow, 3, 2)))
    await asyncio.sleep(0)
    given_up.cancel()
    with suppress(asyncio.CancelledError):
        await given_up
    assert await sidecar(partial(pow, 2, 2)) == 4
    await sidecar.close()


@story
async def test_closing_does_not_wait_for_what_is_under_way():
    sidecar = Sidecar()
    endless = asyncio.ensure_future(sidecar(partial(time.sleep, 3600)))
    await until(lambda: sidecar._process is not None)
    await asyncio.wait_for(sidecar.close(), timeout=10)
    with pytest.raises(NotReady):
        await endless


@story
async def test_an_outlook_is_the_same_from_there():
    floor, sidecar = Floor(), Sidecar()
    for n in range(5):
        floor.submit(f"c{n}", planned_revenue=100.0 * n, exclusive=("segment:vip",) if n % 2 else ())
    await floor.step()
    board = floor.tick.board
    here, there = await looking().of(board), await looking(sidecar).of(board)
    assert dict(here) == dict(there)
    await sidecar.close()
