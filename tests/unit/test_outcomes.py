"""What the service logged comes back as history."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.quarantine import checked
from features.records import Kpi, Metric, Signal
from features.schema import campaigns_of
from serving.outcomes import history_of
from serving.scheduling.ports import Store
from serving.scheduling.states import Event
from serving.stores.memory import MemoryStore
from serving.stores.sql import SqlStore
from tests.floor import Floor
from tests.queueing import NOON, after


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        kept = SqlStore(f"sqlite:///{tmp_path}/queue.db")
        yield kept
        kept.close()


def _worked(store: Store) -> Floor:
    async def work() -> Floor:
        floor = Floor(store)
        floor.submit("sale", hours=2, chunks=4, targets={"vip": 10.0, "all": 90.0}, urgency=0.5)
        floor.submit("cancelled")
        floor.store.apply("cancelled", Event.CANCEL)
        floor.submit("waiting", released_at=after(hours=20))
        await floor.pass_hours(3)
        return floor

    return asyncio.run(work())


def test_the_log_comes_back_as_history_with_the_actual_launch(store: Store):
    floor = _worked(store)
    kpi = Kpi(campaign_id="sale", at=after(hours=3), known_at=after(hours=4), metric=Metric.REVENUE, value=120.0)
    signal = Signal(entity="target:vip", at=NOON, known_at=NOON, name="engagement", value=0.4)
    store.observed([kpi], [signal])
    history = history_of(store, floor.clock.now())
    assert campaigns_of(history) == [floor.standing("sale").campaign]
    assert history.campaigns.launched_at.tolist() == [after(hours=2)]
    assert dict(history.targets[["target_id", "planned_exposures"]].itertuples(index=False)) == {"vip": 10, "all": 90}
    assert history.kpis[["campaign_id", "metric", "value"]].to_numpy().tolist() == [["sale", "revenue", 120.0]]
    assert history.signals.name.tolist() == ["engagement"]
    assert history.runs.units.sum() == floor.standing("sale").progress.units
    assert set(history.runs.outcome) == {"checkpoint", "done"}


def test_the_log_passes_for_history_that_a_user_brings(store: Store):
    floor = _worked(store)
    history = history_of(store, floor.clock.now())
    tables = {name: getattr(history, name) for name in ("campaigns", "targets", "kpis", "signals", "runs")}
    sound, quarantine = checked(tables, "outcome log")
    assert quarantine.faults.empty
    assert campaigns_of(sound) == campaigns_of(history)


def test_an_empty_log_is_an_empty_history(store: Store):
    history = history_of(store, NOON)
    assert history.campaigns.empty
    assert history.runs.empty
