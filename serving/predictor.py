"""The scheduler's way to the prediction API, as any other scheduler would take it; by the matrix when that fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from features.matrix import Matrix
from serving.client import PriorityClient
from serving.errors import PrecedenceError
from serving.model import Card, MatrixModel, ModelIdentity, Prediction
from serving.prediction import Headway
from serving.scheduling.work import Estimate, Forecast, Standing

log = logging.getLogger(__name__)

_HORIZON_H = 12.0
"""Stands in where there is no bundle to bring one; the matrix's order does not depend on it."""


class RemotePredictor:
    """Keeps the promises of `scheduling.ports.Predictor` through the prediction API."""

    def __init__(self, client: PriorityClient, matrix: Matrix) -> None:
        self._client, self._matrix = client, matrix
        self._card: Card | None = None

    async def forecast(self, asked: Sequence[Standing], at: datetime) -> Forecast:
        """One estimate a campaign, in the order asked; see `Predictor.forecast`."""
        campaigns, progress = [standing.campaign for standing in asked], _progress_of(asked)
        try:
            answers = await self._client.predict(campaigns, at, progress)
            if self._card is None or (self._card.source, self._card.version) != _named(answers.model):
                self._card = await self._client.card()
        except PrecedenceError as error:
            log.warning("prediction_failed", extra={"reason": str(error)})
            model = MatrixModel(str(error), self._matrix)
            return self._forecast(asked, model.predict(campaigns, at, progress), model.card())
        return self._forecast(asked, answers.predictions, self._card)

    def _forecast(self, asked: Sequence[Standing], answers: Sequence[Prediction], card: Card) -> Forecast:
        points = self._matrix.points([standing.campaign for standing in asked]).tolist()
        in_dollars = card.source != "matrix"
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
                    left_p50_h=answer.left_s.p50 / 3600,
                    left_p90_h=answer.left_s.p90 / 3600,
                    done_when_asked=standing.progress.share_done,
                    fallback=answer.fallback,
                )
                for standing, answer, point in zip(asked, answers, points, strict=True)
            ),
        )


def _progress_of(asked: Sequence[Standing]) -> dict[str, Headway]:
    """How far work has come, of the campaigns where some is done."""
    return {
        standing.campaign_id: Headway(done=share, spent_h=standing.progress.spent_h)
        for standing in asked
        if (share := standing.progress.share_done) > 0
    }


def _named(model: ModelIdentity) -> tuple[str, str | None]:
    return model.source, model.version
