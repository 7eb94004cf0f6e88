"""A made-up market of any size for the serving bench: a bundle that knows it, and campaigns to ask about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import lightgbm
import numpy as np

from features.aggregates import AGGREGATES
from features.contract import FEATURE_NAMES, fingerprint
from features.ledgers import THE_MARKET, Entity
from features.records import Campaign
from features.snapshot import Snapshot
from serving.model import Bundle, MatrixDollars, Meta, ProcessingPrior

TRAINED_AT = datetime(2026, 3, 2, tzinfo=UTC)
TARGETS, TREES, LEAVES = 30, 300, 15
"""Targets of a campaign, and the size of the model."""

KINDS = tuple(f"kind{n}" for n in range(12))
CHANNELS = ("mail", "push", "sms", "web")
_LEARNED_FROM = 6_000


def snapshot(entities: int, seed: int = 0) -> Snapshot:
    """What is known of so many targets, each with a past in one channel."""
    chance = np.random.default_rng(seed)
    targets = [f"p{n}" for n in range(entities)]
    labels = {
        Entity.TARGET: targets,
        Entity.TARGET_IN_CHANNEL: [f"{CHANNELS[n % len(CHANNELS)]}/{target}" for n, target in enumerate(targets)],
        Entity.CHANNEL: list(CHANNELS),
        Entity.KIND: list(KINDS),
        Entity.KIND_IN_CHANNEL: [f"{channel}/{kind}" for channel in CHANNELS for kind in KINDS],
        Entity.MARKET: [THE_MARKET],
    }
    known = {}
    for entity, names in labels.items():
        aggregates = [a for a in AGGREGATES if a.entity == entity]
        known[entity] = chance.gamma(2.0, 20.0, (len(aggregates), len(names) + 1))
        known[entity][:, -1] = [np.nan if aggregate.amount is None else 0.0 for aggregate in aggregates]
    return Snapshot.of_known(TRAINED_AT, labels, known)


def campaigns(count: int, entities: int, seed: int = 1) -> list[Campaign]:
    """Campaigns of about thirty targets each."""
    chance = np.random.default_rng(seed)
    return [
        Campaign(
            campaign_id=f"campaign-{n}",
            account=f"account-{n % 7}",
            kind=KINDS[n % len(KINDS)],
            channel=CHANNELS[n % len(CHANNELS)],
            released_at=TRAINED_AT + timedelta(hours=n % 48),
            ends_at=TRAINED_AT + timedelta(days=7, hours=n % 48),
            work_units=float(chance.integers(100, 100_000)),
            targets={
                f"p{chance.integers(entities)}": float(chance.integers(10, 5_000))
                for _ in range(int(chance.integers(TARGETS - 5, TARGETS + 6)))
            },
            urgency=round(float(chance.random()), 3),
            planned_revenue=float(chance.integers(100, 10_000)),
        )
        for n in range(count)
    ]


def bundle(entities: int) -> Bundle:
    """A bundle of a usual size that knows so many targets."""
    known = snapshot(entities)
    rows = known.features(campaigns(_LEARNED_FROM, entities, seed=2), TRAINED_AT)
    earned = np.nan_to_num(rows[:, 0]) * np.random.default_rng(3).gamma(2.0, 0.5, len(rows))
    parameters = {"objective": "tweedie", "num_leaves": LEAVES, "verbosity": -1, "num_threads": 1, "seed": 1}
    data = lightgbm.Dataset(rows, earned, feature_name=list(FEATURE_NAMES))
    meta = Meta(
        name="campaign-priority",
        trained_at=TRAINED_AT,
        training_window=(TRAINED_AT - timedelta(weeks=52), TRAINED_AT),
        contract=fingerprint(),
        features=FEATURE_NAMES,
        objective="tweedie",
        horizon_h=12.0,
        index_quantiles=tuple(np.geomspace(0.01, 4000, 201).tolist()),
        seconds_per_unit_prior=ProcessingPrior(setup_units=50, slot_hours_per_unit=0.001, sigma=0.25),
        matrix_dollars=MatrixDollars(points=(0.0, 50.0, 100.0), dollars=(1.0, 200.0, 3000.0)),
        rhythm=tuple((w := np.random.default_rng(4).uniform(0.2, 1.8, 168)) / w.mean()),
    )
    return Bundle(lightgbm.train(parameters, data, num_boost_round=TREES), known, meta)
