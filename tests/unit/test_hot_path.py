"""The hot path in front of an application: what it answers, and that the rest arrives there as it came."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.api.answers import Predictions
from serving.api.bodies import CAMPAIGN
from serving.clock import SystemClock
from serving.hot import Answering, HotPath, Place, meters
from serving.hot.reading import PART
from serving.model import Bundle
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.worlds import campaign, small_world

AT = TRAINED_AT + timedelta(hours=5)
WEEK = {"released_at": TRAINED_AT, "ends_at": TRAINED_AT + timedelta(days=7)}
PREDICTIONS = TypeAdapter(Predictions)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return tiny_bundle(small_world())


@pytest.fixture
def place(bundle: Bundle) -> Place:
    return Place(Answering(lambda: bundle, SystemClock()), meters())


async def behind(request: Request) -> Response:
    """The ordinary route, which tells what arrived."""
    body = await request.body()
    return JSONResponse({"arrived": len(body), "first": body[:20].decode(errors="replace"), "path": request.url.path})


def asking(place: Place) -> httpx.AsyncClient:
    app = HotPath(Starlette(routes=[Route("/{path:path}", behind, methods=["GET", "POST", "PUT"])]), place)
    return httpx.AsyncClient(transport=httpx.ASGITransport(HotPath(app, place)), base_url="http://test")


def ask(place: Place, content: object, path: str = "/predict", method: str = "POST") -> httpx.Response:
    async def asked() -> httpx.Response:
        async with asking(place) as client:
            return await client.request(method, path, content=content)  # type: ignore[arg-type]

    return asyncio.run(asked())


def body(count: int = 1, **more: Any) -> bytes:
    asked = [
        campaign(f"c{n}", kind=f"kind{n % 4}", **WEEK, targets={f"p{n % 25}": 4.0}, work_units=1.0 + n)
        for n in range(count)
    ]
    told = [CAMPAIGN.dump_python(one, mode="json", exclude_defaults=True) for one in asked]
    return json.dumps({"campaigns": told, "at": AT.isoformat(), **more}).encode()


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("precedence_predict_requests_total", {"outcome": outcome}) or 0.0


def test_a_plain_body_is_answered_as_the_model_answers(place: Place, bundle: Bundle) -> None:
    before = counted("answered")
    answer = ask(place, body(3))
    asked = json.loads(body(3))["campaigns"]
    expected = bundle.predict([CAMPAIGN.validate_python(one) for one in asked], AT)
    assert answer.headers["content-type"] == "application/json"
    whole = Predictions(model=bundle.identity, predictions=tuple(expected))
    assert answer.json() == json.loads(PREDICTIONS.dump_json(whole))
    assert counted("answered") == before + 1


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_whatever_is_in_doubt_arrives_whole_and_is_looked_at_once(place: Place, pieces: int) -> None:
    text = body(1).replace(b"05:00:00", b"05:00:00.0000000")
    size = len(text) // pieces + 1

    async def told() -> AsyncIterator[bytes]:
        for first in range(0, len(text), size):
            yield text[first : first + size]

    before = counted("handed_on")
    assert ask(place, told()).json() == {"arrived": len(text), "first": text[:20].decode(), "path": "/predict"}
    assert counted("handed_on") == before + 1


@pytest.mark.parametrize(("method", "path"), [("GET", "/predict"), ("PUT", "/predict"), ("POST", "/explain")])
def test_other_routes_and_methods_are_none_of_its_business(place: Place, method: str, path: str) -> None:
    assert ask(place, body(), path, method).json()["path"] == path


def test_until_a_service_has_started_all_is_passed_on() -> None:
    assert ask(Place(), body()).json()["path"] == "/predict"


def test_a_body_larger_than_it_may_be_is_passed_on(place: Place) -> None:
    assert ask(replace(place, most_bytes=100), body()).json()["arrived"] == len(body())
    assert ask(replace(place, most_campaigns=2), body(3)).json()["arrived"] == len(body(3))


def test_a_batch_is_answered_part_by_part_to_the_same(place: Place, bundle: Bundle) -> None:
    count = PART + 50
    answer = ask(place, body(count)).json()
    asked = [CAMPAIGN.validate_python(one) for one in json.loads(body(count))["campaigns"]]
    expected = Predictions(model=bundle.identity, predictions=tuple(bundle.predict(asked, AT)))
    assert answer == json.loads(PREDICTIONS.dump_json(expected))


def test_a_batch_with_progress_is_answered_with_it(place: Place) -> None:
    answer = ask(place, body(PART + 1, progress={"c1": {"done": 0.5}})).json()["predictions"]
    assert answer[1]["left_s"]["p50"] == pytest.approx(answer[1]["processing_s"]["p50"] / 2)
    assert answer[PART]["left_s"] == answer[PART]["processing_s"]


def test_a_batch_with_one_doubtful_campaign_at_its_end_is_passed_on_whole(place: Place) -> None:
    text = body(PART + 50).replace(f'"c{PART + 49}"'.encode(), b'"not plain"')
    assert ask(place, text).json()["arrived"] == len(text)
    assert ask(replace(place, most_campaigns=PART), body(PART + 50)).json()["arrived"] == len(body(PART + 50))


class Slow:
    """A model that waits until it is told to go on, and says how many ask it at once."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.go = bundle, threading.Event()
        self.inside = self.most = 0

    @property
    def identity(self):
        return self.bundle.identity

    def predict(self, campaigns, at, progress):
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.go.wait(20)
        self.inside -= 1
        return self.bundle.predict(campaigns, at, progress)


@pytest.fixture
def slow(bundle: Bundle) -> Iterator[Slow]:
    model = Slow(bundle)
    yield model
    model.go.set()


def test_a_batch_that_takes_too_long_is_a_problem_and_is_given_up(slow: Slow) -> None:
    place = Place(Answering(lambda: slow, SystemClock()), meters(), timeout_s=0.05)  # type: ignore[arg-type, return-value]
    threading.Timer(0.5, slow.go.set).start()
    answer = ask(place, body(2 * PART))
    assert answer.status_code == 504
    assert answer.headers["content-type"] == "application/problem+json"
    assert "longer than the 0.05 s" in answer.json()["detail"]


def test_batches_take_turns_and_small_requests_do_not_wait_for_them(slow: Slow, bundle: Bundle) -> None:
    at_once = threading.get_ident()

    def model() -> Any:
        return bundle if threading.get_ident() == at_once else slow

    place = Place(Answering(model, SystemClock()), meters())

    async def asked() -> tuple[list[httpx.Response], float]:
        async with asking(place) as client:
            batches = [asyncio.create_task(client.post("/predict", content=body(PART))) for _ in range(3)]
            while not slow.inside:
                await asyncio.sleep(0.001)
            small = await client.post("/predict", content=body())
            waiting = slow.inside
            slow.go.set()
            return [small, *await asyncio.gather(*batches)], waiting

    answers, waiting = asyncio.run(asked())
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(answers[0].json()["predictions"]) == 1
    assert (waiting, slow.most) == (1, 1)


def test_a_model_that_breaks_leaves_the_request_to_the_ordinary_route(bundle: Bundle) -> None:
    def broken() -> Bundle:
        raise RuntimeError("broken")

    assert ask(Place(Answering(broken, SystemClock()), meters()), body()).json()["path"] == "/predict"


def test_an_answer_is_all_of_one_model_however_often_models_change(bundle: Bundle) -> None:
    versions = iter(range(1_000))

    def next_model() -> Bundle:
        return bundle.versioned(str(next(versions)))

    place = Place(Answering(next_model, SystemClock()), meters())
    assert ask(place, body(PART + 50)).json()["model"]["version"] == "0"
    assert next(versions) == 1, "a batch asks once for all its parts"


def test_one_request_of_so_many_is_logged_with_its_figures(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="serving.hot.path")

    async def asked() -> None:
        async with asking(replace(place, log_every=3)) as client:
            for _ in range(7):
                await client.post("/predict", content=body())

    asyncio.run(asked())
    told = [record for record in caplog.records if record.message == "predicted"]
    assert [(record.campaigns, record.one_of) for record in told] == [(1, 3)] * 2
    assert time.perf_counter() > told[0].took_s > 0
