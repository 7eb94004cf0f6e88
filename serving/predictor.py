"""The scheduler's way to the prediction API, as any other scheduler would take it; by the matrix when that fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from features.matrix import Matrix
from features.records import Campaign
from serving.client import PriorityClient
from serving.errors import PrecedenceError
from serving.model import Card, MatrixModel, ModelIdentity, Prediction
from serving.scheduling.work import Estimate, Forecast

log = logging.getLogger(__name__)

_HORIZON_H = 12.0
"""Stands in where there is no bundle to bring one; the matrix's order does not depend on it."""


class RemotePredictor:
    """Keeps the promises of `scheduling.ports.Predictor` through the prediction API."""

    def __init__(self, client: PriorityClient, matrix: Matrix) -> None:
        self._client, self._matrix = client, matrix
        self._card: Card | None = None

    async def forecast(self, campaigns: Sequence[Campaign], at: datetime) -> Forecast:
        """One estimate a campaign, in the order asked; see `Predictor.forecast`."""
        try:
            answers = await self._client.predict(campaigns, at)
            if self._card is None or (self._card.source, self._card.version) != _named(answers.model):
                self._card = await self._client.card()
        except PrecedenceError as error:
            log.warning("prediction_failed", extra={"reason": str(error)})
            model = MatrixModel(str(error), self._matrix)
            return self._forecast(campaigns, model.predict(campaigns, at), model.card())
        return self._forecast(campaigns, answers.predictions, self._card)

    def _forecast(self, campaigns: Sequence[Campaign], answers: Sequence[Prediction], card: Card) -> Forecast:
        points = self._matrix.points(campaigns).tolist()
        in_dollars = card.source == "champion"
        return Forecast(
            model_version=card.version,
            source=card.source,
            horizon_h=card.horizon_h or _HORIZON_H,
            index_quantiles=card.index_quantiles,
            rhythm=card.rhythm,
            estimates=tuple(
                Estimate(
                    campaign_id=answer.campaign_id,
                    value=answer.value if in_dollars else None,
                    points=point,
                    p50_h=answer.processing_s.p50 / 3600,
                    p90_h=answer.processing_s.p90 / 3600,
                    fallback=answer.fallback,
                )
                for answer, point in zip(answers, points, strict=True)
            ),
        )


def _named(model: ModelIdentity) -> tuple[str, str | None]:
    return model.source, model.version
