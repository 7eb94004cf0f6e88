"""The prediction servers of the bench, ours and its peers', all with one bundle; and what a step of ours costs."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil

from features.records import Campaign
from serving.api.bodies import CAMPAIGN
from serving.clock import SystemClock
from serving.hot import Answering
from serving.model import Bundle
from serving.registry import frame_of
from tests.bench.ours.market import TRAINED_AT
from tests.integration.registries import registered
from tests.integration.servers import ROOT, eventually, free_port, is_ready, process

AT = TRAINED_AT + timedelta(hours=5)


@dataclass(frozen=True)
class Server:
    """A running server, and how it wants to be asked."""

    name: str
    port: int
    path: str
    bodies: Sequence[str]
    pid: int

    def cpu_s(self) -> float:
        """Seconds of a core that its process and all that it started have used."""
        whole = psutil.Process(self.pid)
        return sum(sum(each.cpu_times()[:2]) for each in (whole, *whole.children(recursive=True)))

    def memory_mb(self) -> float:
        """Resident memory of its process and all that it started, in megabytes."""
        whole = psutil.Process(self.pid)
        return sum(each.memory_info().rss for each in (whole, *whole.children(recursive=True))) / 1e6


def body(campaigns: Sequence[Campaign]) -> str:
    """A request of ours, and of whoever takes the same."""
    told = [CAMPAIGN.dump_python(campaign, mode="json", exclude_defaults=True) for campaign in campaigns]
    return json.dumps({"campaigns": told, "at": AT.isoformat()})


def scoring_body(campaigns: Sequence[Campaign]) -> str:
    """The same as MLflow's scoring server takes it."""
    return json.dumps({"dataframe_split": json.loads(frame_of(campaigns, AT).to_json(orient="split", index=False))})


@contextmanager
def servers(place: Path, bundle: Bundle, campaigns: Sequence[Campaign]) -> Iterator[dict[str, Server]]:
    """All servers, ready: `ours`, `ours, public` placement, `floor`, `naive` and `mlflow`."""
    home = place / "home"
    home.mkdir()
    uri = f"sqlite:///{home / 'mlflow.db'}"
    registered(uri, bundle, home / "bundle")
    plain, scoring = [body([one]) for one in campaigns], [scoring_body([one]) for one in campaigns[:50]]
    python = sys.executable
    serve = [python, "-m", "serving.cli", "serve", "--only", "priority"]
    ours = {"PRECEDENCE_HOME": str(home)}
    public = {**ours, "PRECEDENCE_HOT_PATH": "middleware"}
    bento = [python, "-m", "bentoml", "serve", "tests.bench.peers.naive:Naive", "--host", "127.0.0.1", "--port"]
    mlflow = [python, "-m", "mlflow", "models", "serve", "-m", "models:/campaign-priority@champion", "-w", "1"]
    mlflow += ["--env-manager", "local", "--host", "127.0.0.1", "--port"]
    floor = [python, str(ROOT / "tests/bench/peers/floor.py"), str(home / "bundle")]
    own = {"BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # MLflow starts uvicorn by its name
    peers = {
        **own,
        "PATH": path,
        "BENCH_BUNDLE": str(home / "bundle"),
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_REGISTRY_URI": uri,
    }
    commands: list[tuple[str, Callable[[str], list[str]], dict[str, str], str, Sequence[str], str]] = [
        ("ours", lambda _: serve, {**own, **ours}, "/predict", plain, "/readyz"),
        ("ours, public", lambda _: serve, {**own, **public}, "/predict", plain, "/readyz"),
        ("floor", lambda port: [*floor, port], own, "/predict", plain, "/readyz"),
        ("naive", lambda port: [*bento, port], peers, "/predict", plain, "/readyz"),
        ("mlflow", lambda port: [*mlflow, port], peers, "/invocations", scoring, "/ping"),
    ]
    with ExitStack() as running:
        found = {}
        for name, command, variables, path, bodies, ready in commands:
            port = free_port()
            environment = {**variables, "PRECEDENCE_PRIORITY_PORT": str(port)}
            log = place / f"{name}.log"
            started = running.enter_context(process(command(str(port)), log, environment))
            url = f"http://127.0.0.1:{port}"
            eventually(lambda url=url, ready=ready: is_ready(url, ready), f"{name} ready (see {log})")
            found[name] = Server(name, port, path, bodies, started.pid)
        yield found


def ready_s(place: Path, home: Path) -> float:
    """Seconds from the start of a worker of ours, whose bundle is here already, until it answers."""
    port = free_port()
    environment = {"PRECEDENCE_HOME": str(home), "PRECEDENCE_PRIORITY_PORT": str(port)}
    command = [sys.executable, "-m", "serving.cli", "serve", "--only", "priority"]
    begun = time.monotonic()
    with process(command, place / "ready.log", environment):
        eventually(lambda: is_ready(f"http://127.0.0.1:{port}"), "a worker ready")
        return time.monotonic() - begun


def steps_us(bundle: Bundle, campaigns: Sequence[Campaign], rounds: int = 30) -> dict[str, float]:
    """Microseconds of each step of a request of one campaign, best round of many."""
    answering = Answering(lambda: bundle, SystemClock())
    bodies = [body([one]).encode() for one in campaigns]
    asked = [found for found in map(answering.read, bodies) if found is not None]
    rows = [bundle.snapshot.features(one.campaigns, AT) for one in asked]
    answers = [answering.predicted(one) for one in asked]
    steps: dict[str, Callable[[int], object]] = {
        "read": lambda n: answering.read(bodies[n]),
        "features": lambda n: bundle.snapshot.features(asked[n].campaigns, AT),
        "trees": lambda n: bundle.values_of(rows[n]),
        "all of the prediction": lambda n: answering.predicted(asked[n]),
        "encode": lambda n: answering.encoded(answers[n]),
    }
    return {name: _best_us(step, len(asked), rounds) for name, step in steps.items()}


def _best_us(step: Callable[[int], object], count: int, rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        for n in range(count):
            step(n)
        best = min(best, (time.perf_counter() - begun) / count)
    return 1e6 * best
