"""When a bundle does not answer itself, and why; the matrix then answers, in dollars."""

from __future__ import annotations

import numpy as np

from features.contract import FEATURE_NAMES
from features.curves import Floats

Unanswerable = str | None
"""Why the trees cannot answer for a campaign, or None where they can."""

HISTORY_FEATURES = ("planned_response", "target_baseline", "kind_mean_value")
"""Without any of these nothing at all is known: neither its targets nor its kind were seen before."""

NOTHING_KNOWN = "nothing is known: neither its targets nor its kind were seen before; valued by the matrix"


def fallback_reasons(features: Floats, snapshot_age_h: float, max_age_h: float | None) -> list[Unanswerable]:
    """Per campaign (rows of `features`, columns in contract order) why the trees cannot answer, or None."""
    if max_age_h is not None and snapshot_age_h > max_age_h:
        stale = f"the feature snapshot is {snapshot_age_h:.0f} h old, more than {max_age_h:g} h; valued by the matrix"
        return [stale] * len(features)
    columns = [FEATURE_NAMES.index(name) for name in HISTORY_FEATURES]
    unknown = np.isnan(features[:, columns]).all(axis=1)
    return [NOTHING_KNOWN if u else None for u in unknown]
