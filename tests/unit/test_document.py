"""What the APIs' documents promise: every route, example, refusal and scope, and answers that are sent once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving.api import operations
from serving.api.bodies import read, read_for
from serving.api.document import ANYWHERE
from serving.auth.routes import PRIORITY, SCHEDULER, Routes
from tests.listening import service
from tests.unit.test_who_may_ask import MAY

UNDOCUMENTED = {"/", "/healthz", "/docs.json", "/schema.json", "/openapi.json", "/static_content/{path:path}"}
"""Pages and documents, which lead to the API and are no part of it."""

SERVICES: dict[str, tuple[str, Routes, Any]] = {
    "priority": ("/docs.json", PRIORITY, operations.PREDICTIONS),
    "scheduler": ("/openapi.json", SCHEDULER, operations.QUEUE),
}
TAGGED = {"priority": ("/model", 5), "scheduler": ("/queue", 1)}


@pytest.fixture(scope="module", params=SERVICES)
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, httpx.Client]]:
    with service(request.param, tmp_path_factory.mktemp("home")) as client:
        yield request.param, client


@pytest.fixture
def document(asked: tuple[str, httpx.Client]) -> dict[str, Any]:
    name, client = asked
    found: dict[str, Any] = client.get(SERVICES[name][0]).json()
    return found


def test_every_route_with_a_scope_is_documented_with_it(
    asked: tuple[str, httpx.Client], document: dict[str, Any]
) -> None:
    name, _ = asked
    routes = {
        f"{method.upper()} {path}": operation["security"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    needs = SERVICES[name][1].needs
    assert set(routes) == {route for route in needs if route.split()[1] not in UNDOCUMENTED}
    for route, security in routes.items():
        assert security == ([] if needs[route] is None else [{"token": [needs[route]]}])
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_refusal_is_a_problem_with_an_example(document: dict[str, Any]) -> None:
    refusals = [
        (int(status), response)
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        if int(status) >= 400
    ]
    assert {status for status, _ in refusals} >= set(ANYWHERE)
    for status, response in refusals:
        content = response["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert content["example"]["status"] == status
        assert set(content["example"]) >= set(document["components"]["schemas"]["Problem"]["required"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_example_is_what_it_is_an_example_of(name: str) -> None:
    for (path, _), operation in SERVICES[name][2].items():
        if operation.body is not None:
            data = json.dumps(operation.example)
            assert read_for("flash-sale-shoes", operation.body, data) if "{" in path else read(operation.body, data)
        for answer, example in operation.answers.values():
            again = answer.dump_python(answer.validate_json(json.dumps(example)), mode="json")
            assert json.loads(json.dumps(again).replace('Z"', '+00:00"')) == example, path


def test_an_answer_that_did_not_change_is_not_sent_again(asked: tuple[str, httpx.Client]) -> None:
    name, client = asked
    path, age_s = TAGGED[name]
    for _ in range(20):  # the queue's moment may move between two requests
        answer = client.get(path)
        again = client.get(path, headers={"if-none-match": f'W/"other", {answer.headers["etag"]}'})
        if again.status_code == 304:
            break
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == answer.headers["etag"]
    assert again.headers["cache-control"] == answer.headers["cache-control"] == f"public, max-age={age_s}"
    assert answer.headers["vary"] == "Authorization"
    assert client.get(path, headers={"if-none-match": '"another"'}).json().keys() == answer.json().keys()
    assert "etag" not in client.get(SERVICES[name][0]).headers


def test_the_matrix_and_the_documents_speak_of_the_same_services() -> None:
    assert set(MAY) == set(SERVICES)
