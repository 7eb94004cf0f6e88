"""From a body to the body that answers it, in this thread: read, predict, encode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from serving.api.answers import Predictions
from serving.api.bodies import Asked
from serving.clock import Clock
from serving.hot.reading import Reader
from serving.prediction import NOBODY_BEGAN, Model


@dataclass(frozen=True)
class Answer:
    """The JSON of an answer, in one piece or several, and of how many campaigns it is."""

    pieces: Sequence[bytes]
    campaigns: int


class Answering:
    """What stands behind the hot path: whichever model serves when a request comes, and the clock.

    Parameters
    ----------
    model : asked once a request, so that an answer is all of one model however often it is replaced.
    """

    def __init__(self, model: Callable[[], Model], clock: Clock) -> None:
        self._model, self._clock = model, clock
        self._reader = Reader()
        self._encode = msgspec.json.Encoder().encode

    def read(self, body: bytes) -> Asked | None:
        """What is asked; None where the ordinary route must look at it."""
        return self._reader.read(body)

    def predicted(self, asked: Asked) -> Predictions:
        """The answer of the model that serves now."""
        model = self._model()
        answers = model.predict(asked.campaigns, asked.at or self._clock.now(), asked.progress or NOBODY_BEGAN)
        return Predictions(model=model.identity, predictions=tuple(answers))

    def encoded(self, predictions: Predictions) -> bytes:
        """As JSON; what is no number there is null."""
        return self._encode(predictions)

    def answer(self, body: bytes, most: int) -> Answer | None:
        """The answer to a body of few campaigns; None in any doubt, or when they are more than `most`."""
        asked = self.read(body)
        if asked is None or len(asked.campaigns) > most:
            return None
        return Answer((self.encoded(self.predicted(asked)),), len(asked.campaigns))

    def answer_batch(self, body: bytes, most: int, given_up: Callable[[], bool]) -> Answer | None:
        """The answer to a body of many, part by part; None in any doubt about any part.

        Parameters
        ----------
        most : campaigns that the body may hold.
        given_up : whether nobody waits for it any more.
        """
        batch = self._reader.batch(body)
        if batch is None or batch.count > most:
            return None
        model, at = self._model(), batch.at or self._clock.now()
        pieces = [b'{"model":' + self._encode(model.identity) + b',"predictions":[']
        for campaigns in batch.parts:
            if campaigns is None or given_up():
                return None
            pieces.append(self._encode(model.predict(campaigns, at, batch.progress))[1:-1])
            pieces.append(b",")
        if batch.count:
            pieces.pop()
        pieces.append(b"]}")
        return Answer(pieces, batch.count)
