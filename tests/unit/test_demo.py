"""The demonstration's bookkeeping: what it counts over the crash, what it reports, what it forgets."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from features.records import Kpi, Metric, Task
from features.schema import History
from serving.scheduling.states import Event, State
from serving.scheduling.work import Completed, Move, Want
from serving.stores.memory import MemoryStore
from tests.worlds import MONDAY, campaign
from training.demo.story import forget
from training.demo.week import Durability, LiveWeek, results_of

UNTIL = MONDAY + timedelta(hours=5)


@pytest.fixture
def week() -> LiveWeek:
    campaigns = [campaign(name) for name in ("done", "stuck")]
    tasks = {
        c.campaign_id: Task(task_id="launch", campaign_id=c.campaign_id, handler="simulate", units=1) for c in campaigns
    }
    return LiveWeek(campaigns, tasks)


def test_a_campaign_that_never_ends_is_counted_as_lost(week: LiveWeek, tmp_path: Path) -> None:
    store = MemoryStore()
    for each in week.campaigns:
        store.submit(each, [week.tasks[each.campaign_id]], MONDAY)
        store.move([Move(campaign_id=each.campaign_id, before=State.SUBMITTED, event=Event.CLEAR)], MONDAY)
    (lease,) = store.claim([Want("done", 1)], "someone", MONDAY, UNTIL)
    store.report([(lease, Completed())], MONDAY, UNTIL)
    store.move([Move(campaign_id="done", before=State.RUNNING, event=Event.FINISH, launched_at=MONDAY)], MONDAY)
    effects = tmp_path / "effects.txt"
    effects.write_text("done/launch/0\ndone/launch/0\nstuck/launch/0\n")
    counted = Durability.of(store, week, effects, MONDAY)
    assert (counted.submitted, counted.finished, counted.lost, counted.finished_twice) == (2, 1, 1, 0)
    assert counted.chunks_again == 1
    assert not counted.holds


def test_only_results_after_going_live_are_reported() -> None:
    one = campaign("one", targets={"p": 1.0})
    kpis = [
        Kpi(
            campaign_id=one.campaign_id,
            target_id="p",
            at=MONDAY + timedelta(hours=hour),
            known_at=MONDAY + timedelta(hours=hour + 1),
            metric=Metric.REVENUE,
            value=1.0,
        )
        for hour in range(6)
    ]
    history = History.of_records([one], kpis)
    assert results_of(history, {"one": MONDAY + timedelta(hours=2, minutes=30)}) == kpis[3:]
    assert results_of(history, {}) == []


def test_a_fresh_start_forgets_models_and_keeps_the_queue(tmp_path: Path) -> None:
    for name in ("queue.db", "mlflow.db", "models/1/model.txt", "demo/1/queue.db", "mine.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    forget(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "queue.db"]
