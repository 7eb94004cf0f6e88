"""Why a campaign is predicted what it is: each feature's share of the model's raw output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.curves import Floats
from serving.prediction import Explanation, Prediction, Reason

EXPECTED_VALUE = "expected value"
"""Name of the entry that holds the model's average raw output, which belongs to no feature."""


def reasons_of(names: Sequence[str], features: Floats, contributions: Floats) -> tuple[Reason, ...]:
    """Reasons from LightGBM's `pred_contrib` (one entry a feature, then the expected value), largest first.

    Their contributions sum to the raw output, which is the logarithm of dollars for a Tweedie or Poisson model.
    """
    *parts, expected = contributions.tolist()
    reasons = [
        Reason(feature=name, value=None if np.isnan(value) else float(value), contribution=part)
        for name, value, part in zip(names, features, parts, strict=True)
    ]
    reasons.append(Reason(feature=EXPECTED_VALUE, value=None, contribution=expected))
    return tuple(sorted(reasons, key=lambda reason: -abs(reason.contribution)))


def explained(
    prediction: Prediction, reasons: tuple[Reason, ...], plain: tuple[str, ...], matrix: tuple[Reason, ...]
) -> Explanation:
    """A prediction with its reasons, the largest in words, and the matrix's points beside them."""
    # Field by field rather than asdict, which would turn the nested values into dictionaries.
    fields = {name: getattr(prediction, name) for name in Prediction.__dataclass_fields__}
    return Explanation(**fields, reasons=reasons, plain=plain, matrix=matrix)
