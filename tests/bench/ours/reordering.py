"""A store full of queued work, scored anew and claimed from: what a scheduler asks of it between two steps."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from features.curves import hours
from serving.scheduling.books import Books
from serving.scheduling.roster import Roster
from serving.scheduling.rules import Rules
from serving.scheduling.states import Event, State
from serving.scheduling.watch import Watch
from serving.scheduling.work import Completed, Forecast, Lease, Move, Released, Want
from serving.stores.sql import SqlStore
from tests.bench.ours.services import RELEASED, campaign, tasks
from tests.queueing import an_estimate

DRAINED, FULL = 9_000, 1_000
"""Campaigns that are live with nothing left to lease, and such with queued tasks."""

AT_ONCE = 500
"""Campaigns submitted in one transaction: a store is filled, not served."""

CLAIMED = 100
ROUNDS = 21


@dataclass(frozen=True)
class Measured:
    """What it took with so many tasks queued; seconds, the medians of `ROUNDS`.

    Attributes
    ----------
    rescored_s : all campaigns scored anew, durably.
    claimed_s : 100 tasks leased, one of each of 100 campaigns.
    stale_s : the same 100 leased by one who still believes that there is something to lease of all drained campaigns.
    reported_s : 100 tasks given back.
    looked_s : what changed since was read, one campaign of all.
    started_s : all campaigns read, as by a scheduler that takes the lead; once.
    bytes_a_campaign : that it then keeps in memory.
    bytes_on_disk : of the database.
    """

    queued: int
    rescored_s: float
    claimed_s: float
    stale_s: float
    reported_s: float
    looked_s: float
    started_s: float
    bytes_a_campaign: float
    bytes_on_disk: int


def measured(store: SqlStore, tasks_each: int, bytes_on_disk: Callable[[], int]) -> Measured:
    """The figures of an empty store, once it has so many tasks queued of each campaign that has any."""
    _fill(store, tasks_each)
    at = RELEASED + timedelta(hours=1)
    started_s, standings_bytes = _started(store, at)
    spread = [Want(f"full-{number}", 1) for number in range(CLAIMED)]
    stale = [*(Want(f"drained-{number}", 1) for number in range(DRAINED)), *spread]
    claimed_s, reported_s = _claims(store, spread, at)
    stale_s, _ = _claims(store, stale, at)
    return Measured(
        queued=store.backlog().tasks,
        rescored_s=_rescored(store, at),
        claimed_s=median(claimed_s),
        stale_s=median(stale_s),
        reported_s=median(reported_s),
        looked_s=_looked(store, at),
        started_s=started_s,
        bytes_a_campaign=standings_bytes / (DRAINED + FULL),
        bytes_on_disk=bytes_on_disk(),
    )


def _fill(store: SqlStore, tasks_each: int) -> None:
    """Campaigns that are drained but not over, and others behind them with all their tasks queued."""
    _submit(store, "drained", DRAINED, 1)
    drained = [f"drained-{number}" for number in range(DRAINED)]
    leases = store.claim([Want(name, 1) for name in drained], "bench", RELEASED, RELEASED)
    store.report([(lease, Completed()) for lease in leases], RELEASED, RELEASED)
    _submit(store, "full", FULL, tasks_each)


def _submit(store: SqlStore, name: str, count: int, tasks_each: int) -> None:
    for start in range(0, count, AT_ONCE):
        with store.at_once():
            for number in range(start, min(start + AT_ONCE, count)):
                own = f"{name}-{number}"
                store.submit(campaign(number, campaign_id=own), tasks(own, tasks_each), RELEASED)
                store.move([Move(campaign_id=own, before=State.SUBMITTED, event=Event.CLEAR)], RELEASED)


def _started(store: SqlStore, at: datetime) -> tuple[float, int]:
    """Seconds until a scheduler knows all campaigns, and the bytes it keeps of them."""
    rules = Rules()

    def start() -> Watch:
        watch = Watch(store, Roster(rules, lambda _: None, 1.0), Books.opened(rules, hours(at)))
        watch.start(at)
        return watch

    began = time.perf_counter()
    start()
    took = time.perf_counter() - began
    store._reader.forget_all_but(())
    tracemalloc.start()
    kept = start()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return took, size


def _rescored(store: SqlStore, at: datetime) -> float:
    """Seconds for all campaigns to be scored anew, from estimates to disk."""
    asked = store.live(at).standings
    took: list[float] = []
    for turn in range(ROUNDS):
        estimates = tuple(an_estimate(s.campaign_id, value=100.0 + turn) for s in asked)
        forecast = Forecast(
            model_version=str(turn), source="champion", horizon_h=12.0, index_quantiles=(), estimates=estimates
        )
        scores = [float(number * (turn + 7) % 100) for number in range(len(asked))]
        with _timed(took):
            store.estimated(asked, forecast, scores, at)
    return median(took)


def _claims(store: SqlStore, wanted: list[Want], at: datetime) -> tuple[list[float], list[float]]:
    """Seconds of claims, and of giving back what they leased, which puts it in line again."""
    claimed: list[float] = []
    reported: list[float] = []
    for _ in range(ROUNDS):
        leases: list[Lease] = []
        with _timed(claimed):
            leases += store.claim(wanted, "bench", at, at + timedelta(minutes=1))
        if len(leases) != CLAIMED:
            raise RuntimeError(f"{len(leases)} tasks were leased of {CLAIMED}")
        with _timed(reported):
            store.report([(lease, Released(preempted=False)) for lease in leases], at, at)
    return claimed, reported


def _looked(store: SqlStore, at: datetime) -> float:
    """Seconds to read what changed, where one campaign did."""
    took: list[float] = []
    mark = store.live(at).mark
    for turn in range(ROUNDS):
        store.revise("full-0", {}, pinned=bool(turn % 2))
        with _timed(took):
            seen = store.changed(mark, at)
        mark = seen.mark
    return median(took)


@contextmanager
def _timed(took: list[float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    took.append(time.perf_counter() - began)
