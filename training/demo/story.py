"""The story of the demonstration, top to bottom.

learn from the year -> serve the champion -> hand a held-out week to the scheduler -> kill it half-way, restart it
  -> count what became of every campaign -> report what they brought -> learn again from the log
"""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from serving import crew
from serving.client import QueueClient
from serving.errors import ServiceUnreachable
from serving.serve import Service
from serving.settings import Settings
from serving.stores.sql import SqlStore
from training.backtest import Setting
from training.datasets.complete_journey import CompleteJourney, complete_journey, week_start
from training.demo.services import Running, free_ports, running
from training.demo.week import Durability, LiveWeek, finished, results_of, week_end
from training.learning import TEST_WEEKS
from training.pipeline import TrainResult, train
from training.progress import Progress, part, silent
from training.retrain import RetrainResult, retrain

LIVE_WEEK = TEST_WEEKS[0]
CLOCK_SCALE = 7200.0
"""Two hours of the week a second: 72 hours of work take about 40 seconds."""
_LEAD = timedelta(hours=36)
"""The clock starts this long before the campaigns are released, so that they are all submitted by then."""
_CRASH_AT = 0.4
"""Share of campaigns finished when the scheduler is killed."""
_PATIENCE_S = 240.0
_PAUSE_S = 0.25
_SEED = 44
_OURS = ("mlflow.db", "mlartifacts", "models", "pictures", "demo")


@dataclass(frozen=True)
class Lived:
    """The live week: what became of it, and what the crash cost in hours of the week's clock."""

    week: int
    durability: Durability
    down_h: float
    earned_usd: float
    possible_usd: float


@dataclass(frozen=True)
class DemoResult:
    """Everything the demonstration found."""

    home: Path
    directory: Path
    trained: TrainResult
    lived: Lived
    retrained: RetrainResult
    took_s: float

    def document(self) -> dict[str, Any]:
        """The machine-readable result."""
        return {
            "train": self.trained.document(),
            "live_week": asdict(self.lived) | {"holds": self.lived.durability.holds},
            "backtest": self.trained.backtest.document(),
            "retrain": self.retrained.document(),
            "pictures": {name: str(path) for name, path in self.trained.pictures.items()},
            "took_s": self.took_s,
        }


def run_demo(settings: Settings, now: datetime, *, fresh: bool = False, progress: Progress = silent) -> DemoResult:
    """Close the loop once. Every process it starts is gone when it returns or raises.

    Parameters
    ----------
    now : when this happens, for the record.
    fresh : forget the models and demonstrations of this home first; its queue stays.
    """
    began = time.monotonic()
    if fresh:
        forget(settings.home)
    directory = _next_directory(settings.home / "demo")
    journey = complete_journey(progress=part(progress, 0.0, 0.1))
    # Fitted again, the champion would know the week that it is about to live through.
    trained = train(settings, now, part(progress, 0.1, 0.4), journey, refit=False)
    live = settings_of_week(settings, directory)
    lived = live_through(live, journey, directory, part(progress, 0.4, 0.8))
    retrained = retrain(live, now, part(progress, 0.8, 1.0), journey, refit=False)
    return DemoResult(settings.home, directory, trained, lived, retrained, time.monotonic() - began)


def settings_of_week(settings: Settings, directory: Path) -> Settings:
    """The settings of the live week: a queue and ports of its own, and a clock that runs fast."""
    priority_port, scheduler_port = free_ports(2)
    return Settings.read(
        home=settings.home,
        tokens_file=str(directory / "tokens.json"),  # none: the demonstration asks itself, on this machine alone
        tracking_uri=settings.tracking_uri,
        store_url=f"sqlite:///{directory / 'queue.db'}",
        priority_port=priority_port,
        scheduler_port=scheduler_port,
        priority_url=f"http://{settings.host}:{priority_port}",
        workers=Setting().workers,
        clock_scale=CLOCK_SCALE,
        clock_origin=week_start(LIVE_WEEK) - _LEAD,
    )


def live_through(settings: Settings, journey: CompleteJourney, directory: Path, progress: Progress = silent) -> Lived:
    """Hand the week to the services, kill the scheduler once, and report what the campaigns brought.

    Raises
    ------
    ServiceUnreachable
        When a service does not start, or the week does not end in time.
    """
    effects = directory / "effects.txt"
    week = LiveWeek.of(journey, LIVE_WEEK, Setting().workers, Setting().fill_h, effects, _SEED)
    total = len(week.campaigns)
    progress("starting the prediction API and the scheduler", 0.0)
    with running(settings, directory, time.sleep) as services:
        scheduler = services[Service.SCHEDULER]
        with QueueClient(scheduler.url) as client:
            week.submit(client, lambda count: progress(f"submitted {count} of {total} campaigns", 0.15 * count / total))
            _until_finished(client, _CRASH_AT * total, total, part(progress, 0.15, 0.4))
            progress("kill -9 of the scheduler, and a restart", 0.4)
            down_h = _crash(scheduler) * settings.clock_scale / 3600
            _until_finished(client, total, total, part(progress, 0.4, 0.8))
            store = SqlStore(settings.store_url)
            try:
                clock = crew.clock(settings, store)
                progress("waiting for the week to end", 0.8)
                while clock.now() < week_end(week):
                    time.sleep(_PAUSE_S)
                launched = {s.campaign_id: s.launched_at for s in store.launched(clock.now()) if s.launched_at}
                results = results_of(journey.history, launched)
                progress(f"reporting {len(results)} results", 0.9)
                client.observe(results)
                durability = Durability.of(store, week, effects, clock.now())
            finally:
                store.close()
    earned = sum(kpi.value for kpi in results if kpi.metric == "revenue")
    possible = journey.truth.total[journey.truth.rows([c.campaign_id for c in week.campaigns])].sum()
    return Lived(LIVE_WEEK, durability, down_h, float(earned), float(possible))


def forget(home: Path) -> None:
    """Remove what training and demonstrations left in a home; its queue stays."""
    for name in _OURS:
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _until_finished(client: QueueClient, count: float, total: int, progress: Progress) -> None:
    for _ in range(int(_PATIENCE_S / _PAUSE_S)):
        done = finished(client, total)
        progress(f"{done} of {total} campaigns finished", done / total)
        if done >= count:
            return
        time.sleep(_PAUSE_S)
    raise ServiceUnreachable("the scheduler", f"{done} of {total} campaigns finished within {_PATIENCE_S:g} s")


def _crash(scheduler: Running) -> float:
    """Kill the scheduler and start it again; returns the seconds it was gone."""
    began = time.monotonic()
    scheduler.kill()
    scheduler.start()
    scheduler.until_ready()
    return time.monotonic() - began


def _next_directory(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    taken = [int(path.name) for path in parent.iterdir() if path.name.isdecimal()]
    directory = parent / str(max(taken, default=0) + 1)
    directory.mkdir()
    return directory
