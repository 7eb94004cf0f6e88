"""A load of no-op tasks through the real services: first PUT to last task done and recorded."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from serving.client import QueueClient
from tests.bench.ours.services import campaign, served, tasks
from tests.bench.peers.load import Load, Ran, until


def measured(load: Load, directory: Path, *, slots: int, publishers: int) -> Ran:
    """Submit a load by PUTs over several connections while it runs, until the last task is done and recorded.

    Raises
    ------
    RuntimeError
        When a campaign is not done in the end.
    """
    with (
        served(directory / "home", workers=slots) as services,
        QueueClient(services.url) as asking,
        ThreadPoolExecutor(publishers) as threads,
    ):
        began = time.perf_counter()
        shares = [range(nth, load.campaigns, publishers) for nth in range(publishers)]
        list(threads.map(lambda numbers: submit(services.url, load, numbers), shares))
        submitted_s = time.perf_counter() - began
        until(lambda: asking.queue(limit=1).total == 0, "Precedence ran all", 0.05)
        finished_s = time.perf_counter() - began
        kpis = asking.kpis()
    if kpis["done"] != load.campaigns or kpis["dead_letters"]:
        raise RuntimeError(f"of {load.campaigns} campaigns {kpis['done']} are done, {kpis['dead_letters']} tasks dead")
    return Ran(f"Precedence, {slots} slots, {publishers} connections", load, submitted_s, finished_s)


def submit(url: str, load: Load, numbers: Iterable[int]) -> None:
    """Put some campaigns, over one connection."""
    with QueueClient(url) as client:
        for number in numbers:
            given = campaign(number)
            client.submit(given, tasks(given.campaign_id, load.tasks_each))
