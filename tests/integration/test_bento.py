"""A Bento built from pyproject.toml holds what it must, and answers where nothing but its requirements is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from serving.packing import packed
from serving.settings import Settings
from tests.bundles import tiny_bundle
from tests.integration.registries import registered
from tests.integration.servers import ROOT, eventually, free_port, is_ready, process
from tests.worlds import small_world

pytestmark = pytest.mark.integration

ASKED = """{"campaigns": [{"campaign_id": "spring-sale", "account": "shoes", "kind": "kind1", "channel": "mail",
"released_at": "2026-03-02T00:00:00Z", "ends_at": "2026-03-09T00:00:00Z", "work_units": 100, "targets": {"p3": 4}}]}"""


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Bento, built in a copy of what git knows, as `make bento` does."""
    place = tmp_path_factory.mktemp("bento")
    context, home = place / "context", place / "home"
    for name in ("features", "serving", "tests", "training"):
        shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, context)
    home.mkdir()
    settings = Settings.read(home=home)
    registered(settings.tracking_uri, tiny_bundle(small_world()), home / "bundle")
    assert packed(settings, context / "champion") == "1"
    environment = {**os.environ, "BENTOML_HOME": str(place / "bentoml"), "PYTHONPATH": ""}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    subprocess.run([sys.executable, "-m", "bentoml", "build"], cwd=context, env=environment, check=True)
    [found] = (place / "bentoml" / "bentos" / "precedence").glob("*/bento.yaml")
    return found.parent


def test_it_holds_serving_features_and_a_champion_only(bento: Path) -> None:
    top = {path.name for path in (bento / "src").iterdir()}
    assert top == {"features", "serving", "champion", "README.md", "bentofile.yaml"}
    assert {path.name for path in (bento / "src" / "champion").iterdir()} == {
        "bundle.json",
        "model.txt",
        "snapshot.parquet",
    }
    assert list((bento / "src").rglob("*.pyc")) == []


def test_its_image_has_what_lightgbm_needs_and_no_training(bento: Path) -> None:
    assert "libgomp1" in (bento / "env" / "docker" / "Dockerfile").read_text()
    wanted = (bento / "env" / "python" / "requirements.txt").read_text()
    names = {line.split("==")[0].lower() for line in wanted.splitlines()}
    assert {"bentoml", "lightgbm", "msgspec", "uvloop", "httptools"} <= names
    assert names & {"mlflow", "scikit-learn", "matplotlib", "duckdb", "optuna", "numba"} == set()


def test_it_answers_in_an_empty_environment(bento: Path, tmp_path: Path) -> None:
    venv, port = tmp_path / "venv", free_port()
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    wanted = bento / "env" / "python" / "requirements.txt"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", venv / "bin" / "python", "--requirement", wanted], check=True
    )
    command = [str(venv / "bin" / "bentoml"), "serve", str(bento), "--host", "127.0.0.1", "--port", str(port)]
    own = {"PATH": f"{venv / 'bin'}:/usr/bin:/bin", "PYTHONPATH": "", "VIRTUAL_ENV": "", "BENTOML_HOME": str(tmp_path)}
    with process(command, tmp_path / "serve.log", {**own, "PRECEDENCE_HOME": str(tmp_path / "home")}):
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: is_ready(url), "the Bento ready")
        answer = httpx.post(f"{url}/predict", content=ASKED, headers={"content-type": "application/json"})
        assert answer.status_code == 200
        assert answer.json()["model"] == {"name": "campaign-priority", "version": "1", "source": "last_good"}
        [prediction] = answer.json()["predictions"]
        assert prediction["value"] > 0
        assert "answered by the bundle packed with this service" in prediction["fallback"]
        assert "x-bentoml-request-id" not in answer.headers, "the hot path answered"
