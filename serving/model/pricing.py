"""From values in dollars to answers: the curve, what delay costs on it, and the score among past contenders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np

from features.curves import Curves, Floats, hours
from features.records import Campaign
from features.rhythm import Rhythm
from serving import priority
from serving.model.meta import Meta
from serving.prediction import CurveParameters, Prediction, ProcessingTime


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
        whole_h: Floats,
        left_h: Floats,
    ) -> list[Prediction]:
        """Predictions in the order of campaigns; the index is that at `at` with all work still to do.

        Parameters
        ----------
        values : dollars, one entry a campaign.
        whole_h, left_h : slot-hours of all work and of what is left of it, p50 and p90, shape (campaigns, 2).
        """
        # A caller without a queue says nothing of chunks or slots: one slot does the whole campaign at once.
        needed_h = whole_h[:, 0]
        curves = Curves.of(campaigns, values, self.rhythm)
        index = priority.index(curves, needed_h, needed_h, hours(at), self.horizon_h)
        score = self.scale.score(index)
        loss = priority.loss_per_hour(index, needed_h, self.horizon_h)
        columns = (score, index, values, loss, whole_h, left_h)
        return [
            Prediction(
                campaign_id=campaign.campaign_id,
                score=score_,
                index=index_,
                value=value,
                curve=CurveParameters.of(campaign),
                loss_per_hour=loss_,
                processing_s=ProcessingTime.of_hours(*whole),
                left_s=ProcessingTime.of_hours(*left),
                fallback=fallback,
            )
            for campaign, fallback, score_, index_, value, loss_, whole, left in zip(
                campaigns, fallbacks, *(column.tolist() for column in columns), strict=True
            )
        ]
