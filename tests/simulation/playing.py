"""Plays seeds one after another, in as many processes as asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context

from tests.simulation.simulation import Outcome, simulate

BLOCK = 4
"""Seeds a process is given at a time."""


def quiet() -> None:
    """Faults are the point here: what the code logs about them is of no interest."""
    logging.disable(logging.CRITICAL)


def played_by(processes: int, first: int) -> Iterator[Outcome]:
    """Outcomes of seeds from `first` on, in order, played by so many processes for as long as anybody asks."""
    if processes == 1:
        yield from (simulate(seed) for seed in count(first))
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=quiet) as pool:
        starts = count(first, BLOCK)
        ahead = [pool.submit(block, next(starts)) for _ in range(2 * processes)]
        try:
            while True:
                outcomes = ahead.pop(0).result()
                ahead.append(pool.submit(block, next(starts)))
                yield from outcomes
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def block(first: int) -> list[Outcome]:
    """Play some seeds."""
    return [simulate(seed) for seed in range(first, first + BLOCK)]
