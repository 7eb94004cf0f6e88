"""What stands in for the prediction API while it does not answer: its last words, else the matrix computed here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from features.matrix import Matrix
from features.records import Campaign
from serving.model import Card, MatrixModel
from serving.prediction import Headway, Prediction
from serving.scheduling.work import Estimate, Forecast, Standing

MOST_REMEMBERED = 100_000
"""Campaigns whose last prediction is remembered; twice as many as may be live by default."""

HORIZON_H = 12.0
"""Stands in where there is no bundle to bring one; the matrix's order does not depend on it."""


class StandIn:
    """Remembers predictions, and answers from them.

    A campaign keeps the curve that was last predicted for it, as long as its facts are the same. Others are valued by
    the matrix: in dollars by the last model's own map, so that one queue keeps one unit, or in mere points where no
    model ever answered.
    """

    def __init__(self, matrix: Matrix, most: int = MOST_REMEMBERED) -> None:
        self._matrix, self._most = matrix, most
        self._card: Card | None = None
        self._last: OrderedDict[str, tuple[Campaign, Estimate, datetime]] = OrderedDict()

    def remember(self, asked: Sequence[Standing], forecast: Forecast, card: Card, at: datetime) -> None:
        """Keep what a model that knows dollars said."""
        if forecast.source == "matrix":
            return
        self._card = card
        for standing, estimate in zip(asked, forecast.estimates, strict=True):
            self._last[standing.campaign_id] = standing.campaign, estimate, at
            self._last.move_to_end(standing.campaign_id)
        while len(self._last) > self._most:
            self._last.popitem(last=False)

    def forecast(self, asked: Sequence[Standing], at: datetime, reason: str) -> Forecast:
        """One labelled estimate a campaign, in the order asked."""
        card = self._card
        by_matrix = self._by_matrix(asked, at, reason)
        return Forecast(
            model_version=None if card is None else card.version,
            source="matrix" if card is None else "remembered",
            horizon_h=HORIZON_H if card is None else card.horizon_h or HORIZON_H,
            index_quantiles=() if card is None else card.index_quantiles,
            rhythm=() if card is None else card.rhythm,
            estimates=tuple(
                self._remembered(standing, reason) or estimate
                for standing, estimate in zip(asked, by_matrix, strict=True)
            ),
        )

    def _remembered(self, standing: Standing, reason: str) -> Estimate | None:
        campaign, estimate, at = self._last.get(standing.campaign_id, (None, None, None))
        if estimate is None or at is None or campaign != standing.campaign:
            return None
        before = "" if estimate.fallback is None else f"; by then: {estimate.fallback}"
        return replace(estimate, fallback=f"{reason}; as predicted at {at:%Y-%m-%d %H:%M} UTC{before}")

    def _by_matrix(self, asked: Sequence[Standing], at: datetime, reason: str) -> list[Estimate]:
        model, campaigns = MatrixModel(reason, self._matrix), [standing.campaign for standing in asked]
        points = self._matrix.points(campaigns)
        dollars = self._dollars(points)
        answers = model.predict(campaigns, at, progress_of(asked))
        estimates = estimates_of(asked, answers, points.tolist(), in_dollars=False)
        if dollars is None:
            return estimates
        label = f"{reason}; valued by the matrix in dollars"
        return [
            replace(estimate, value=value, fallback=label) for estimate, value in zip(estimates, dollars, strict=True)
        ]

    def _dollars(self, points: np.typing.NDArray[np.float64]) -> list[float] | None:
        if self._card is None or not self._card.matrix_dollars:
            return None
        known_points, known_dollars = zip(*self._card.matrix_dollars, strict=True)
        values: list[float] = np.interp(points, known_points, known_dollars).tolist()
        return values


def estimates_of(
    asked: Sequence[Standing], answers: Sequence[Prediction], points: Sequence[float], *, in_dollars: bool
) -> list[Estimate]:
    """Answers as the scheduler keeps them."""
    return [
        Estimate(
            campaign_id=answer.campaign_id,
            value=answer.value if in_dollars else None,
            points=point,
            p50_h=answer.processing_s.p50 / 3600,
            p90_h=answer.processing_s.p90 / 3600,
            left_p50_h=answer.left_s.p50 / 3600,
            left_p90_h=answer.left_s.p90 / 3600,
            done_when_asked=standing.progress.share_done,
            fallback=answer.fallback,
        )
        for standing, answer, point in zip(asked, answers, points, strict=True)
    ]


def progress_of(asked: Sequence[Standing]) -> dict[str, Headway]:
    """How far work has come, of the campaigns where some is done."""
    return {
        standing.campaign_id: Headway(done=share, spent_h=standing.progress.spent_h)
        for standing in asked
        if (share := standing.progress.share_done) > 0
    }
