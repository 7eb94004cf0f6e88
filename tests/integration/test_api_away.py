"""The prediction API is taken away from a running scheduler, and given back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.records import Task
from serving.auth.keyring import Keyring
from serving.auth.scopes import Scope
from serving.auth.tokens import mint
from serving.client import QueueClient
from tests.bundles import tiny_bundle
from tests.integration.registries import registered
from tests.integration.servers import eventually, free_port, served, web
from tests.worlds import campaign, small_world

pytestmark = [pytest.mark.integration]

LATER = {"released_at": datetime(2098, 1, 1, tzinfo=UTC), "ends_at": datetime(2099, 1, 1, tzinfo=UTC)}


def test_the_scheduler_goes_on_without_the_prediction_api_and_takes_it_back_by_itself(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    registered(f"sqlite:///{home / 'mlflow.db'}", tiny_bundle(small_world()), home / "bundle")
    secret, token = mint("ours", frozenset({Scope.ADMIN}), datetime(2026, 1, 1, tzinfo=UTC))
    Keyring(home / "tokens.json").add(token)
    settings = {"home": home, "priority_port": free_port(), "scheduler_port": free_port(), "token": secret}
    settings["refresh_s"] = 3  # a tenth of a second where no model answered ...
    settings["lease_s"] = 6  # ... if a step is taken by then, and one is every third of a lease
    headers = {"authorization": f"Bearer {secret}"}

    with served("scheduler", tmp_path / "scheduler.log", **settings) as url, QueueClient(url, token=secret) as queue:

        def submit(name: str):
            task = Task(campaign_id=name, task_id="t", handler="simulate", units=1.0)
            return queue.submit(campaign(name, kind="kind1", **LATER, targets={"p3": 4.0}), [task])

        def place(name: str, source: str):
            return eventually(lambda: (p := queue.campaign(name)).source == source and p, f"{name} by {source}")

        def shown(state: int) -> bool:
            text = web.get(f"{url}/metrics", headers=headers).text
            gauge = [line.split() for line in text.splitlines() if line.startswith("precedence_prediction_api_state")]
            return [float(value) for *_, value in gauge] == [state]

        with served("priority", tmp_path / "priority.log", **settings):
            submit("known")
            before = place("known", "champion")
            assert before.fallback is None
            assert web.get(f"{url}/readyz", headers=headers).text == "prediction API: closed\n"
            assert web.get(f"{url}/readyz").text == "\n", "what it is about is for operators"
        away = place("known", "remembered")
        assert (away.value, away.model_version) == (before.value, before.model_version)
        assert "as predicted at" in away.fallback
        new = submit("new")
        assert new.value is not None
        assert "valued by the matrix in dollars" in new.fallback
        assert not queue.queue().by_matrix
        eventually(lambda: shown(2), "the breaker is open, and shown to be")
        with served("priority", tmp_path / "priority-again.log", **settings):
            for name in ("known", "new"):
                assert place(name, "champion").fallback is None
            eventually(lambda: shown(0), "the breaker is closed, and shown to be")
    log = (tmp_path / "scheduler.log").read_text() + (tmp_path / "priority.log").read_text()
    assert "prediction_failed" in log
    assert secret not in log
