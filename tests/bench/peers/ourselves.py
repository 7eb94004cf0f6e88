"""Precedence itself, as anybody runs it: both services, a SQLite file, campaigns by PUT, a handler that does nothing.

There is no champion, so the matrix orders the work; each answer of PUT says where the campaign got.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

from features.records import Campaign, Task
from serving.client import QueueClient
from serving.handlers.python import Checkpoint, Context
from tests.bench.peers.load import Load, Ran, until
from tests.integration.servers import free_port, is_ready, process

RELEASED = datetime(2026, 1, 1, tzinfo=UTC)


async def nothing(task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
    """Do nothing, like the peers' tasks."""
    return
    yield  # a generator, as every handler


def campaign(number: int) -> Campaign:
    """One of many campaigns, each worth something else."""
    return Campaign(
        campaign_id=f"c{number:06d}",
        account=f"account {number % 10}",
        kind="newsletter",
        channel="mail",
        released_at=RELEASED,
        ends_at=RELEASED + timedelta(days=36500),
        work_units=100.0,
        planned_revenue=100.0 + number * 7919 % 1000,
        urgency=number * 31 % 100 / 100,
    )


def tasks(campaign_id: str, count: int) -> list[Task]:
    """So many tasks that do nothing."""
    return [Task(task_id=f"t{n}", campaign_id=campaign_id, handler="nothing", units=1.0) for n in range(count)]


@contextmanager
def served(directory: Path, *, slots: int, **settings: object) -> Iterator[tuple[str, Popen[bytes]]]:
    """Both services with a home of their own; yields the address of the queue, and the process that runs them."""
    ports = {"priority_port": free_port(), "scheduler_port": free_port()}
    given = {
        "home": directory / "home",
        "workers": slots,
        "handlers": f"nothing={__name__}:nothing",
        **ports,
        **settings,
    }
    environment = {f"PRECEDENCE_{name.upper()}": str(value) for name, value in given.items()}
    log = directory / "precedence.log"
    command = [sys.executable, "-m", "serving.cli", "serve"]
    with process(command, log, {**environment, "PYTHONPATH": str(Path.cwd())}) as running:
        url = f"http://127.0.0.1:{ports['scheduler_port']}"
        until(lambda: running.poll() is not None or is_ready(url), "Precedence answers")
        if running.poll() is not None:
            raise RuntimeError(f"Precedence ended: {log.read_text()[-2000:]}")
        yield url, running


def measured(load: Load, directory: Path, *, slots: int, publishers: int) -> Ran:
    """Submit a load by PUTs over several connections while it runs, until the last task is done and recorded."""
    with (
        served(directory, slots=slots) as (url, _),
        QueueClient(url) as asking,
        ThreadPoolExecutor(publishers) as threads,
    ):
        began = time.perf_counter()
        shares = [range(nth, load.campaigns, publishers) for nth in range(publishers)]
        list(threads.map(lambda numbers: submit(url, load, numbers), shares))
        submitted_s = time.perf_counter() - began
        until(lambda: asking.queue(limit=1).total == 0, "Precedence ran all", 0.05)
        finished_s = time.perf_counter() - began
        kpis = asking.kpis()
    if kpis["done"] != load.campaigns or kpis["dead_letters"]:
        raise RuntimeError(
            f"of {load.campaigns} campaigns {kpis['done']} are done, {kpis['dead_letters']} tasks failed"
        )
    return Ran(f"Precedence, {slots} slots, {publishers} connections", load, submitted_s, finished_s)


def submit(url: str, load: Load, numbers: Iterable[int]) -> None:
    """Put some campaigns, over one connection."""
    with QueueClient(url) as client:
        for number in numbers:
            given = campaign(number)
            client.submit(given, tasks(given.campaign_id, load.tasks_each))
