"""A tiny but real bundle: LightGBM trained on a made-up world, for tests of whatever serves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import lightgbm
import numpy as np

from features.builder import build_features
from features.contract import FEATURE_NAMES, fingerprint
from features.snapshot import Snapshot
from serving.model import Bundle, MatrixDollars, Meta, ProcessingPrior
from tests.worlds import MONDAY, World

TRAINED_AT = datetime(2026, 3, 2, tzinfo=UTC)
PARAMETERS = {
    "objective": "tweedie",
    "num_leaves": 4,
    "min_data_in_leaf": 5,
    "verbosity": -1,
    "num_threads": 1,
    "seed": 1,
}


def tiny_bundle(world: World, at: datetime = TRAINED_AT) -> Bundle:
    """A bundle that learned the revenue of the world's campaigns, as of a moment."""
    rows = build_features(world.history, world.campaigns, [c.released_at for c in world.campaigns])
    revenue: dict[str, float] = {}
    for kpi in world.kpis:
        revenue[kpi.campaign_id] = revenue.get(kpi.campaign_id, 0.0) + kpi.value
    label = np.array([revenue.get(c.campaign_id, 0.0) for c in world.campaigns])
    data = lightgbm.Dataset(rows.to_numpy(), label, feature_name=list(FEATURE_NAMES))
    booster = lightgbm.train(PARAMETERS, data, num_boost_round=8)
    meta = Meta(
        name="campaign-priority",
        trained_at=at,
        training_window=(MONDAY, MONDAY + timedelta(weeks=8)),
        contract=fingerprint(),
        features=FEATURE_NAMES,
        objective="tweedie",
        horizon_h=12.0,
        index_quantiles=tuple(np.linspace(0, 40, 101).tolist()),
        seconds_per_unit_prior=ProcessingPrior(setup_units=50, slot_hours_per_unit=0.01, sigma=0.25),
        matrix_dollars=MatrixDollars(points=(0.0, 50.0, 100.0), dollars=(1.0, 20.0, 300.0)),
        metrics={"value": {"spearman": 0.9}},
    )
    return Bundle(booster, Snapshot.of(world.history, at), meta)
