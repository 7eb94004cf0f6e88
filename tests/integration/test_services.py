"""Both services, as they run: real processes, real HTTP, a real bundle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.records import Kpi, Metric, Signal, Task
from serving import wiring
from serving.api.queue import queue_app
from serving.client import QueueClient
from serving.errors import Refused
from serving.model import Bundle
from serving.prediction import Headway
from serving.scheduling.states import State
from serving.settings import Settings
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.integration.registries import registered
from tests.integration.servers import eventually, free_port, served, web
from tests.listening import listening
from tests.worlds import campaign, small_world

pytestmark = [pytest.mark.integration]

AT = TRAINED_AT + timedelta(hours=5)
WEEK = {"released_at": TRAINED_AT, "ends_at": TRAINED_AT + timedelta(days=7)}
ASKED = [
    campaign("plain", kind="kind1", **WEEK, targets={"p3": 4.0}),
    campaign("big", kind="kind2", **WEEK, targets={"p1": 9.0, "p7": 9.0}, work_units=900.0),
    campaign("new", kind="never seen", channel="pigeon", **WEEK),
]
DAY = {"released_at": datetime(2020, 1, 1, tzinfo=UTC), "ends_at": datetime(2099, 1, 1, tzinfo=UTC)}
"""A window around whatever the clock says."""

SCALE = 3600.0
"""An hour of the service's clock passes in a second."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return tiny_bundle(small_world())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="module")
def settings(bundle: Bundle, place: Path) -> dict[str, object]:
    home = place / "home"
    home.mkdir()
    registered(f"sqlite:///{home / 'mlflow.db'}", bundle, home / "bundle")
    return {"home": home, "priority_port": free_port(), "scheduler_port": free_port(), "clock_scale": SCALE}


@pytest.fixture(scope="module")
def priority(settings: dict[str, object], place: Path) -> Iterator[str]:
    with served("priority", place / "priority.log", **settings) as url:
        yield url


@pytest.fixture(scope="module")
def scheduler(settings: dict[str, object], place: Path, priority: str) -> Iterator[str]:
    with served("scheduler", place / "scheduler.log", **settings) as url:
        yield url


@pytest.fixture
def queue(scheduler: str) -> Iterator[QueueClient]:
    with QueueClient(scheduler) as client:
        yield client


def body(*campaigns, **more: object) -> dict[str, object]:
    from serving.api.bodies import CAMPAIGN

    return {"campaigns": [CAMPAIGN.dump_python(c, mode="json") for c in campaigns], **more}


def task(campaign_id: str, task_id: str = "t", **facts: object) -> Task:
    usual = {"handler": "simulate", "units": 100.0, "payload": {"slot_hours": 0.1, "chunks": 2}}
    return Task(campaign_id=campaign_id, task_id=task_id, **{**usual, **facts})


def test_the_service_predicts_what_the_bundle_predicts(priority: str, bundle: Bundle) -> None:
    answer = web.post(f"{priority}/predict", json=body(*ASKED, at=AT.isoformat())).json()
    assert answer["model"] == {"name": "campaign-priority", "version": "1", "source": "champion"}
    for found, expected in zip(answer["predictions"], bundle.predict(ASKED, AT), strict=True):
        assert found["campaign_id"] == expected.campaign_id
        for field in ("score", "index", "value", "loss_per_hour"):
            assert found[field] == pytest.approx(getattr(expected, field), rel=1e-9, abs=1e-9)
        assert found["processing_s"] == {"p50": expected.processing_s.p50, "p90": expected.processing_s.p90}
        assert found["fallback"] == expected.fallback
        assert found["curve"]["shape"] == "window"
        assert datetime.fromisoformat(found["curve"]["starts_at"]) == TRAINED_AT


@pytest.mark.parametrize("route", ["predict", "explain"])
def test_the_service_says_what_is_left_of_work_as_the_bundle_does(priority: str, bundle: Bundle, route: str) -> None:
    own = ASKED[0].campaign_id
    asked = body(*ASKED[:2], at=AT.isoformat(), progress={own: {"done": 0.75, "spent_h": 2.5}})
    answer = web.post(f"{priority}/{route}", json=asked).json()
    expected = bundle.predict(ASKED[:2], AT, {own: Headway(done=0.75, spent_h=2.5)})
    for found, one in zip(answer["predictions"], expected, strict=True):
        assert found["left_s"] == {"p50": one.left_s.p50, "p90": one.left_s.p90}
    assert expected[0].left_s != expected[0].processing_s
    documented = web.get(f"{priority}/docs.json").json()["components"]["schemas"]
    assert set(documented["Headway"]["properties"]) == {"done", "spent_h"}


def test_an_explanation_sums_to_the_raw_output(priority: str, bundle: Bundle) -> None:
    answer = web.post(f"{priority}/explain", json=body(*ASKED[:2], at=AT.isoformat())).json()
    raw = bundle.booster.predict(bundle.snapshot.features(ASKED[:2], AT), raw_score=True)
    for found, expected in zip(answer["predictions"], raw, strict=True):
        assert sum(reason["contribution"] for reason in found["reasons"]) == pytest.approx(expected, rel=1e-9)


def test_the_model_says_what_it_is(priority: str, bundle: Bundle) -> None:
    card = web.get(f"{priority}/model").json()
    assert card["version"] == "1"
    assert card["contract"] == bundle.meta.contract
    assert card["metrics"] == {"value": {"spearman": 0.9}}


def test_health_metrics_and_documentation_are_there(priority: str, scheduler: str) -> None:
    for url in (priority, scheduler):
        for path in ("/livez", "/readyz", "/metrics"):
            assert web.get(url + path).status_code == 200, path
    assert "\nprecedence_predict_requests_total{" in web.get(f"{priority}/metrics").text, "ours beside BentoML's"
    assert "\nprecedence_prediction_api_state" in web.get(f"{scheduler}/metrics").text
    documented = web.get(f"{priority}/docs.json").json()
    assert {"/predict", "/explain"} <= set(documented["paths"])
    assert "released_at" in json.dumps(documented["components"]["schemas"]["Campaign"])
    queue = web.get(f"{scheduler}/openapi.json").json()
    assert {"put", "get", "patch", "delete"} <= set(queue["paths"]["/campaigns/{campaign_id}"])
    assert "Submission" in json.dumps(queue["paths"]["/campaigns/{campaign_id}"]["put"]["requestBody"])
    assert "half_life_h" in queue["components"]["schemas"]["Submission"]["properties"]


def test_the_first_page_needs_nothing_from_elsewhere(priority: str, scheduler: str) -> None:
    for url in (priority, scheduler):
        page = web.get(url)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "//" not in page.text
        assert "<script" not in page.text
        for link in re.findall(r"href='([^']+)'", page.text):
            assert web.get(url + link).status_code == 200, link


def test_a_campaign_runs_to_its_end(queue: QueueClient, scheduler: str) -> None:
    by = DAY["ends_at"] - timedelta(days=1)
    declared = campaign("runs", kind="kind1", **DAY, starts_at=by, launch_by=by, targets={"p3": 4.0})
    placed = queue.submit(declared, [task("runs")])
    assert placed.source == "champion"
    assert placed.value is not None
    assert placed.score is not None
    assert placed.eta is not None
    assert placed.feasibility is not None
    assert placed.feasibility.outlook == "likely"
    assert placed.feasibility.probability > 0.9
    done = eventually(lambda: (p := queue.campaign("runs")).state is State.DONE and p, "runs is done")
    assert done.progress.share_done == 1
    assert done.position is None
    assert done.launched_at is not None
    assert done.campaign == declared
    assert "runs" not in {entry.campaign_id for entry in queue.queue().campaigns}
    assert web.get(f"{scheduler}/kpis").json()["done"] >= 1


def test_equal_content_is_one_campaign_and_other_content_a_conflict(scheduler: str) -> None:
    document = {**body(campaign("twice", **DAY, kind="kind1"))["campaigns"][0], "paused": None}
    del document["paused"], document["campaign_id"]
    document["tasks"] = [{"task_id": "t", "handler": "simulate", "units": 5, "payload": {"slot_hours": 1e-3}}]
    url = f"{scheduler}/campaigns/twice"
    assert web.put(url, json=document).status_code == 201
    assert web.put(url, json=document).status_code == 200
    conflict = web.put(url, json={**document, "work_units": 7.0})
    assert conflict.status_code == 409
    assert conflict.headers["content-type"] == "application/problem+json"
    assert "submitted before with other content" in conflict.json()["detail"]


def test_a_campaign_is_paused_changed_resumed_and_cancelled(queue: QueueClient) -> None:
    long_ago = campaign("steered", kind="kind1", released_at=DAY["ends_at"] - timedelta(days=9), ends_at=DAY["ends_at"])
    placed = queue.submit(long_ago, [task("steered")])
    assert (placed.state, placed.why.reason) == (State.WAITING, "not_released")
    assert placed.why.until == long_ago.released_at
    paused = queue.change("steered", paused=True)
    assert (paused.state, paused.why.reason) == (State.PAUSED, "paused")
    assert queue.change("steered", paused=True).state is State.PAUSED
    changed = queue.change("steered", facts={"work_units": 50.0}, boost=2.5, pin=True, paused=False)
    assert (changed.campaign.work_units, changed.boost, changed.pinned) == (50.0, 2.5, True)
    assert changed.state is State.WAITING
    assert queue.add_tasks("steered", [task("steered", "more")]).added == 1
    assert queue.why("steered").why.reason == "not_released"
    assert queue.cancel("steered").state is State.CANCELLED
    assert queue.cancel("steered").state is State.CANCELLED
    with pytest.raises(Refused, match="cannot") as refused:
        queue.change("steered", paused=True)
    assert refused.value.answered == 409


def test_the_queue_is_listed_by_account_and_state(queue: QueueClient) -> None:
    future = {"released_at": DAY["ends_at"] - timedelta(days=9), "ends_at": DAY["ends_at"]}
    for name in ("a", "b", "c"):
        queue.submit(campaign(f"listed-{name}", account="listing", kind="kind1", **future), [task(f"listed-{name}")])
    queue.change("listed-b", paused=True)
    found = queue.queue(account="listing")
    assert found.total == 3
    assert [e.position for e in found.campaigns] == sorted(e.position for e in found.campaigns)
    assert [e.campaign_id for e in queue.queue(account="listing", state="paused").campaigns] == ["listed-b"]
    assert len(queue.queue(account="listing", limit=2).campaigns) == 2


def test_results_and_signals_are_kept(queue: QueueClient) -> None:
    queue.submit(campaign("earns", kind="kind1", **DAY), [task("earns")])
    now = datetime(2026, 3, 2, tzinfo=UTC)
    kpi = Kpi(campaign_id="earns", at=now, known_at=now, metric=Metric.REVENUE, value=12.5)
    assert queue.observe([kpi, kpi]) == 1
    assert queue.observe([kpi]) == 0
    assert queue.signal([Signal(entity="market:us", at=now, known_at=now, name="demand", value=1.1)]) == 1


@pytest.mark.parametrize("path", ["/campaigns/never-submitted", "/campaigns/never-submitted/why"])
def test_an_unknown_campaign_is_a_404_that_names_it(scheduler: str, path: str) -> None:
    answer = web.get(scheduler + path)
    assert answer.status_code == 404
    assert answer.json()["campaign_id"] == "never-submitted"
    assert answer.headers["content-type"] == "application/problem+json"


def test_run_by_bentoml_and_without_a_champion_the_matrix_answers_and_says_why(tmp_path: Path) -> None:
    settings = {"home": tmp_path, "priority_port": free_port()}
    with served("priority", tmp_path / "priority.log", by_bentoml=True, **settings) as url:
        answer = web.post(f"{url}/predict", json=body(*ASKED, at=AT.isoformat())).json()
        assert answer["model"] == {"name": "matrix", "version": None, "source": "matrix"}
        assert all("no champion" in p["fallback"] and 0 <= p["score"] <= 100 for p in answer["predictions"])
        assert "no champion" in web.get(f"{url}/model").json()["reason"]
        assert web.get(f"{url}/metrics").status_code == 200


def test_without_the_prediction_service_the_scheduler_ranks_by_the_matrix_and_says_why(tmp_path: Path) -> None:
    settings = Settings.read(home=tmp_path, priority_port=free_port())
    with listening(queue_app(lambda: wiring.desk(settings))) as http, QueueClient(str(http.base_url)) as queue:
        placed = queue.submit(campaign("alone", **DAY, urgency=0.9), [task("alone")])
        assert (placed.source, placed.value) == ("matrix", None)
        assert settings.priority_url in placed.fallback
        assert placed.score is not None
        assert queue.queue().by_matrix
