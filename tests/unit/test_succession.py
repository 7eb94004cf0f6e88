"""Who answers when champions come, go and prove unsound; looked at by hand, without waiting."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from features.matrix import Matrix
from serving.model import Bundle
from serving.registry.frames import frame_of
from serving.succession import Line, Reign, meters
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.worlds import campaign, small_world

AT = TRAINED_AT + timedelta(hours=5)
KNOWN = campaign(
    "known", kind="kind1", targets={"p3": 4.0}, released_at=TRAINED_AT, ends_at=TRAINED_AT + timedelta(days=5)
)


@pytest.fixture(scope="module")
def bundles() -> dict[str, Bundle]:
    return {version: tiny_bundle(small_world(seed)) for version, seed in (("1", 0), ("2", 7))}


class Registry:
    """The two tables of MLflow's database that say who is champion, and artifacts beside them."""

    def __init__(self, place: Path, bundles: dict[str, Bundle]) -> None:
        self.file, self.cache = place / "mlflow.db", place / "models"
        with sqlite3.connect(self.file) as database:
            database.execute("CREATE TABLE registered_model_aliases (alias, version, name)")
            database.execute("CREATE TABLE model_versions (name, version, source, storage_location)")
            for version, bundle in bundles.items():
                artifacts = place / f"m-{version}" / "artifacts"
                bundle.save(artifacts / "artifacts" / "bundle")
                (artifacts / "input_example.json").write_text(frame_of([KNOWN]).to_json(orient="split"))
                row = ("campaign-priority", int(version), f"models:/m-{version}", artifacts.as_uri())
                database.execute("INSERT INTO model_versions VALUES (?, ?, ?, ?)", row)

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.file}"

    def promote(self, version: str | None) -> None:
        with sqlite3.connect(self.file) as database:
            database.execute("DELETE FROM registered_model_aliases")
            if version is not None:
                row = ("champion", int(version), "campaign-priority")
                database.execute("INSERT INTO registered_model_aliases VALUES (?, ?, ?)", row)

    def artifacts(self, version: str) -> Path:
        return self.file.parent / f"m-{version}" / "artifacts" / "artifacts" / "bundle"

    def reign(self, packed: Path | None = None) -> Reign:
        def fitted(bundle: Bundle) -> Bundle:
            return bundle

        return Reign(Line(self.uri, self.cache, packed, Matrix.default(), fitted), meters(), poll_s=3600)


@pytest.fixture
def registry(tmp_path: Path, bundles: dict[str, Bundle]) -> Registry:
    found = Registry(tmp_path, bundles)
    found.promote("1")
    return found


def serving(reign: Reign) -> tuple[str, str | None]:
    identity = reign.model().identity
    return identity.source, identity.version


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


def test_the_champion_serves_without_a_label(registry: Registry, bundles: dict[str, Bundle]) -> None:
    reign = registry.reign()
    reign.look()
    assert serving(reign) == ("champion", "1")
    assert reign.model().predict([KNOWN], AT) == bundles["1"].predict([KNOWN], AT)
    assert (reign.card().refused, reign.card().registry) == (None, None)


def test_a_promotion_and_a_rollback_are_seen_at_the_next_look(registry: Registry) -> None:
    reign = registry.reign()
    reign.look()
    before = reign.model()
    registry.promote("2")
    reign.look()
    assert serving(reign) == ("champion", "2")
    assert before.identity.version == "1", "who holds the old one keeps it"
    registry.promote("1")
    reign.look()
    assert serving(reign) == ("champion", "1")


def test_a_look_that_finds_nothing_new_changes_nothing(registry: Registry) -> None:
    reign = registry.reign()
    reign.look()
    model = reign.model()
    reign.look()
    assert reign.model() is model


def spoiled(bundle: Path) -> None:
    content = bytearray((bundle / "model.txt").read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / "model.txt").write_bytes(content)


def of_another_contract(bundle: Path) -> None:
    document = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**document, "contract": "9f2c"}))


def gone(bundle: Path) -> None:
    shutil.rmtree(bundle)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [(spoiled, "model.txt is not the file"), (of_another_contract, "contract 9f2c"), (gone, "bundle.json is missing")],
)
def test_an_unsound_champion_is_refused_and_the_old_one_goes_on(
    registry: Registry, spoil: Callable[[Path], None], complaint: str
) -> None:
    reign = registry.reign()
    reign.look()
    spoil(registry.artifacts("2"))
    registry.promote("2")
    before = counted("precedence_champions_refused_total")
    reign.look()
    reign.look()
    assert serving(reign) == ("champion", "1")
    assert complaint in str(reign.card().refused)
    assert str(reign.card().refused).startswith("version 2: ")
    assert counted("precedence_champions_refused_total") == before + 1, "it is not tried at every look"
    registry.promote("1")
    reign.look()
    assert reign.card().refused is None


def test_a_refused_champion_that_was_mended_is_taken_after_a_while(registry: Registry) -> None:
    reign = registry.reign()
    reign.look()
    sound = registry.artifacts("2") / "model.txt"
    kept = sound.read_bytes()
    spoiled(registry.artifacts("2"))
    registry.promote("2")
    reign.look()
    sound.write_bytes(kept)
    for _ in range(12):
        reign.look()
    assert serving(reign) == ("champion", "2")


def test_a_newcomer_that_answers_nonsense_is_refused(registry: Registry, bundles: dict[str, Bundle]) -> None:
    reign = registry.reign()
    reign.look()
    shutil.rmtree(registry.artifacts("2"))
    endless = replace(bundles["2"].meta.seconds_per_unit_prior, slot_hours_per_unit=1e308)
    replace(bundles["2"], meta=replace(bundles["2"].meta, seconds_per_unit_prior=endless)).save(registry.artifacts("2"))
    registry.promote("2")
    with np.errstate(all="ignore"):
        reign.look()
    assert serving(reign) == ("champion", "1")
    assert "of its own example" in str(reign.card().refused)


def test_a_registry_that_goes_away_leaves_the_champion_serving(registry: Registry) -> None:
    reign = registry.reign()
    reign.look()
    away = registry.file.rename(registry.file.with_suffix(".away"))
    reign.look()
    assert serving(reign) == ("champion", "1")
    assert reign.model().predict([KNOWN], AT)[0].fallback is None
    assert "no champion" in str(reign.card().registry)
    assert counted("precedence_registry_reachable") == 0
    away.rename(registry.file)
    reign.look()
    assert reign.card().registry is None
    assert counted("precedence_registry_reachable") == 1


def test_started_without_its_registry_the_last_good_bundle_answers_and_says_so(registry: Registry) -> None:
    registry.reign().look()
    away = registry.file.rename(registry.file.with_suffix(".away"))
    reign = registry.reign()
    [answer] = reign.model().predict([KNOWN], AT)
    assert serving(reign) == ("last_good", "1")
    assert str(answer.fallback).endswith("; answered by version 1 in its place")
    [explained] = reign.model().explain([KNOWN], AT)
    assert {reason.feature for reason in explained.reasons} > {"targets", "planned_response"}
    away.rename(registry.file)
    reign.look()
    assert serving(reign) == ("champion", "1")
    assert reign.model().predict([KNOWN], AT)[0].fallback is None


def test_the_last_good_bundle_of_another_registry_is_nobody_s(registry: Registry, tmp_path: Path) -> None:
    registry.reign().look()
    registry.file = tmp_path / "other.db"
    assert serving(registry.reign()) == ("matrix", None)


def test_without_a_cache_the_packed_bundle_answers(
    registry: Registry, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    bundles["2"].save(tmp_path / "packed")
    registry.promote(None)
    reign = registry.reign(packed=tmp_path / "packed")
    assert serving(reign) == ("last_good", None)
    assert "the bundle packed with this service" in str(reign.model().predict([KNOWN], AT)[0].fallback)
    registry.promote("1")
    reign.look()
    assert serving(reign) == ("champion", "1")


@pytest.mark.parametrize("lost", ["model.txt", "snapshot.parquet"])
def test_without_trees_or_snapshot_the_matrix_answers_in_the_bundle_s_dollars(
    registry: Registry, bundles: dict[str, Bundle], lost: str
) -> None:
    (registry.artifacts("1") / lost).unlink()
    reign = registry.reign()
    [answer] = reign.model().predict([KNOWN], AT)
    assert serving(reign) == ("matrix_in_dollars", None)
    points = Matrix.default().points([KNOWN])
    assert answer.value == pytest.approx(float(bundles["1"].meta.matrix_dollars.of(points)[0]))
    assert answer.loss_per_hour is not None
    assert f"bundle file {lost} is missing" in str(answer.fallback)
    assert str(answer.fallback).endswith("valued by the matrix")
    [explained] = reign.model().explain([KNOWN], AT)
    assert {reason.feature for reason in explained.reasons} == {"urgency", "revenue", "audience", "market", "brand"}
    assert reign.card().horizon_h == bundles["1"].meta.horizon_h


def test_with_nothing_left_the_matrix_orders(registry: Registry) -> None:
    gone(registry.artifacts("1"))
    reign = registry.reign()
    [answer] = reign.model().predict([KNOWN], AT)
    assert serving(reign) == ("matrix", None)
    assert "ordered by matrix points" in str(answer.fallback)
