"""Registers a tiny bundle as training does and promotes it, by the settings of this process; prints its version."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from serving.errors import PrecedenceError
from serving.settings import Settings
from tests.bundles import tiny_bundle
from tests.worlds import small_world
from training.promotion import Verdict
from training.tracking import Registry, Training


def registered_and_promoted(settings: Settings) -> str:
    registry, world = Registry.of(settings), small_world()
    registry.check()
    run = Training(name="test", bundle=tiny_bundle(world), parameters={"seed": 1}, example=world.campaigns[:1])
    version = registry.register(run).version
    registry.note(version, Verdict(True, "promoted: it is better", {}), datetime(2026, 11, 24, tzinfo=UTC))
    return version


if __name__ == "__main__":
    try:
        print(registered_and_promoted(Settings.read()))
    except PrecedenceError as error:
        sys.exit(f"precedence: {error}")
