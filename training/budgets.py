"""Budgets a newcomer keeps whatever it earns: calibration, coverage of its intervals, latency, size."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from features.curves import Floats
from features.records import Campaign
from serving.model import Bundle
from training.metrics import calibration
from training.promotion import Finding

ASKED = 30
"""Campaigns asked about one by one; the median of their times is the latency."""


@dataclass(frozen=True)
class Budgets:
    """What is allowed.

    Attributes
    ----------
    total : how far the sum of predictions may be from the sum of what came true, as a share.
    tenths : the same for tenths of the campaigns by predicted value, mean over tenths weighted by dollars.
    coverage : how far the share of values within an interval may be from what the interval promises.
    latency_ms : median of predicting one campaign; size_mb : of the bundle on disk.
    """

    total: float = 0.15
    tenths: float = 0.15
    coverage: float = 0.05
    latency_ms: float = 10.0
    size_mb: float = 20.0


def findings(
    bundle: Bundle,
    truth: Floats,
    predicted: Floats,
    campaigns: Sequence[Campaign],
    covered: Mapping[float, float] | None = None,
    budgets: Budgets | None = None,
) -> list[Finding]:
    """Hold a bundle against its budgets.

    Parameters
    ----------
    truth, predicted : dollars of campaigns that it did not learn from.
    campaigns : to ask it about, one at least.
    covered : share of the truth inside the interval, by the share that the interval promises.
    """
    allowed = budgets or Budgets()
    off = float(predicted.sum() / truth.sum()) if truth.sum() > 0 else np.nan
    parts = calibration(truth, predicted)
    tenths = float((parts.predicted - parts.observed).abs().sum() / parts.observed.sum()) if len(parts) else np.nan
    latency_ms, size_mb = latency(bundle, campaigns) * 1000, size(bundle) / 1e6
    found = [
        Finding(
            "predicted over actual",
            off,
            f"within {1 - allowed.total:g} to {1 + allowed.total:g}",
            abs(off - 1) <= allowed.total,
        ),
        Finding("error of tenths", tenths, f"at most {allowed.tenths:g}", tenths <= allowed.tenths),
        Finding("latency", latency_ms, f"at most {allowed.latency_ms:g} ms", latency_ms <= allowed.latency_ms, " ms"),
        Finding("size", size_mb, f"at most {allowed.size_mb:g} MB", size_mb <= allowed.size_mb, " MB"),
    ]
    for promised, share in (covered or {}).items():
        between = f"within {promised - allowed.coverage:.2g} to {promised + allowed.coverage:.2g}"
        holds = abs(share - promised) <= allowed.coverage
        found.append(Finding(f"coverage {100 * promised:.0f}", share, between, holds))
    return found


def latency(bundle: Bundle, campaigns: Sequence[Campaign]) -> float:
    """Median seconds of predicting one campaign as of the bundle's own moment."""
    took = []
    for campaign in (list(campaigns) * ASKED)[:ASKED]:
        began = perf_counter()
        bundle.predict([campaign], bundle.snapshot.moment)
        took.append(perf_counter() - began)
    return median(took)


def size(bundle: Bundle) -> int:
    """Bytes of the bundle on disk."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle.save(Path(scratch))
        return sum(file.stat().st_size for file in Path(scratch).iterdir())
