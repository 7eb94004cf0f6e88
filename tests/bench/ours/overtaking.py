"""A top campaign submitted behind a million queued tasks: how long from its PUT until its work begins."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from serving.client import QueueClient
from serving.clock import SystemClock
from serving.stores.sql import SqlStore
from tests.bench.ours.services import campaign, served, tasks
from tests.bench.peers.load import until

SLOTS = 4

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "preemptible": {"preemption_min_run_s": 0.0, "preemption_factor": 1.0, "preemption_budget": 1_000_000},
    "free": {"limits": json.dumps({"channel:mail": {"concurrency": SLOTS // 2}})},
}
"""A slot is preemptible where bulk holds all of them, and free where bulk may hold but half."""

TOP: Mapping[str, Any] = {"planned_revenue": 1e9, "urgency": 1.0, "targets": {"everybody": 1e6}}
"""What makes a campaign more pressing than any of the bulk, which reaches two thirds of all points."""


@dataclass(frozen=True)
class Overtaken:
    """Seconds from PUT to start, one a campaign, and the scheduler's resident megabytes with the queue behind it."""

    waited_s: list[float]
    answered_s: list[float]
    memory_mb: float

    def late_s(self) -> float:
        """What 95 of 100 do not exceed, from PUT to start."""
        return quantiles(self.waited_s, n=20)[-1]


def filled(home: Path, campaigns: int, tasks_each: int) -> None:
    """A queue of bulk work, as if submitted before the scheduler started."""
    home.mkdir()
    store, now = SqlStore(f"sqlite:///{home / 'queue.db'}"), SystemClock().now()
    for number in range(campaigns):
        given = campaign(number, work_units=1000.0)
        store.submit(given, tasks(given.campaign_id, tasks_each, "bulk"), now)
    store.close()


def overtaking(home: Path, slot: str, puts: int) -> Overtaken:
    """Submit top campaigns one after the other behind the bulk in `home`, where a slot is `free` or `preemptible`."""
    begun = home / "began"
    begun.touch()
    waited, answered = [], []
    with served(home, workers=SLOTS, **SETTINGS[slot]) as services, QueueClient(services.url) as client:
        until(lambda: running(client, SLOTS // 2), "bulk runs")
        for number in range(puts):
            given = campaign(number, **TOP, campaign_id=f"top-{slot}-{number}", channel="push")
            work = tasks(given.campaign_id, 1, "began", {"file": str(begun)})
            put = time.monotonic()
            client.submit(given, work)
            answered.append(time.monotonic() - put)
            until(lambda named=given.campaign_id: named in times(begun), "the top campaign began", 0.005)
            waited.append(times(begun)[given.campaign_id] - put)
        memory_mb = services.memory_mb()
    return Overtaken(waited, answered, memory_mb)


def running(client: QueueClient, least: int) -> bool:
    """Whether so many campaigns hold slots."""
    return client.queue(limit=1, state="running").total >= least


def times(begun: Path) -> dict[str, float]:
    """When each campaign's work began."""
    lines = begun.read_text().splitlines()
    return {name: float(at) for name, _, at in (line.rpartition(" ") for line in lines)}
