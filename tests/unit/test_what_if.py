"""What would be if is told by the policy that would decide it, and leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving import wiring
from serving.api.bodies import CAMPAIGN, Change
from serving.api.problems import Problems
from serving.api.queue import queue_app
from serving.client import QueueClient
from serving.settings import Settings
from tests.listening import listening
from tests.unit.test_bad_input import ALWAYS, NOBODY_LISTENS
from tests.worlds import campaign

LONG = {"task_id": "t", "handler": "simulate", "units": 1, "payload": {"slot_hours": 1000}}


def declared(campaign_id: str, urgency: float, **facts: Any) -> dict[str, Any]:
    document: dict[str, Any] = CAMPAIGN.dump_python(
        campaign(campaign_id, **{**ALWAYS, "urgency": urgency, **facts}), mode="json"
    )
    return document


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One slot, which `runs` holds; `high`, `middle` and `low` wait for it, in this order of the matrix."""
    settings = Settings.read(
        home=tmp_path_factory.mktemp("scheduler"), priority_port=NOBODY_LISTENS, workers=1, workers_least=1
    )
    with listening(Problems(queue_app(lambda: wiring.desk(settings)))) as client:
        for name, urgency in (("runs", 1.0), ("high", 0.9), ("middle", 0.5), ("low", 0.1)):
            assert client.put(f"/campaigns/{name}", json={**declared(name, urgency), "tasks": [LONG]}).is_success
        yield client


def standing(client: httpx.Client) -> list[tuple[Any, ...]]:
    places = client.get("/queue").json()["campaigns"]
    return [(p["campaign_id"], p["state"], p["boost"], p["pinned"], p["value"]) for p in places]


def asked(client: httpx.Client, **body: Any) -> dict[str, Any]:
    before = standing(client)
    answer = client.post("/what-if", json=body)
    assert answer.status_code == 200, answer.text
    assert standing(client) == before
    document: dict[str, Any] = answer.json()
    return document


def test_the_queue_is_as_the_questions_take_it_to_be(scheduler: httpx.Client) -> None:
    assert [campaign_id for campaign_id, *_ in standing(scheduler)] == ["runs", "high", "middle", "low"]


def test_a_campaign_that_is_not_there_is_placed_among_those_that_are(scheduler: httpx.Client) -> None:
    told = asked(scheduler, campaign=declared("new", 0.7))
    (new,) = told["campaigns"]
    assert new["before"] is None
    assert (new["after"]["position"], new["after"]["state"]) == (3, "ready")
    assert new["after"]["why"] == {"reason": "outranked", "object": "high", "until": None}
    assert new["after"]["source"] == "matrix"
    eta = new["after"]["eta"]
    assert told["moment"] < eta["start"]["p50"] < eta["p50"]
    assert eta["start"]["p50"] <= eta["start"]["p90"]
    assert told["put_back"] == 2
    assert scheduler.get("/campaigns/new").status_code == 404


@pytest.mark.parametrize(
    ("change", "position", "put_back"),
    [
        ({"pin": True}, 2, 2),
        ({"boost": 10}, 2, 2),
        ({"facts": {"urgency": 0.7}}, 3, 1),
        ({"paused": True}, 4, 0),
        ({}, 4, 0),
    ],
)
def test_a_change_moves_a_campaign_on_paper_only(
    scheduler: httpx.Client, change: dict[str, Any], position: int, put_back: int
) -> None:
    told = asked(scheduler, changes={"low": change})
    (low,) = told["campaigns"]
    assert low["before"]["position"] == 4
    assert low["after"]["position"] == position
    assert told["put_back"] == put_back


def test_a_campaign_that_would_wait_for_another_says_so(scheduler: httpx.Client) -> None:
    told = asked(scheduler, campaign=declared("new", 0.7, after=("low",)))
    assert told["campaigns"][0]["after"]["why"]["reason"] == "depends_on"
    assert told["campaigns"][0]["after"]["why"]["object"] == "low"


def test_several_changes_are_looked_at_together(scheduler: httpx.Client) -> None:
    told = asked(scheduler, campaign=declared("new", 0.7), changes={"high": {"paused": True}, "low": {"pin": True}})
    places = {moved["campaign_id"]: moved["after"]["position"] for moved in told["campaigns"]}
    assert places == {"new": 3, "high": 5, "low": 2}


def test_the_client_asks_the_same(scheduler: httpx.Client) -> None:
    with QueueClient(str(scheduler.base_url)) as client:
        told = client.what_if(campaign("new", **{**ALWAYS, "urgency": 0.7}), {"low": Change(pin=True)})
    assert [(moved.campaign_id, moved.after.position) for moved in told.campaigns] == [("new", 4), ("low", 2)]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "body"),
        ({"changes": {"nobody": {"pin": True}}}, 404, None),
        ({"changes": {"low": {"bost": 3}}}, 422, "changes.low.bost"),
        ({"changes": {"low": {"facts": {"work_units": -1}}}}, 422, "changes.low.facts.work_units"),
        ({"campaign": declared("low", 0.7)}, 422, "campaign.campaign_id"),
        ({"campaign": {**declared("new", 0.7), "ends_at": "2001-01-01T00:00:00Z"}}, 422, "campaign.ends_at"),
    ],
)
def test_a_question_that_has_no_answer_is_refused(
    scheduler: httpx.Client, body: dict[str, Any], status: int, field: str | None
) -> None:
    answer = scheduler.post("/what-if", content=json.dumps(body))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    if field is not None:
        assert answer.json()["errors"][0]["field"] == field


def test_an_ended_campaign_cannot_be_changed_on_paper_either(scheduler: httpx.Client) -> None:
    over = {**declared("over", 0.5), "tasks": [LONG]}
    assert scheduler.put("/campaigns/over", json=over).is_success
    assert scheduler.delete("/campaigns/over").is_success
    answer = scheduler.post("/what-if", json={"changes": {"over": {"pin": True}}})
    assert answer.status_code == 422
    assert "this one has ended" in answer.json()["detail"]
