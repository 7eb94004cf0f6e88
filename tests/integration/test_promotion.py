"""Champions come and go in a real registry, and anybody can read there who was champion when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.errors import BadInput, NoChampion, NothingToRestore
from serving.model import Bundle
from serving.registry import champion
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.worlds import World, small_world
from training.promotion import Verdict
from training.tracking import Registry, Training

pytestmark = pytest.mark.integration

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PROMOTED, REFUSED = Verdict(True, "promoted: it is better", {}), Verdict(False, "refused: it is worse", {})


@dataclass(frozen=True)
class Place:
    registry: Registry
    bundle: Bundle
    world: World
    home: Path

    def registered(self, proof: Bundle | None = None) -> str:
        run = Training(name="test", bundle=self.bundle, parameters={}, example=self.world.campaigns[:1], proof=proof)
        return self.registry.register(run).version

    def champion(self) -> str | None:
        return champion(self.registry.uri, cache_dir=self.home / "models").identity.version

    def tags(self, version: str) -> dict[str, str]:
        import mlflow

        return dict(
            mlflow.MlflowClient(registry_uri=self.registry.uri).get_model_version("campaign-priority", version).tags
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    home = tmp_path_factory.mktemp("home")
    world = small_world()
    registry = Registry(f"sqlite:///{home / 'mlflow.db'}", home / "mlartifacts")
    return Place(registry, tiny_bundle(world), world, home)


def test_champions_follow_each_other_and_a_rollback_restores_the_one_before(place: Place):
    with pytest.raises(NoChampion):
        place.registry.rollback(None, NOON)
    first, second, third = place.registered(), place.registered(), place.registered()
    place.registry.note(first, PROMOTED, NOON)
    with pytest.raises(NothingToRestore, match="version 1 replaced no earlier champion: name a version with --to"):
        place.registry.rollback(None, NOON)
    place.registry.note(second, PROMOTED, NOON + timedelta(hours=1))
    place.registry.note(third, REFUSED, NOON + timedelta(hours=2))
    assert place.champion() == second
    assert place.tags(first)["status"] == "retired"
    assert place.tags(third)["status"] == "refused"
    assert place.tags(third)["verdict"] == "refused: it is worse"

    done = place.registry.rollback(None, NOON + timedelta(hours=3))
    assert (done.fallen, done.restored) == (second, first)
    assert place.champion() == first
    assert place.tags(second)["status"] == "rolled back to version 1"
    assert place.tags(first)["status"] == "champion"
    assert place.tags(first)["champion_since"] == "2026-11-24T15:00:00+00:00"

    place.registry.rollback(second, NOON + timedelta(hours=4))
    assert place.champion() == second
    with pytest.raises(BadInput, match="version is '99': one of 1, 2, 3"):
        place.registry.rollback("99", NOON)
    assert place.champion() == second


def test_the_bundle_that_was_judged_is_kept_beside_the_one_that_serves(place: Place):
    judged = replace(place.bundle, meta=replace(place.bundle.meta, trained_at=TRAINED_AT - timedelta(days=7)))
    version = place.registered(judged)
    assert place.registry.bundle(version).meta.trained_at == TRAINED_AT
    assert place.registry.proof(version).meta.trained_at == TRAINED_AT - timedelta(days=7)
    assert place.registry.proof(version).identity.version == version
    alone = place.registered()
    assert place.registry.proof(alone).meta.trained_at == TRAINED_AT
