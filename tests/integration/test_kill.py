"""A scheduler killed again and again in the middle of its work loses nothing and finishes nothing twice."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from serving.scheduling.states import State
from serving.stores.sql import SqlStore
from tests.integration.a_scheduler import CAMPAIGNS, CHUNKS, SLOTS, TASKS
from tests.queueing import NOON

KILLS = 3
ROOT = Path(__file__).parents[2]


@pytest.mark.integration
def test_a_scheduler_killed_again_and_again_loses_nothing_and_finishes_nothing_twice(tmp_path: Path):
    url, effects = f"sqlite:///{tmp_path}/queue.db", tmp_path / "effects.txt"
    store = SqlStore(url)
    done = 0
    for _ in range(KILLS):
        scheduler = _started(url, effects)
        try:
            done = _chunks_done_past(done + 10, store, scheduler)
        finally:
            scheduler.kill()
            scheduler.wait()
    assert len(store.launched(NOON)) < CAMPAIGNS, "killed in the middle"

    last = _started(url, effects)
    try:
        assert last.wait(timeout=60) == 0
    finally:
        last.kill()
        last.wait()

    launched = store.launched(NOON)
    assert [s.campaign_id for s in launched] == [f"c{n}" for n in range(CAMPAIGNS)]
    assert {s.state for s in launched} == {State.DONE}
    runs = store.rows("runs")
    completions = Counter((r["campaign_id"], r["task_id"]) for r in runs if r["outcome"] == "done")
    assert len(completions) == CAMPAIGNS * TASKS
    assert set(completions.values()) == {1}
    units = Counter()
    for run in runs:
        units[run["campaign_id"], run["task_id"]] += run["units"]
    assert set(units.values()) == {10.0}, "every unit is accounted for once"
    assert any(run["outcome"] == "lost" for run in runs), "work in flight was taken over"

    keys = Counter(effects.read_text().split())
    assert len(keys) == CAMPAIGNS * TASKS * CHUNKS
    repeated = sum(keys.values()) - len(keys)
    assert repeated <= KILLS * SLOTS, "only a chunk in flight is ever begun again, and under the same key"
    store.close()


def _started(url: str, effects: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.integration.a_scheduler", url, str(effects)], cwd=ROOT)


def _chunks_done_past(count: int, store: SqlStore, scheduler: subprocess.Popen[bytes]) -> int:
    """Wait until more chunks than `count` are done."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = sum(run["units"] > 0 for run in store.rows("runs"))
        if done > count:
            return done
        assert scheduler.poll() is None, "the scheduler ended by itself"
        time.sleep(0.005)
    raise AssertionError(f"{count} chunks were not done in time")
