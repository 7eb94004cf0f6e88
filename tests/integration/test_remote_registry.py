"""Machines that share nothing but an MLflow server and a bucket: some train, another serves what they promoted."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer

from serving.api.bodies import CAMPAIGN
from serving.errors import RegistryUnreachable
from serving.registry import champion_named, fetched
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.integration.servers import ROOT, eventually, free_port, is_ready, process, served
from tests.worlds import campaign, small_world

pytestmark = pytest.mark.integration

BUCKET = "models"


@dataclass(frozen=True)
class Elsewhere:
    """An MLflow server whose artifacts are in a bucket.

    Attributes
    ----------
    access : the environment with which a machine reaches the bucket.
    """

    uri: str
    access: dict[str, str]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def elsewhere(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    directory, port = tmp_path_factory.mktemp("mlflow"), free_port()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    access = {
        "AWS_ACCESS_KEY_ID": "trainer",
        "AWS_SECRET_ACCESS_KEY": "hush-hush",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "MLFLOW_S3_ENDPOINT_URL": endpoint,
    }
    httpx.put(f"{endpoint}/{BUCKET}").raise_for_status()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{directory}/mlflow.db"),
        *("--no-serve-artifacts", "--default-artifact-root", f"s3://{BUCKET}"),
    ]
    with process(
        command, directory / "server.log", {**access, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    ) as server:
        uri = f"http://127.0.0.1:{port}"
        eventually(lambda: server.poll() is not None or is_ready(uri, "/health"), "MLflow answers")
        assert server.poll() is None, (directory / "server.log").read_text()
        yield Elsewhere(uri, access)


def trained_on(homes: list[Path], uri: str, access: dict[str, str]) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of machines that train at once, each with a home of its own."""
    with ExitStack() as started:
        machines = [
            started.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.integration.a_training_machine"],
                    cwd=ROOT,
                    env={**os.environ, **access, "PRECEDENCE_HOME": str(home), "PRECEDENCE_TRACKING_URI": uri},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for home in homes
        ]
        said = [machine.communicate(timeout=120) for machine in machines]
    return [(machine.returncode, out.strip(), err) for machine, (out, err) in zip(machines, said, strict=True)]


@pytest.fixture(scope="module")
def trained(elsewhere: Elsewhere, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Versions that two machines made at the same time."""
    homes = [tmp_path_factory.mktemp("trainer") for _ in range(2)]
    done = trained_on(homes, elsewhere.uri, elsewhere.access)
    assert [code for code, _, _ in done] == [0] * len(homes), done
    assert not any((home / "mlartifacts").exists() for home in homes)
    return sorted(version for _, version, _ in done)


def test_another_machine_serves_what_those_that_trained_at_once_promoted(
    elsewhere: Elsewhere, trained: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trained == ["1", "2"]
    for name, value in elsewhere.access.items():
        monkeypatch.setenv(name, value)
    settings = {"home": tmp_path / "serving", "priority_port": free_port(), "tracking_uri": elsewhere.uri}
    asked = campaign("plain", kind="kind1", released_at=TRAINED_AT, ends_at=TRAINED_AT.replace(day=7))
    body = {"campaigns": [CAMPAIGN.dump_python(asked, mode="json")], "at": TRAINED_AT.isoformat()}
    with served("priority", tmp_path / "priority.log", **settings) as url:
        answer = httpx.post(f"{url}/predict", json=body).json()
    assert answer["model"]["source"] == "champion", (tmp_path / "priority.log").read_text()
    assert answer["model"]["version"] == champion_named(elsewhere.uri).version
    [expected] = tiny_bundle(small_world()).predict([asked], TRAINED_AT)
    assert answer["predictions"][0]["value"] == pytest.approx(expected.value)
    assert "hush-hush" not in (tmp_path / "priority.log").read_text()


def test_a_champion_whose_artifacts_are_out_of_reach_is_one_clear_message(
    elsewhere: Elsewhere, trained: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**elsewhere.access, "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RegistryUnreachable, match=r"its artifacts: .*Could not connect") as refused:
        fetched(elsewhere.uri, champion_named(elsewhere.uri), tmp_path / "models")
    assert "\n" not in str(refused.value)
    assert "hush-hush" not in str(refused.value)
    assert not any((tmp_path / "models").iterdir())


def test_training_without_its_server_is_one_clear_message(tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    [(code, _, said)] = trained_on([tmp_path / "home"], uri, {})
    assert code != 0
    [line] = said.strip().splitlines()
    assert line.startswith(f"precedence: model registry {uri} is unreachable")
