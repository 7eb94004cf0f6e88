"""What a model may expect: the ordered features and a fingerprint of how they are made."""

from __future__ import annotations

import hashlib
import json

from features.aggregates import AGGREGATES
from features.definitions import FEATURES, PRIOR_WEIGHT

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

REVISION = 1
"""Raise when a feature's computation changes but its declaration does not."""


def fingerprint() -> str:
    """Short hash of the declared features and aggregates; a model fits only the build it was trained with."""
    declared = {
        "revision": REVISION,
        "prior_weight": PRIOR_WEIGHT,
        "features": [[f.name, f.dtype, f.window] for f in FEATURES],
        "aggregates": [[a.name, a.entity, a.ledger, a.amount, str(a.window), str(a.half_life)] for a in AGGREGATES],
    }
    return hashlib.sha256(json.dumps(declared).encode()).hexdigest()[:12]
