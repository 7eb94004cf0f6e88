"""Value above what a campaign's targets would have earned without it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.curves import Floats


def above_baseline(gross: npt.ArrayLike, baseline: npt.ArrayLike) -> Floats:
    """Dollars above an expected baseline, 0 at least: nothing is lost by putting off what adds nothing.

    Parameters
    ----------
    gross : predicted dollars, one entry a campaign.
    baseline : dollars that its targets earn without a campaign, the feature `target_baseline`; where that is not
        known (NaN) nothing is taken off.
    """
    above: Floats = np.maximum(np.asarray(gross, float) - np.nan_to_num(np.asarray(baseline, float)), 0.0)
    return above
