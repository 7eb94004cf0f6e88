"""What deployments scale and alert by is in the metrics of the services as they run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from features.records import Task
from serving.client import QueueClient
from tests.deployment import metrics
from tests.integration.servers import eventually, free_port, served
from tests.worlds import campaign

pytestmark = pytest.mark.integration


def told(*urls: str) -> dict[str, float]:
    """Every sample of ours that the services tell of, the last one where labels make several."""
    text = [httpx.get(f"{url}/metrics").text for url in urls]
    families = [family for each in text for family in text_string_to_metric_families(each)]
    return {
        sample.name: sample.value for family in families for sample in family.samples if "precedence" in sample.name
    }


def test_a_backlog_asks_for_workers_and_every_metric_of_the_deployment_is_told(tmp_path: Path) -> None:
    settings = {
        **{"home": tmp_path / "home", "priority_port": free_port(), "scheduler_port": free_port()},
        **{"workers": 2, "drain_target_s": 1800},
    }
    with (
        served("priority", tmp_path / "priority.log", **settings) as priority,
        served("scheduler", tmp_path / "scheduler.log", **settings) as scheduler,
        QueueClient(scheduler) as queue,
    ):
        idle = told(scheduler)
        assert (idle["precedence_backlog_tasks"], idle["precedence_workers_wanted"]) == (0, 0)
        days = {"released_at": datetime(2020, 1, 1, tzinfo=UTC), "ends_at": datetime(2099, 1, 1, tzinfo=UTC)}
        work = [
            Task(campaign_id="long", task_id=f"t{n}", handler="simulate", units=10.0, payload={"slot_hours": 5})
            for n in range(30)
        ]
        queue.submit(campaign("long", work_units=300.0, **days), work)
        busy = eventually(
            lambda: (found := told(priority, scheduler))["precedence_backlog_slot_hours"] > 0 and found, "a backlog"
        )
        assert busy["precedence_backlog_tasks"] == 30
        assert busy["precedence_slots"] == 2
        assert busy["precedence_drain_seconds"] == pytest.approx(busy["precedence_backlog_slot_hours"] / 2 * 3600)
        assert 1 <= busy["precedence_workers_wanted"] <= 15
        assert metrics() - set(busy) == set()
