"""When a bundle does not answer itself, and why; the matrix then answers, in dollars."""

from __future__ import annotations

from features.contract import FEATURE_NAMES
from features.curves import Floats

Unanswerable = str | None
"""Why the trees cannot answer for a campaign, or None where they can."""

EVIDENCE = ("kind_campaigns", "seen_share", "target_baseline")
"""Features above zero once a campaign's kind ran before, or one of its targets did or earned anything."""

_ASKED = [FEATURE_NAMES.index(name) for name in (*EVIDENCE, "targets")]

NO_TARGETS = "it names no targets, and the model learned from campaigns that do; valued by the matrix"
NOTHING_KNOWN = "nothing is known: neither its targets nor its kind were seen before; valued by the matrix"


def fallback_reasons(
    features: Floats, snapshot_age_h: float, max_age_h: float | None, *, by_targets: bool
) -> list[Unanswerable]:
    """Per campaign (rows of `features`, columns in contract order) why the trees cannot answer, or None.

    `by_targets` when the model has only seen campaigns that name their targets: one without lies outside of all that
    it learned.
    """
    if max_age_h is not None and snapshot_age_h > max_age_h:
        stale = f"the feature snapshot is {snapshot_age_h:.0f} h old, more than {max_age_h:g} h; valued by the matrix"
        return [stale] * len(features)
    return [_missing(told, by_targets=by_targets) for told in features.take(_ASKED, axis=1).tolist()]


def _missing(told: list[float], *, by_targets: bool) -> Unanswerable:
    *evidence, targets = told
    # Unknown is NaN, and NaN is not above zero.
    if not any(each > 0 for each in evidence):
        return NOTHING_KNOWN
    return NO_TARGETS if by_targets and not targets > 0 else None
