"""From values in dollars to answers: the curve, what delay costs on it, and the score among past contenders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np

from features.curves import Curve, Curves, Floats, hours
from features.records import Campaign
from features.rhythm import Rhythm
from serving import priority
from serving.model.meta import Meta
from serving.prediction import CurveParameters, Prediction, ProcessingTime

Priced = tuple[list[float], list[float], list[float]]
"""Scores, indices and losses per hour, in the order of campaigns."""


@dataclass(frozen=True)
class Pricing:
    """The scale a bundle brings: its horizon, its past contenders, and its market's rhythm (None for an even one)."""

    horizon_h: float
    scale: priority.Scale
    rhythm: Rhythm | None

    @classmethod
    def of(cls, meta: Meta) -> Self:
        """The scale of a bundle's metadata."""
        return cls(meta.horizon_h, priority.Scale(np.array(meta.index_quantiles)), Rhythm.of(meta.rhythm))

    def answers(
        self,
        campaigns: Sequence[Campaign],
        values: Floats,
        at: datetime,
        fallbacks: Sequence[str | None],
        whole_h: Sequence[Sequence[float]],
        left_h: Sequence[Sequence[float]],
    ) -> list[Prediction]:
        """Predictions in the order of campaigns; the index is that at `at` with all work still to do.

        Parameters
        ----------
        values : dollars, one entry a campaign.
        whole_h, left_h : slot-hours of all work and of what is left of it, p50 and p90 of each campaign.
        """
        priced = (
            self._one(campaigns[0], values.item(), at, whole_h[0][0])
            if len(campaigns) == 1
            else (self._many(campaigns, values, at, whole_h))
        )
        return [
            Prediction(
                campaign_id=campaign.campaign_id,
                score=score,
                index=index,
                value=value,
                curve=CurveParameters.of(campaign),
                loss_per_hour=loss,
                processing_s=(processing := ProcessingTime.of_hours(*whole)),
                left_s=processing if left is whole else ProcessingTime.of_hours(*left),
                fallback=fallback,
            )
            for campaign, fallback, value, whole, left, score, index, loss in zip(
                campaigns, fallbacks, values.tolist(), whole_h, left_h, *priced, strict=True
            )
        ]

    # A caller without a queue says nothing of chunks or slots: one slot does the whole campaign at once.

    def _one(self, campaign: Campaign, value: float, at: datetime, needed_h: float) -> Priced:
        curve = Curve.of(campaign, value, self.rhythm)
        index = priority.index_of_one(curve, needed_h, needed_h, hours(at), self.horizon_h)
        loss = priority.loss_per_hour(index, needed_h, self.horizon_h)
        return [float(self.scale.score(index))], [index], [loss]

    def _many(
        self, campaigns: Sequence[Campaign], values: Floats, at: datetime, whole_h: Sequence[Sequence[float]]
    ) -> Priced:
        needed_h = np.array(whole_h)[:, 0]
        curves = Curves.of(campaigns, values, self.rhythm)
        index = priority.index(curves, needed_h, needed_h, hours(at), self.horizon_h)
        loss = priority.loss_per_hour(index, needed_h, self.horizon_h)
        return self.scale.score(index).tolist(), index.tolist(), loss.tolist()
