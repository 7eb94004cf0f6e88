"""From a body to the body that answers it, in this thread: read, predict, encode."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from serving.api.answers import Predictions
from serving.api.bodies import Asked
from serving.clock import Clock
from serving.hot.reading import Reader
from serving.prediction import NOBODY_BEGAN, Model


class Answering:
    """What stands behind the hot path: whichever model serves when a request comes, and the clock.

    Parameters
    ----------
    model : asked once a request, so that an answer is all of one model however often it is replaced.
    """

    def __init__(self, model: Callable[[], Model], clock: Clock) -> None:
        self._model, self._clock = model, clock
        self._read = Reader().read
        self._encode = msgspec.json.Encoder().encode

    def read(self, body: bytes) -> Asked | None:
        """What is asked; None where the ordinary route must look at it."""
        return self._read(body)

    def predicted(self, asked: Asked) -> Predictions:
        """The answer of the model that serves now."""
        model = self._model()
        answers = model.predict(asked.campaigns, asked.at or self._clock.now(), asked.progress or NOBODY_BEGAN)
        return Predictions(model=model.identity, predictions=tuple(answers))

    def encoded(self, predictions: Predictions) -> bytes:
        """As JSON; what is no number there is null."""
        return self._encode(predictions)
