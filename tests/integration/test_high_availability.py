"""Two schedulers of one queue, in processes of their own: one leads, the other takes over; nothing starts half."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from features.records import Task
from serving.client import QueueClient
from serving.errors import ExitCode
from serving.stores.database import Database
from serving.stores.sql import SqlStore
from tests.databases import migrated_schema, private_server
from tests.integration.servers import ROOT, eventually, free_port, is_ready, process
from tests.queueing import a_campaign, after

pytestmark = pytest.mark.integration

TAKE_OVER_S = 5.0
"""What is promised of a stand-by, from the death of who leads."""
TASKS, CHUNKS = 12, 4
AWAY_S = 60.0


@pytest.fixture
def url(postgresql: str) -> Iterator[str]:
    with migrated_schema(postgresql, durable=True) as url:
        yield url


class Scheduler:
    """A scheduler's process."""

    def __init__(self, stack: ExitStack, directory: Path, store_url: str, **settings: object) -> None:
        port = free_port()
        self.url, self.log = f"http://127.0.0.1:{port}", directory / f"scheduler-{port}.log"
        self.process = stack.enter_context(
            process(_COMMAND, self.log, _environment(store_url, scheduler_port=port, lease_s=4, **settings))
        )
        eventually(lambda: self.process.poll() is not None or is_ready(self.url), "the scheduler answers")
        assert self.process.poll() is None, self.log.read_text()

    def leads(self) -> bool:
        """Whether it says so."""
        try:
            return "stands by" not in httpx.get(f"{self.url}/readyz", timeout=2).raise_for_status().text
        except httpx.HTTPError:
            return False


def test_a_stand_by_takes_over_from_a_killed_leader_in_time_and_finishes_its_work(url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = Scheduler(stack, tmp_path, url)
        eventually(first.leads, "the first leads")
        second = Scheduler(stack, tmp_path, url)
        _submit(second.url, "sale")  # a stand-by takes in what there is to do, and its leader does it
        with QueueClient(first.url) as queue:
            eventually(lambda: queue.campaign("sale").progress.running, "work is under way")
        assert not second.leads()
        with QueueClient(second.url) as queue:
            assert [place.campaign_id for place in queue.queue().campaigns] == ["sale"]
        first.process.kill()
        killed = time.monotonic()
        eventually(second.leads, "the second leads")
        took_over_s = time.monotonic() - killed
        with QueueClient(second.url) as queue:
            eventually(lambda: queue.campaign("sale").state == "done", "all is done")
    assert took_over_s < TAKE_OVER_S
    with closing(SqlStore(url)) as store:
        done = Counter(run["task_id"] for run in store.rows("runs") if run["outcome"] == "done")
    assert done == {f"t{number}": 1 for number in range(TASKS)}


def test_a_leader_that_ends_in_order_leaves_the_lead_at_once(url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = Scheduler(stack, tmp_path, url, lead_s=300)
        eventually(first.leads, "the first leads")
        second = Scheduler(stack, tmp_path, url, lead_s=300)
        first.process.terminate()
        eventually(second.leads, "the second leads, long before the lead lapses")


def test_a_scheduler_with_other_terms_is_refused_and_says_which(url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = Scheduler(stack, tmp_path, url)
        eventually(first.leads, "the first leads")
        ended = _ended(url, lease_s=4, fair_share=0.3)
        assert ended.returncode == ExitCode.WRONG_SETTING, ended.stderr
        assert ended.stderr.startswith("precedence: setting fair_share is 0.3: must be 0.5, as the scheduler '")


def test_a_queue_outlives_a_server_that_goes_away_under_work(tmp_path: Path) -> None:
    with private_server() as server, ExitStack() as stack:
        Database(server.url, upgrade=True).close()
        scheduler = Scheduler(stack, tmp_path, server.url)
        _submit(scheduler.url, "sale")
        with QueueClient(scheduler.url) as queue:
            eventually(lambda: queue.campaign("sale").progress.running, "work is under way")
        server.stop()
        eventually(lambda: not is_ready(scheduler.url), "it says that it cannot do its work")
        refused = httpx.get(f"{scheduler.url}/campaigns/sale", timeout=10)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:precedence:store-unreachable")
        server.start()
        eventually(lambda: is_ready(scheduler.url), "it works again", AWAY_S)
        with QueueClient(scheduler.url) as queue:
            eventually(lambda: queue.campaign("sale").state == "done", "all is done")
        with closing(SqlStore(server.url)) as store:
            done = Counter(run["task_id"] for run in store.rows("runs") if run["outcome"] == "done")
        assert done == {f"t{number}": 1 for number in range(TASKS)}


@pytest.mark.parametrize(
    ("store_url", "code", "says"),
    [
        ("postgresql://127.0.0.1:1/none", ExitCode.UNREACHABLE, "the database at postgresql://127.0.0.1:1/none"),
        ("unmigrated", ExitCode.WRONG_SETTING, "holds none of our tables, this build needs"),
        ("mysql://127.0.0.1/none", ExitCode.WRONG_SETTING, "needs a package that is not installed"),
    ],
)
def test_a_database_that_cannot_be_used_is_said_in_one_line_and_nothing_is_started(
    postgresql: str, store_url: str, code: ExitCode, says: str
) -> None:
    ended = _ended(postgresql if store_url == "unmigrated" else store_url, both=True)
    assert ended.returncode == code, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith("precedence: ")
    assert says in line


_COMMAND = [sys.executable, "-m", "serving.cli", "serve", "--only", "scheduler"]


def _environment(store_url: str, **settings: object) -> dict[str, str]:
    given = {"store_url": store_url, "priority_url": "http://127.0.0.1:1", **settings}
    return {f"PRECEDENCE_{name.upper()}": str(value) for name, value in given.items()}


def _ended(store_url: str, *, both: bool = False, **settings: object) -> subprocess.CompletedProcess[str]:
    """What came of a start that is refused."""
    environment = _environment(store_url, scheduler_port=free_port(), priority_port=free_port(), **settings)
    command = _COMMAND[:4] if both else _COMMAND
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def _submit(url: str, name: str) -> None:
    payload = {"slot_hours": 0.8 / 3600, "chunks": CHUNKS}
    tasks = [
        Task(task_id=f"t{number}", campaign_id=name, handler="simulate", units=10.0, payload=payload)
        for number in range(TASKS)
    ]
    with QueueClient(url) as queue:
        queue.submit(a_campaign(name, released_at=after(hours=-9999), ends_at=after(hours=99_999)), tasks)
