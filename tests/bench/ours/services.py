"""Precedence as anybody runs it: both services, a SQLite file, campaigns of different worth.

There is no champion, so the matrix orders the work, and the answer to each PUT says where the campaign got.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

from features.records import Campaign, Task
from tests.bench.ours import handlers
from tests.bench.peers.load import alive, until
from tests.integration.servers import free_port, is_ready, process

RELEASED = datetime(2026, 1, 1, tzinfo=UTC)
HANDLERS = ",".join(f"{name}={handlers.__name__}:{name}" for name in ("nothing", "bulk", "began"))


def campaign(number: int, **facts: Any) -> Campaign:
    """One of many campaigns, each worth something else."""
    given = {
        "campaign_id": f"c{number:06d}",
        "account": f"account {number % 10}",
        "kind": "newsletter",
        "channel": "mail",
        "released_at": RELEASED,
        "ends_at": RELEASED + timedelta(days=36500),
        "work_units": 100.0,
        "planned_revenue": 100.0 + number * 7919 % 1000,
        "urgency": number * 31 % 100 / 100,
    }
    return Campaign(**{**given, **facts})


def tasks(campaign_id: str, count: int, handler: str = "nothing", payload: Any = None) -> list[Task]:
    """So many tasks of a campaign."""
    given = {} if payload is None else {"payload": payload}
    return [Task(task_id=f"t{n}", campaign_id=campaign_id, handler=handler, units=1.0, **given) for n in range(count)]


@dataclass(frozen=True)
class Served:
    """Where the queue answers, and the process that runs it."""

    url: str
    scheduler: Popen[bytes]

    def memory_mb(self) -> float:
        """Resident megabytes of the scheduler now."""
        pages = int(Path(f"/proc/{self.scheduler.pid}/statm").read_text().split()[1])
        return pages * 4096 / 2**20


@contextmanager
def served(home: Path, **settings: object) -> Iterator[Served]:
    """Both services, each in a process of its own, with their state in `home`; both have answered."""
    ports = {"priority_port": free_port(), "scheduler_port": free_port()}
    given = {"home": home, "handlers": HANDLERS, **ports, **settings}
    environment = {f"PRECEDENCE_{name.upper()}": str(value) for name, value in given.items()}
    command = [sys.executable, "-m", "serving.cli", "serve", "--only"]
    log = home.with_suffix(".log")
    urls = [f"http://127.0.0.1:{port}" for port in ports.values()]
    with (
        process([*command, "priority"], home.with_suffix(".priority.log"), environment) as priority,
        process([*command, "scheduler"], log, environment) as scheduler,
    ):
        until(lambda: alive([priority, scheduler], log) and all(map(is_ready, urls)), "Precedence answers", 0.1)
        yield Served(urls[1], scheduler)
