"""Champions come and go under load, and all that is behind the service is taken away in turn: it always answers."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.api.bodies import CAMPAIGN
from serving.model import Bundle
from serving.registry.alias import MODEL_NAME, named
from serving.registry.champion import named_by_mlflow
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.integration.registries import registered
from tests.integration.servers import ROOT, eventually, free_port, process, served, web
from tests.worlds import campaign, small_world

pytestmark = pytest.mark.integration

AT = TRAINED_AT + timedelta(hours=5)
ASKED = [
    campaign(name, kind="kind1", targets=targets, released_at=TRAINED_AT, ends_at=TRAINED_AT + timedelta(days=7))
    for name, targets in (("a", {"p3": 4.0}), ("b", {"p7": 2.0, "p1": 1.0}))
]
BODY: dict[str, Any] = {
    "campaigns": [CAMPAIGN.dump_python(one, mode="json", exclude_defaults=True) for one in ASKED],
    "at": AT.isoformat(),
}
POLL_S = 0.2


class Place:
    """A home with a registry, whose champion is the first version."""

    def __init__(self, home: Path, bundle: Bundle) -> None:
        import mlflow

        home.mkdir()
        self.home, self.uri = home, f"sqlite:///{home / 'mlflow.db'}"
        self.client = mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        self.register("1", bundle)

    def register(self, version: str, bundle: Bundle) -> None:
        assert registered(self.uri, bundle, self.home / f"bundle-{version}") == version
        self.promote("1")

    def promote(self, version: str) -> None:
        self.client.set_registered_model_alias(MODEL_NAME, "champion", version)

    def artifacts(self, version: str) -> Path:
        location = self.client.get_model_version_download_uri(MODEL_NAME, version)
        return Path(location.removeprefix("file://"))

    def settings(self, **more: object) -> dict[str, object]:
        return {"home": self.home, "priority_port": free_port(), "model_poll_s": POLL_S, **more}


@pytest.fixture(scope="module")
def bundles() -> dict[str, Bundle]:
    return {str(seed + 1): tiny_bundle(small_world(seed)) for seed in range(3)}


@pytest.fixture
def place(tmp_path: Path, bundles: dict[str, Bundle]) -> Place:
    return Place(tmp_path / "home", bundles["1"])


async def _under_load(url: str, story: Callable[[], Awaitable[None]], per_second: float = 200) -> list[httpx.Response]:
    """All answers to so many requests a second for as long as the story lasts."""
    answers: list[httpx.Response] = []
    done = asyncio.Event()

    async def ask(client: httpx.AsyncClient) -> None:
        answers.append(await client.post("/predict", json=BODY))

    async def keep_asking(client: httpx.AsyncClient) -> None:
        async with asyncio.TaskGroup() as asking:
            while not done.is_set():
                asking.create_task(ask(client))
                await asyncio.sleep(1 / per_second)

    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        asked = asyncio.create_task(keep_asking(client))
        try:
            await story()
        finally:
            done.set()
            await asked
    return answers


def serving(url: str) -> tuple[str, str | None]:
    card = web.get(f"{url}/model").json()
    return card["source"], card["version"]


def test_champions_are_replaced_refused_and_rolled_back_under_load(
    place: Place, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    place.register("2", bundles["2"])
    place.register("3", bundles["3"])
    model = next(place.artifacts("3").rglob("model.txt"))
    model.write_bytes(model.read_bytes()[:-100])

    async def until(what: Callable[[str], bool], url: str) -> None:
        await asyncio.to_thread(eventually, lambda: what(url), "the next model")
        await asyncio.sleep(0.5)

    with served("priority", tmp_path / "priority.log", **place.settings()) as url:

        async def story() -> None:
            await asyncio.sleep(0.5)
            place.promote("2")
            await until(lambda url: serving(url) == ("champion", "2"), url)
            place.promote("3")
            await until(lambda url: "is not the file" in str(web.get(f"{url}/model").json()["refused"]), url)
            place.promote("1")
            await until(lambda url: serving(url) == ("champion", "1"), url)

        answers = asyncio.run(_under_load(url, story))
        assert "precedence_champions_refused_total" in web.get(f"{url}/metrics").text
    assert Counter(answer.status_code for answer in answers) == {200: len(answers)}
    assert len(answers) > 100
    expected = {v: [p.value for p in bundle.predict(ASKED, AT)] for v, bundle in bundles.items()}
    told = [answer.json() for answer in answers]
    for one in told:
        values = [prediction["value"] for prediction in one["predictions"]]
        assert values == pytest.approx(expected[one["model"]["version"]], rel=1e-9), "an answer of two models"
        assert [prediction["fallback"] for prediction in one["predictions"]] == [None, None]
    assert {one["model"]["version"] for one in told} == {"1", "2"}


def test_every_worker_follows(place: Place, bundles: dict[str, Bundle], tmp_path: Path) -> None:
    place.register("2", bundles["2"])

    def versions(url: str) -> set[str]:
        # Each request on a connection of its own reaches any of the workers.
        return {web.post(f"{url}/predict", json=BODY).json()["model"]["version"] for _ in range(20)}

    with served("priority", tmp_path / "priority.log", **place.settings(priority_workers=2)) as url:
        eventually(lambda: versions(url) == {"1"}, "both workers")
        place.promote("2")
        eventually(lambda: versions(url) == {"2"}, "both workers follow")


def fallbacks(url: str) -> set[str | None]:
    answer = web.post(f"{url}/predict", json=BODY, timeout=30)
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == len(ASKED)
    return {prediction["fallback"] for prediction in answer.json()["predictions"]}


def test_whatever_is_taken_away_every_request_is_answered_and_labelled(place: Place, tmp_path: Path) -> None:
    registry, models = place.home / "mlflow.db", place.home / "models"
    settings = place.settings()
    with served("priority", tmp_path / "first.log", **settings) as url:
        assert fallbacks(url) == {None}
        registry.rename(tmp_path / "away.db")
        eventually(lambda: web.get(f"{url}/model").json()["registry"], "the registry's loss is told")
        assert fallbacks(url) == {None}, "who serves needs no registry"
        shutil.rmtree(place.home / "queue.db", ignore_errors=True)
        shutil.move(models, tmp_path / "models")
        assert fallbacks(url) == {None}, "nor what it was loaded from"
        shutil.move(tmp_path / "models", models)
    with served("priority", tmp_path / "second.log", **settings) as url:
        assert serving(url) == ("last_good", "1")
        assert all("answered by version 1" in str(said) for said in fallbacks(url))
        (tmp_path / "away.db").rename(registry)
        eventually(lambda: serving(url) == ("champion", "1"), "it recovers by itself")
        assert fallbacks(url) == {None}
    registry.rename(tmp_path / "away.db")
    next(models.rglob("snapshot.parquet")).unlink()
    with served("priority", tmp_path / "third.log", **settings) as url:
        assert serving(url)[0] == "matrix_in_dollars"
        assert all("valued by the matrix" in str(said) for said in fallbacks(url))
    shutil.rmtree(models)
    with served("priority", tmp_path / "fourth.log", **settings) as url:
        assert serving(url)[0] == "matrix"
        assert all("ordered by matrix points" in str(said) for said in fallbacks(url))
        (tmp_path / "away.db").rename(registry)
        eventually(lambda: serving(url) == ("champion", "1"), "it recovers by itself")


def test_the_alias_is_read_as_mlflow_reads_it(place: Place, tmp_path: Path) -> None:
    expected = named_by_mlflow(place.uri)
    assert named(place.uri) == expected
    port = free_port()
    command = ["mlflow", "server", "--backend-store-uri", place.uri, "--port", str(port), "--workers", "1"]
    url = f"http://127.0.0.1:{port}"
    with process([sys.executable, "-m", *command], tmp_path / "server.log", {}):
        eventually(lambda: _alive(f"{url}/health"), "MLflow's server")
        assert named(url) == named_by_mlflow(url)
        assert named(url).version == expected.version


def _alive(url: str) -> bool:
    try:
        return web.get(url).is_success
    except httpx.TransportError:
        return False


def test_a_service_whose_champion_is_here_imports_no_mlflow(place: Place, tmp_path: Path) -> None:
    script = """if True:
        import json, sys
        from serving import wiring
        from serving.settings import Settings
        import serving.service
        reign = wiring.reign(Settings.read())
        print(json.dumps({"source": reign.model().identity.source, "mlflow": "mlflow" in sys.modules}))
    """
    told = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PRECEDENCE_HOME": str(place.home)},
    ).stdout
    assert json.loads(told.splitlines()[-1]) == {"source": "champion", "mlflow": False}


def test_bentoml_s_own_client_predicts_and_explains(place: Place, bundles: dict[str, Bundle], tmp_path: Path) -> None:
    import bentoml

    settings, expected = place.settings(), bundles["1"].predict(ASKED, AT)
    with served("priority", tmp_path / "priority.log", **settings) as url, bentoml.SyncHTTPClient(url) as client:
        for call in (client.predict, client.explain):
            told = call(campaigns=BODY["campaigns"], at=BODY["at"])
            assert [p["value"] for p in told["predictions"]] == pytest.approx([p.value for p in expected])
