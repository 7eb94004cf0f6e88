"""A scheduler killed with SIGKILL again and again under load: `python -m tests.integration.killing --times 100`."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from serving.scheduling.states import State
from serving.stores.sql import SqlStore
from tests.integration import a_scheduler
from tests.queueing import NOON

LEAST_S, MOST_S = 0.02, 0.8
"""Wall-clock seconds that a scheduler lives, from when it begins to schedule."""
START_S = 60.0
CAMPAIGNS_A_KILL = 1.3
MOST_MISSES = 2.0
"""Kills at most, for each that is to hit work: some come before anything is leased."""
END_S = 300.0


@dataclass(frozen=True)
class Killed:
    """What came of it.

    Attributes
    ----------
    struck : kills after which tasks were found leased: those that hit work.
    lost : leases that were taken back.
    repeated : chunks whose effect was had more than once, under the same key.
    """

    kills: int
    struck: int
    tasks: int
    completions: int
    lost: int
    repeated: int
    seconds: float
    breaches: tuple[str, ...]


def kill_again_and_again(strikes: int, directory: Path, seed: int = 0) -> Killed:
    """Start schedulers on a new database, kill each at random until so many were hit at work, and let one finish."""
    started, chance = time.monotonic(), Random(seed)
    url, effects = f"sqlite:///{directory}/queue.db", directory / "effects.txt"
    campaigns = max(int(strikes * CAMPAIGNS_A_KILL), 10)
    # Processes forked from one that has imported everything start in no time, so that kills hit work, not imports.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integration.a_scheduler"])

    def scheduler() -> multiprocessing.process.BaseProcess:
        begun = context.Event()
        process = context.Process(target=a_scheduler.run, args=(url, str(effects), campaigns, begun))
        process.start()
        begun.wait(START_S)
        return process

    SqlStore(url).close()
    breaches: list[str] = []
    kills = struck = 0
    while struck < strikes and kills < strikes * MOST_MISSES:
        process = scheduler()
        process.join(chance.uniform(LEAST_S, MOST_S))
        if process.exitcode is not None:
            breaches.append(f"the scheduler ended by itself before kill {kills}, with exit code {process.exitcode}")
            break
        process.kill()
        process.join()
        kills += 1
        struck += _leased(directory / "queue.db") > 0
    last = scheduler()
    last.join(END_S)
    if last.exitcode != 0:
        breaches.append(f"the last scheduler ended with {last.exitcode}")
        last.kill()
        last.join()
    with closing(SqlStore(url)) as store:
        return _judged(store, effects, directory, campaigns, kills, struck, time.monotonic() - started, breaches)


def _leased(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        (leased,) = connection.execute("SELECT COUNT(*) FROM tasks WHERE state = 'leased'").fetchone()
    return int(leased)


def _judged(
    store: SqlStore,
    effects: Path,
    directory: Path,
    campaigns: int,
    kills: int,
    struck: int,
    seconds: float,
    breaches: list[str],
) -> Killed:
    tasks, chunks = campaigns * a_scheduler.TASKS, a_scheduler.CHUNKS
    done = [standing for standing in store.launched(NOON) if standing.state is State.DONE]
    if len(done) != campaigns:
        breaches.append(f"{len(done)} of {campaigns} campaigns are done")
    runs = store.rows("runs")
    completions = Counter((row["campaign_id"], row["task_id"]) for row in runs if row["outcome"] == "done")
    if len(completions) != tasks or set(completions.values()) != {1}:
        breaches.append(f"{len(completions)} of {tasks} tasks were completed, {completions.most_common(1)}")
    units: Counter[tuple[str, str]] = Counter()
    for row in runs:
        units[row["campaign_id"], row["task_id"]] += row["units"]
    if set(units.values()) != {a_scheduler.UNITS}:
        breaches.append(f"units of a task: {sorted(set(units.values()))}")
    keys = Counter(effects.read_text().split())
    if len(keys) != tasks * chunks:
        breaches.append(f"{len(keys)} of {tasks * chunks} chunks had their effect")
    repeated = sum(keys.values()) - len(keys)
    if repeated > kills * a_scheduler.SLOTS:
        breaches.append(
            f"{repeated} chunks were begun again, though at most {a_scheduler.SLOTS} are under way at a kill"
        )
    with closing(sqlite3.connect(directory / "queue.db")) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        breaches.append(f"integrity check: {verdict}")
    return Killed(
        kills=kills,
        struck=struck,
        tasks=tasks,
        completions=sum(completions.values()),
        lost=sum(row["outcome"] == "lost" for row in runs),
        repeated=repeated,
        seconds=round(seconds, 1),
        breaches=tuple(breaches),
    )


def main() -> int:
    """Kill, say what came of it, and return 1 if anything was lost or done twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.killing", description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="kills that hit a scheduler at work")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        killed = kill_again_and_again(given.times, Path(directory), given.seed)
    print(json.dumps(asdict(killed), indent=1))
    return int(bool(killed.breaches) or killed.struck < given.times)


if __name__ == "__main__":
    sys.exit(main())
