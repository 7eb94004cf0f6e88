"""Campaigns with what a model expects of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from serving.scheduling.work import Estimate, Forecast, Standing


def valued(standing: Standing, estimate: Estimate, forecast: Forecast, moment: datetime) -> Standing:
    """A campaign with the estimate that a forecast made of it at a moment."""
    return replace(
        standing,
        estimate=estimate,
        estimated_at=moment,
        model_version=forecast.model_version,
        source=forecast.source,
    )
