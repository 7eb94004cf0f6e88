"""Many who claim from one store at once: how much they lease a second between them, and that nobody leases twice."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

from serving.scheduling.work import Want
from serving.stores.sql import SqlStore
from tests.bench.ours.services import RELEASED

AT_ONCE, CLAIMS = 100, 20
"""Tasks a claim is for, one of each of so many campaigns, and claims that each makes."""


def claimed_by(url: str, claimers: int, campaigns: int) -> tuple[float, int]:
    """Tasks leased a second by so many processes, and how many of them were leased twice."""
    context = get_context("spawn")
    begin = context.Barrier(claimers)
    with context.Pool(claimers, initializer=_get_ready, initargs=(begin,)) as pool:
        given = [(url, number, claimers, campaigns) for number in range(claimers)]
        done = pool.starmap(_claim, given, chunksize=1)
    keys = Counter(key for _, _, leased in done for key in leased)
    took_s = max(ended for _, ended, _ in done) - min(begun for begun, _, _ in done)
    return sum(keys.values()) / took_s, sum(count > 1 for count in keys.values())


_BARRIERS: list[Barrier] = []
"""The one of this process."""


def _get_ready(begin: Barrier) -> None:
    _BARRIERS.append(begin)


def _claim(url: str, number: int, claimers: int, campaigns: int) -> tuple[float, float, list[int]]:
    """When it began and ended, and the keys of what it leased."""
    keys: list[int] = []
    at = RELEASED + timedelta(hours=2)
    with closing(SqlStore(url)) as store:
        (begin,) = _BARRIERS
        begin.wait()
        begun = time.monotonic()
        for turn in range(CLAIMS):
            first = (turn * claimers + number) * AT_ONCE
            wanted = [Want(f"full-{(first + each) % campaigns}", 1) for each in range(AT_ONCE)]
            keys += [lease.key for lease in store.claim(wanted, f"w{number}", at, at + timedelta(hours=1))]
        return begun, time.monotonic(), keys
