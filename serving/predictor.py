"""The scheduler's way to the prediction API, as any other scheduler would take it; never without an answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

from features.matrix import Matrix
from serving.breaker import Breaker, State
from serving.client import PriorityClient
from serving.errors import PrecedenceError, Refused
from serving.model import Card, ModelIdentity
from serving.scheduling.work import Forecast, Standing
from serving.standing_in import HORIZON_H, StandIn, estimates_of, progress_of

log = logging.getLogger(__name__)


class RemotePredictor:
    """Keeps the promises of `scheduling.ports.Predictor` through the prediction API.

    While the API fails it is left alone (see `Breaker`), and what it last said stands in for it (see `StandIn`). A
    refusal is an answer: the API is well then, and is asked again the next time.
    """

    def __init__(self, client: PriorityClient, matrix: Matrix, breaker: Breaker | None = None) -> None:
        self._client, self._matrix = client, matrix
        self._breaker = breaker or Breaker()
        self._stand_in = StandIn(matrix)
        self._card: Card | None = None
        self._failure = ""

    @property
    def state(self) -> State:
        """Whether the API is asked at present."""
        return self._breaker.state

    async def forecast(self, asked: Sequence[Standing], at: datetime) -> Forecast:
        """One estimate a campaign, in the order asked; see `Predictor.forecast`."""
        if not self._breaker.lets_through():
            return self._stand_in.forecast(asked, at, self._failure)
        try:
            forecast, card = await self._asked(asked, at)
        except PrecedenceError as error:
            self._failure = str(error)
            log.warning("prediction_failed", extra={"reason": self._failure})
            if _is_refusal(error):
                self._breaker.succeeded()
            else:
                self._breaker.failed()
            return self._stand_in.forecast(asked, at, self._failure)
        self._breaker.succeeded()
        self._stand_in.remember(asked, forecast, card, at)
        return forecast

    async def _asked(self, asked: Sequence[Standing], at: datetime) -> tuple[Forecast, Card]:
        campaigns = [standing.campaign for standing in asked]
        answers = await self._client.predict(campaigns, at, progress_of(asked))
        card = self._card
        if card is None or (card.source, card.version) != _named(answers.model):
            card = self._card = await self._client.card()
        points = self._matrix.points(campaigns).tolist()
        in_dollars = card.source != "matrix"
        forecast = Forecast(
            model_version=card.version,
            source=card.source,
            horizon_h=card.horizon_h or HORIZON_H,
            index_quantiles=card.index_quantiles,
            rhythm=card.rhythm,
            estimates=tuple(estimates_of(asked, answers.predictions, points, in_dollars=in_dollars)),
        )
        return forecast, card


def _is_refusal(error: PrecedenceError) -> bool:
    if not isinstance(error, Refused):
        return False
    return error.answered < HTTPStatus.INTERNAL_SERVER_ERROR and error.answered != HTTPStatus.TOO_MANY_REQUESTS


def _named(model: ModelIdentity) -> tuple[str, str | None]:
    return model.source, model.version
