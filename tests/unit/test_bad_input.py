"""Every malformed request gets one clear problem (RFC 9457) from either API, and leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from serving import wiring
from serving.api.bodies import CAMPAIGN
from serving.api.problems import Problems
from serving.api.queue import queue_app
from serving.api.sizes import MOST_BATCH_BYTES, MOST_BODY_BYTES, MOST_PAYLOAD_BYTES
from serving.settings import Settings
from tests.listening import listening, service
from tests.worlds import campaign

NOBODY_LISTENS = 9  # the discard port

ALWAYS = {"released_at": datetime(2020, 1, 1, tzinfo=UTC), "ends_at": datetime(2099, 1, 1, tzinfo=UTC)}
C: dict[str, Any] = CAMPAIGN.dump_python(campaign("valid", **ALWAYS), mode="json")
T = {"task_id": "t", "handler": "simulate", "units": 1}
PUT = {**C, "tasks": [T]}
K = {"campaign_id": "nobody", "at": "2026-01-01T00:00:00Z", "known_at": "2026-01-01T00:00:00Z", "metric": "opens"}
UNKNOWN = "no campaign 'nobody' was submitted"


@pytest.fixture(scope="module")
def priority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with service("priority", tmp_path_factory.mktemp("priority")) as client:
        yield client


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = Settings.read(home=tmp_path_factory.mktemp("scheduler"), priority_port=NOBODY_LISTENS)
    with listening(Problems(queue_app(lambda: wiring.desk(settings)))) as client:
        yield client


def put(**changes: Any) -> tuple[str, dict[str, Any]]:
    return "PUT /campaigns/valid", {**C, "tasks": [T], **changes}


def predict(**changes: Any) -> tuple[str, dict[str, Any]]:
    return "POST /predict", {"campaigns": [C, {**C, **changes}]}


def moved(own: str, **headway: Any) -> tuple[str, dict[str, Any]]:
    return "POST /predict", {"campaigns": [C], "progress": {own: headway}}


ASKED_OF_PRIORITY = [
    ("POST /predict", "{", 400, "body", "must be JSON"),
    ("POST /predict", "", 400, "body", "must be JSON"),
    ("POST /predict", '{"campaigns": [{"work_units": NaN}]}', 400, "body", "must be JSON"),
    ("POST /predict", "\x80", 400, "body", "must be JSON"),
    ("POST /predict", '{"campaigns": 1' + "0" * 5000 + "}", 400, "body", "out of range"),
    ("POST /predict", "[]", 422, "body", "must be an object"),
    ("POST /predict", {}, 422, "campaigns", "is required"),
    ("POST /predict", {"campaigns": {}}, 422, "campaigns", "valid array"),
    ("POST /predict", {"campaigns": [3]}, 422, "campaigns[0]", "must be an object"),
    ("POST /predict", {"campaigns": [], "when": 1}, 422, "when", "is no known field"),
    ("POST /predict", {"campaigns": [], "at": "now"}, 422, "at", "ISO 8601 time with an offset"),
    ("POST /explain", {"campaigns": [], "at": "2026-01-05T00:00:00"}, 422, "at", "time with an offset"),
    (*predict(work_units=0), 422, "campaigns[1].work_units", "greater than 0"),
    (*predict(work_units="9"), 422, "campaigns[1].work_units", "valid number"),
    (*predict(work_units=True), 422, "campaigns[1].work_units", "valid number"),
    (*predict(released_at=5), 422, "campaigns[1].released_at", "ISO 8601"),
    (*predict(colour="red"), 422, "campaigns[1].colour", "is no known field"),
    (*predict(account=""), 422, "campaigns[1].account", "at least 1 character"),
    (*predict(ends_at=None), 422, "campaigns[1].ends_at", "is required when value_shape"),
    (*predict(ends_at="2001-01-01T00:00:00Z"), 422, "campaigns[1].ends_at", "must be later than starts_at"),
    (*predict(urgency=7), 422, "campaigns[1].urgency", "less than or equal to 1"),
    (*predict(value_shape="cliff"), 422, "campaigns[1].value_shape", "'window', 'deadline' or 'half_life'"),
    (*predict(targets={"p1": -1}), 422, "campaigns[1].targets.p1", "greater than or equal to 0"),
    (*moved("valid", done=1.5), 422, "progress.valid.done", "less than or equal to 1"),
    (*moved("valid", done=-0.1), 422, "progress.valid.done", "greater than or equal to 0"),
    (*moved("valid", done="0.5"), 422, "progress.valid.done", "valid number"),
    (*moved("valid", spent_h=1), 422, "progress.valid.done", "is required"),
    (*moved("valid", done=0.5, spent_h=-1), 422, "progress.valid.spent_h", "greater than or equal to 0"),
    (*moved("valid", done=0.5, spent_s=1), 422, "progress.valid.spent_s", "is no known field"),
    (*moved("nobody", done=0.5), 422, "progress", "only campaigns that are asked about, not 'nobody'"),
    ("POST /explain", {"campaigns": [C], "progress": {"nobody": {"done": 0.5}}}, 422, "progress", "not 'nobody'"),
    ("POST /predict", {"campaigns": [C], "progress": []}, 422, "progress", "must be an object"),
    ("GET /predict", None, 405, None, "allowed is POST"),
    ("GET /nowhere", None, 404, None, "there is no GET /nowhere"),
]

ASKED_OF_SCHEDULER = [
    ("PUT /campaigns/valid", "{", 400, "body", "must be JSON"),
    ("PUT /campaigns/valid", "3", 422, "body", "must be an object"),
    ("PUT /campaigns/bad", {**C, "tasks": [T]}, 422, "campaign_id", "must be 'bad' as in the path"),
    (*put(tasks=[{**T, "units": -1}]), 422, "tasks[0].units", "greater than 0"),
    (*put(tasks=[{**T, "handler": "fax"}]), 422, "tasks[0].handler", "one of http, simulate"),
    (*put(tasks=[{**T, "payload": {"slot_hours": -1}}]), 422, "tasks[0].payload.slot_hours", "greater than 0"),
    (*put(tasks=[T, {**T, "handler": "http", "task_id": "u"}]), 422, "tasks[1].payload.url", "must be the URL"),
    (*put(tasks=[{**T, "handler": "http", "payload": {"url": "http://127.0.0.1/"}}]), 422, "url", "lists: nothing"),
    (*put(tasks=[T, T]), 422, "tasks", "must differ"),
    (*put(tasks=[]), 422, "tasks", "at least one task"),
    (*put(tasks=[{**T, "after": ["u"]}]), 422, "tasks", "must name tasks of the same campaign"),
    (*put(tasks=[{**T, "campaign_id": "other"}]), 422, "tasks", "must be 'valid'"),
    (*put(after=["valid"]), 422, "after", "cannot follow itself"),
    (*put(work_units=10**400), 422, "work_units", "must be a finite number"),
    (*put(work_units=-1), 422, "work_units", "greater than 0"),
    (*put(ends_at="2019-01-01T00:00:00Z"), 422, "ends_at", "must be later than starts_at"),
    (*put(launch_by="2026-01-05T00:00:00"), 422, "launch_by", "must be a time with an offset"),
    (*put(colour="red"), 422, "colour", "is no known field"),
    (*put(account="a\0b"), 422, "account", "no control characters"),
    (*put(tasks=[{**T, "task_id": "a/b"}]), 422, "tasks[0].task_id", "beginning with a letter, digit or _"),
    (
        *put(tasks=[{**T, "payload": {"list": "x" * MOST_PAYLOAD_BYTES}}]),
        422,
        "tasks[0].payload",
        "at most 262144 bytes",
    ),
    ("PUT /campaigns/a%00b", {**PUT, "campaign_id": "a\0b"}, 422, "campaign_id", "beginning with a letter"),
    ("PUT /campaigns/%2E%2E", {**PUT, "campaign_id": ".."}, 422, "campaign_id", "beginning with a letter"),
    ("PUT /campaigns/a%2Fb", {**PUT, "campaign_id": "a/b"}, 404, None, "there is no PUT /campaigns/a/b"),
    ("GET /campaigns/a%00b", None, 404, None, "no campaign"),
    ("PUT /campaigns/valid", json.dumps(put()[1])[:-1] + ', "holdout": 1e999}', 422, "body", "range of a double"),
    ("PUT /campaigns/valid", '{"work_units": 1' + "0" * 5000 + "}", 400, "body", "out of range"),
    ("PATCH /campaigns/nobody", {"boost": 2}, 404, None, UNKNOWN),
    ("PATCH /campaigns/nobody", {"boost": 99}, 422, "boost", "less than or equal to 10"),
    ("PATCH /campaigns/nobody", {"pin": "yes"}, 422, "pin", "valid boolean"),
    ("PATCH /campaigns/kept", {"bost": 2}, 422, "bost", "is no known field"),
    ("PATCH /campaigns/kept", {"facts": {"colour": "red"}}, 422, "facts.colour", "is no known field"),
    ("PATCH /campaigns/kept", {"facts": {"ends_at": "2098-01-01T00:00:00"}}, 422, "facts.ends_at", "with an offset"),
    ("PATCH /campaigns/kept", {"facts": {"work_units": "9"}}, 422, "facts.work_units", "valid number"),
    ("PATCH /campaigns/kept", {"facts": {"ends_at": None}}, 422, "facts.ends_at", "is required when"),
    ("PATCH /campaigns/kept", {"facts": {"campaign_id": "x"}}, 422, "facts.campaign_id", "cannot be changed"),
    ("PATCH /campaigns/kept", {"facts": {"after": ["kept"]}}, 422, "facts.after", "cannot follow itself"),
    ("PUT /campaigns/kept", {**C, "campaign_id": "kept", "work_units": 7, "tasks": [T]}, 409, None, "other content"),
    ("POST /campaigns/kept/tasks", {"tasks": [{**T, "units": 5}]}, 422, "tasks", "taken by a task with other content"),
    ("POST /campaigns/nobody/tasks", {"tasks": [T]}, 404, None, UNKNOWN),
    ("GET /campaigns/nobody", None, 404, None, UNKNOWN),
    ("GET /campaigns/nobody/why", None, 404, None, UNKNOWN),
    ("DELETE /campaigns/nobody", None, 404, None, UNKNOWN),
    ("GET /dead-letters?campaign_id=nobody", None, 404, None, UNKNOWN),
    ("GET /dead-letters?limit=0", None, 422, "limit", "greater than or equal to 1"),
    ("POST /campaigns/nobody/redrive", {}, 404, None, UNKNOWN),
    ("POST /campaigns/kept/redrive", {}, 409, None, "has no dead letters"),
    ("POST /campaigns/kept/redrive", {"task_ids": []}, 422, "task_ids", "at least 1"),
    ("POST /campaigns/kept/redrive", {"tasks": ["t"]}, 422, "tasks", "is no known field"),
    ("GET /queue?foo=1", None, 400, "foo", "known are account, limit, state"),
    ("GET /kpis?limit=1&by=day", None, 400, "limit", "known are none"),
    ("PUT /campaigns/kept?force=yes", None, 400, "force", "known are none"),
    ("GET /queue?limit=0", None, 422, "limit", "greater than or equal to 1"),
    ("GET /queue?limit=many", None, 422, "limit", "valid integer"),
    ("GET /queue?state=asleep", None, 422, "state", "'ready'"),
    ("POST /outcomes", {"kpis": [{**K, "value": 1}]}, 422, "kpis[0].campaign_id", "was submitted here"),
    ("POST /outcomes", {"kpis": [{**K, "value": 1, "metric": "fame"}]}, 422, "kpis[0].metric", "'revenue'"),
    ("POST /outcomes", {"kpis": [{**K, "value": 1, "at": "2027-01-01T00:00:00Z"}]}, 422, "kpis[0].known_at", "before"),
    ("POST /signals", {"signals": 3}, 422, "signals", "valid array"),
    ("POST /queue", {}, 405, None, "allowed is GET"),
    ("GET /nowhere", None, 404, None, "there is no GET /nowhere"),
]


def told(client: httpx.Client, asked: str, sent: Any, status: int, field: str | None, says: str) -> None:
    method, path = asked.split()
    content = sent if sent is None or isinstance(sent, str) else json.dumps(sent)
    answer = client.request(method, path, content=content, headers={"content-type": "application/json"})
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in problem["detail"]
    assert {"type", "title", "detail"} <= set(problem)
    if field is not None:
        assert field in problem["errors"][0]["field"]
        assert set(problem["errors"][0]) == {"field", "value", "allowed"}


@pytest.mark.parametrize(("asked", "sent", "status", "field", "says"), ASKED_OF_PRIORITY)
def test_the_prediction_api_says_what_is_wrong(priority: httpx.Client, asked, sent, status, field, says) -> None:
    told(priority, asked, sent, status, field, says)


@pytest.mark.parametrize(("asked", "sent", "status", "field", "says"), ASKED_OF_SCHEDULER)
def test_the_queue_api_says_what_is_wrong(scheduler: httpx.Client, asked, sent, status, field, says) -> None:
    kept = {**C, "campaign_id": "kept", "released_at": "2098-01-01T00:00:00Z", "tasks": [T]}
    assert scheduler.put("/campaigns/kept", json=kept).status_code in (200, 201)
    before = scheduler.get("/campaigns/kept").json()["campaign"]
    told(scheduler, asked, sent, status, field, says)
    assert scheduler.get("/campaigns/valid").status_code == 404
    assert scheduler.get("/campaigns/kept").json()["campaign"] == before
    assert scheduler.get("/campaigns/kept").json()["progress"]["tasks"] == 1


def test_campaigns_that_would_wait_for_each_other_are_refused(scheduler: httpx.Client) -> None:
    first, second = ({**PUT, "released_at": "2098-01-01T00:00:00Z", "campaign_id": name} for name in ("chick", "egg"))
    assert scheduler.put("/campaigns/chick", json={**first, "after": ["egg"]}).status_code == 201
    told(scheduler, "PUT /campaigns/egg", {**second, "after": ["chick"]}, 422, "after", "circle: egg -> chick -> egg")
    assert scheduler.put("/campaigns/egg", json=second).status_code == 201
    told(scheduler, "PATCH /campaigns/egg", {"facts": {"after": ["chick"]}}, 422, "after", "close a circle")


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("POST /campaigns/kept", "DELETE, GET, PATCH, PUT"),
        ("DELETE /queue", "GET"),
        ("GET /campaigns/kept/tasks", "POST"),
    ],
)
def test_a_method_that_is_not_offered_is_told_all_that_are(scheduler: httpx.Client, asked: str, allowed: str) -> None:
    answer = scheduler.request(*asked.split())
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.json()["allowed"] == allowed.split(", ")


def test_a_body_too_large_is_refused_whether_it_says_so_or_not(priority: httpx.Client, scheduler: httpx.Client) -> None:
    piece = b" " * 1_048_576
    for client, asked, most in (
        (priority, ("POST", "/predict"), MOST_BATCH_BYTES),
        (scheduler, ("PUT", "/campaigns/large"), MOST_BODY_BYTES),
    ):
        pieces = most // len(piece) + 1
        for body in (piece * pieces, (piece for _ in range(pieces))):
            answer = client.request(*asked, content=body)
            assert answer.status_code == 413
            assert answer.headers["content-type"] == "application/problem+json"
            assert f"at most {most} are read" in answer.json()["detail"]
        assert client.get("/livez" if client is priority else "/queue").status_code == 200


def test_every_fault_of_a_body_is_named_at_once(priority: httpx.Client) -> None:
    answer = priority.post("/predict", json={"campaigns": [{**C, "urgency": 2, "brand": -1}, {**C, "kind": 3}]})
    faults = {fault["field"] for fault in answer.json()["errors"]}
    assert faults == {"campaigns[0].urgency", "campaigns[0].brand", "campaigns[1].kind"}


def test_a_pickle_is_never_read(priority: httpx.Client) -> None:
    headers = {"content-type": "application/vnd.bentoml+pickle"}
    for body in (b"\x80\x04.", json.dumps({"campaigns": [C]})):
        answer = priority.post("/predict", content=body, headers=headers)
        assert answer.status_code == 415
        assert "must be application/json" in answer.json()["detail"]


@pytest.mark.parametrize("asked", ["/predict", "/explain"])
def test_progress_tells_how_much_is_left_and_changes_nothing_else(priority: httpx.Client, asked: str) -> None:
    def answer(**more: Any) -> dict[str, Any]:
        body = {"campaigns": [C, {**C, "campaign_id": "other"}], "at": "2026-01-05T00:00:00Z", **more}
        return {p["campaign_id"]: p for p in priority.post(asked, json=body).raise_for_status().json()["predictions"]}

    whole = answer()
    assert whole == answer(progress=None) == answer(progress={})
    assert whole["valid"]["left_s"] == whole["valid"]["processing_s"]
    left = answer(progress={"valid": {"done": 0.75, "spent_h": 2}})
    assert left["valid"]["left_s"] == {q: s / 4 for q, s in whole["valid"]["processing_s"].items()}
    assert {**left["valid"], "left_s": None} == {**whole["valid"], "left_s": None}
    assert left["other"] == whole["other"]
