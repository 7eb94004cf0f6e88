"""The whole service answers alike wherever the hot path stands, by BentoML's version that it was tested with."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.api.bodies import CAMPAIGN
from serving.hot import meters
from tests.bundles import TRAINED_AT
from tests.listening import service
from tests.worlds import campaign

BODY: dict[str, Any] = {"campaigns": [CAMPAIGN.dump_python(campaign("a"), mode="json")], "at": TRAINED_AT.isoformat()}
DOUBTFUL = {**BODY, "at": "2026-03-02T00:00:00.0000000Z"}


def answered_fast() -> float:
    return float(meters().answered._value.get())


def asked(client: httpx.Client) -> tuple[httpx.Response, httpx.Response]:
    answers = client.post("/predict", json=BODY), client.post("/predict", json=DOUBTFUL)
    assert [answer.status_code for answer in answers] == [200, 200]
    return answers


def test_it_stands_in_front_with_the_version_of_bentoml_it_was_tested_with() -> None:
    from serving.service import TESTED_BENTOML, Fronted, Priority

    assert version("bentoml") == TESTED_BENTOML, "a new BentoML: read its to_asgi and middlewares, then raise the pin"
    assert isinstance(Priority, Fronted)


@pytest.mark.parametrize("place", ["front", "middleware", "off"])
def test_answers_are_the_same_wherever_it_stands(tmp_path: Path, place: str) -> None:
    with service("priority", tmp_path, hot_path=place) as client:
        before = answered_fast()
        plain, doubtful = asked(client)
        assert answered_fast() - before == (0 if place == "off" else 1)
        assert plain.json() == doubtful.json()
        # BentoML marks what went through its own route.
        assert ("x-bentoml-request-id" in plain.headers) == (place == "off")
        assert "x-bentoml-request-id" in doubtful.headers
        assert plain.headers["content-type"] == doubtful.headers["content-type"] == "application/json"


def test_with_another_bentoml_the_public_placement_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import bentoml

    from serving.service import Priority

    monkeypatch.setattr(Priority, "__class__", bentoml.Service)
    with service("priority", tmp_path) as client:
        before = answered_fast()
        plain, doubtful = asked(client)
        assert answered_fast() - before == 1
        assert plain.json() == doubtful.json()
