"""What is summed over the facts known about an entity: declared once, kept in ledgers and snapshots alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from features.ledgers import Entity


def weeks(count: float) -> timedelta:
    """A duration of some weeks."""
    return timedelta(weeks=count)


MEMORIES: Mapping[str, timedelta | None] = {"": None, "_13w": weeks(13), "_4w": weeks(4)}
"""Half-lives that amounts are remembered with, by suffix."""

BASELINE_WEEKS = (4, 8, 26)
"""Windows of what targets earn without a campaign."""


@dataclass(frozen=True)
class Aggregate:
    """A sum over the facts known about an entity; `amount` None asks when the latest was known (hours)."""

    name: str
    entity: Entity
    ledger: str
    amount: str | None
    window: timedelta | None = None
    half_life: timedelta | None = None


def _per_memory(prefix: str, entity: Entity, ledger: str, amounts: tuple[str, ...]) -> list[Aggregate]:
    return [
        Aggregate(f"{prefix}_{amount}{suffix}", entity, ledger, amount, half_life=half_life)
        for amount in amounts
        for suffix, half_life in MEMORIES.items()
    ]


AGGREGATES: tuple[Aggregate, ...] = (
    *_per_memory("target", Entity.TARGET_IN_CHANNEL, "responses", ("revenue", "exposures")),
    *_per_memory("kind_in_channel", Entity.KIND_IN_CHANNEL, "responses", ("revenue", "exposures")),
    *_per_memory("channel", Entity.CHANNEL, "responses", ("revenue", "exposures")),
    *_per_memory("kind", Entity.KIND, "outcomes", ("revenue", "share")),
    Aggregate("kind_revenue_1w", Entity.KIND, "outcomes", "revenue", half_life=weeks(1)),
    Aggregate("kind_share_1w", Entity.KIND, "outcomes", "share", half_life=weeks(1)),
    Aggregate("kind_launches", Entity.KIND, "outcomes", "launches"),
    Aggregate("kind_last_h", Entity.KIND, "outcomes", None),
    *(
        Aggregate(f"{entity}_{amount}_{n}w", entity, "baseline", amount, window=weeks(n))
        for entity, amount in ((Entity.TARGET, "value"), (Entity.MARKET, "readings"))
        for n in BASELINE_WEEKS
    ),
)

TARGET_ENTITIES = (Entity.TARGET_IN_CHANNEL, Entity.TARGET)
CAMPAIGN_ENTITIES = tuple(entity for entity in Entity if entity not in TARGET_ENTITIES)

OF_TARGETS = tuple(a for entity in TARGET_ENTITIES for a in AGGREGATES if a.entity == entity)
"""What is kept of targets: first what they did in one channel, then what they earn whatever the channel."""

OF_CAMPAIGNS = tuple(a for entity in CAMPAIGN_ENTITIES for a in AGGREGATES if a.entity == entity)
"""What is kept of that which campaigns have in common, by entity."""
