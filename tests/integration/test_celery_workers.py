"""The scheduler and its workers as they run: real processes, real brokers, one database; any of them may be killed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from features.records import Task
from serving.client import QueueClient
from serving.errors.base import ExitCode
from serving.stores.sql import SqlStore
from tests.integration.servers import ROOT, eventually, free_port, process, served
from tests.integration.test_services import DAY
from tests.required import lacking, required
from tests.worlds import campaign

pytest.importorskip("celery", reason="the extra 'celery' is not installed")

from tests.bench.peers.servers import rabbitmq, redis, redis_answers

pytestmark = [pytest.mark.integration]

LEASE_S = 3.0


class Place:
    """One installation: a home, a broker, and processes that come and go."""

    def __init__(self, home: Path, broker: str, running: ExitStack) -> None:
        self.home, self._running = home, running
        self.effects = home / "effects"
        self.settings = {
            "home": home,
            "executor": "celery",
            "broker_url": broker,
            "workers": 2,
            "lease_s": LEASE_S,
            "priority_port": free_port(),
            "scheduler_port": free_port(),
        }
        self.environment = {f"PRECEDENCE_{name.upper()}": str(value) for name, value in self.settings.items()}
        self._started = 0

    def scheduler(self) -> str:
        return self._running.enter_context(served("scheduler", self._log("scheduler"), **self.settings))

    def worker(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "serving.cli", "worker"]
        return self._running.enter_context(process(command, self._log("worker"), self.environment))

    def submit(self, url: str, campaign_id: str, tasks: int, seconds: float, chunks: int = 2) -> None:
        payload = {"slot_hours": seconds / 3600, "chunks": chunks, "effects": str(self.effects)}
        work = [
            Task(campaign_id=campaign_id, task_id=f"t{n}", handler="simulate", units=10.0, payload=payload)
            for n in range(tasks)
        ]
        with QueueClient(url) as client:
            client.submit(campaign(campaign_id, **DAY), work)

    def keys(self) -> Counter[str]:
        return Counter(self.effects.read_text().split()) if self.effects.exists() else Counter()

    def completions(self) -> Counter[str]:
        store = SqlStore(f"sqlite:///{self.home / 'queue.db'}")
        try:
            return Counter(row["task_id"] for row in store.rows("runs") if row["outcome"] == "done")
        finally:
            store.close()

    def _log(self, name: str) -> Path:
        self._started += 1
        return self.home / f"{name}{self._started}.log"


def state(url: str, campaign_id: str) -> str:
    with QueueClient(url) as client:
        return client.why(campaign_id).state


def waits_for(url: str, campaign_id: str) -> str | None:
    with QueueClient(url) as client:
        why = client.why(campaign_id).why
    return None if why is None else why.reason.value


@pytest.fixture(params=[rabbitmq, redis], ids=["rabbitmq", "redis"])
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    with required(request.param) as url:
        yield url


@pytest.fixture
def place(tmp_path: Path, broker: str) -> Iterator[Place]:
    with ExitStack() as running:
        yield Place(tmp_path, broker, running)


def test_work_waits_for_workers_and_outlives_one_that_is_killed(place: Place) -> None:
    url = place.scheduler()
    place.submit(url, "sale", tasks=6, seconds=1.0)
    eventually(lambda: waits_for(url, "sale") == "no_worker", "it says that there is no worker")
    first = place.worker()
    eventually(place.keys, "a chunk is done")
    first.kill()
    place.worker()
    eventually(lambda: state(url, "sale") == "done", "the campaign is done", 60)
    assert place.completions() == Counter({f"t{n}": 1 for n in range(6)})
    assert len(place.keys()) == 12
    assert sum(place.keys().values()) <= 12 + 2, "only what was under way was begun again"


def test_work_goes_on_without_a_scheduler_and_the_next_one_finds_it(place: Place) -> None:
    with ExitStack() as first:
        url = first.enter_context(served("scheduler", place.home / "first.log", **place.settings))
        place.worker()
        place.submit(url, "sale", tasks=2, seconds=4.0, chunks=8)
        eventually(lambda: len(place.keys()) >= 2, "both tasks are under way")
    before = sum(place.keys().values())
    eventually(lambda: sum(place.keys().values()) > before + 1, "they go on meanwhile")
    url = place.scheduler()
    eventually(lambda: state(url, "sale") == "done", "the campaign is done", 60)
    assert place.keys() == Counter({f"sale/t{n}/{chunk}": 1 for n in range(2) for chunk in range(8)})
    assert place.completions() == Counter({"t0": 1, "t1": 1})


def test_a_worker_told_to_end_gives_back_what_it_has_at_its_checkpoint(place: Place) -> None:
    url = place.scheduler()
    first = place.worker()
    place.submit(url, "sale", tasks=2, seconds=4.0, chunks=8)
    eventually(lambda: len(place.keys()) >= 2, "both tasks are under way")
    first.terminate()
    assert first.wait(20) == 0
    with QueueClient(url) as client:
        eventually(lambda: client.campaign("sale").progress.running == 0, "all of it is given back")
    place.worker()
    eventually(lambda: state(url, "sale") == "done", "the campaign is done", 60)
    assert place.keys() == Counter({f"sale/t{n}/{chunk}": 1 for n in range(2) for chunk in range(8)})


@pytest.mark.parametrize("command", [("worker",), ("serve", "--only", "scheduler")])
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"broker_url": "amqp://me:secret@127.0.0.1:9//"},
            "broker_url is 'amqp://me:**@127.0.0.1:9//': does not answer",
        ),
        ({"broker_url": "pigeon://loft"}, "broker_url is 'pigeon://loft/': must be the URL of a broker"),
    ],
)
def test_a_broker_that_cannot_be_used_is_named_at_start(
    tmp_path: Path, command: tuple[str, ...], settings: dict[str, str], says: str
) -> None:
    said = _refused(tmp_path, command, executor="celery", **settings)
    assert says in said
    assert "secret" not in said


def test_a_worker_is_refused_where_the_scheduler_runs_tasks_itself(tmp_path: Path) -> None:
    assert "setting executor is 'local': must be celery for workers" in _refused(tmp_path, ("worker",))


def _refused(home: Path, command: tuple[str, ...], **settings: str) -> str:
    given = {"PRECEDENCE_HOME": str(home), "PATH": "/usr/bin:/bin"}
    given |= {f"PRECEDENCE_{name.upper()}": value for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "serving.cli", *command],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.WRONG_SETTING, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_work_waits_while_the_broker_is_away_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    binary = shutil.which("redis-server")
    if binary is None:
        lacking("there is no redis-server to restart")
    port = free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    url_of_broker = f"redis://127.0.0.1:{port}/0"
    with ExitStack() as running:
        with process(command, tmp_path / "redis1.log", {}):
            eventually(lambda: redis_answers(url_of_broker), "Redis answers")
            place = Place(tmp_path, url_of_broker, running)
            url = place.scheduler()
            place.worker()
            place.submit(url, "early", tasks=2, seconds=2.0, chunks=4)
            eventually(lambda: len(place.keys()) >= 2, "both tasks are under way")
        eventually(lambda: state(url, "early") == "done", "what workers have needs no broker", 30)
        place.submit(url, "late", tasks=2, seconds=0.2)
        eventually(lambda: waits_for(url, "late") == "no_worker", "nobody can be reached", 30)
        with process(command, tmp_path / "redis2.log", {}):
            eventually(lambda: state(url, "late") == "done", "it goes on by itself", 60)
            with QueueClient(url) as client:
                assert client.dead_letters().total == 0
            running.close()
