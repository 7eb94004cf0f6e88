"""Every test has a home of its own and sees no setting of the person who runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.bench.peers.servers import postgres
from tests.required import required

# Deadlines per example measure the neighbours on a shared machine; in CI the same examples every time.
settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")


LONG = {"integration", "simulation", "property"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first: workers that then share out what is quick are done at the same time."""
    items.sort(key=lambda item: item.path.parent.name not in LONG and item.path.suffix != ".ipynb")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point `PRECEDENCE_HOME` into the test's own directory and forget every other `PRECEDENCE_*` setting."""
    for name in [name for name in os.environ if name.startswith("PRECEDENCE_")]:
        monkeypatch.delenv(name)
    home = tmp_path / ".precedence"
    monkeypatch.setenv("PRECEDENCE_HOME", str(home))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    for name in ("DO_NOT_TRACK", "BENTOML_DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "true")
    return home


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL database in which tests make schemas of their own."""
    with required(postgres) as url:
        yield url
