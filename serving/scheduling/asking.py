"""Asks a model what campaigns are worth, without letting anybody wait for it who knows already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from features.rhythm import Rhythm
from serving.clock import Clock
from serving.priority import Scale
from serving.scheduling.policy import Policy
from serving.scheduling.ports import Predictor, Standings
from serving.scheduling.valuing import valued
from serving.scheduling.watch import Watch
from serving.scheduling.work import Forecast, Standing

_MOST_ASKED = 1_000
"""Campaigns asked about at once; the others come next."""


class Asking:
    """One question at a time is under way; its answer is kept in the store and in what was seen of it.

    Parameters
    ----------
    wake : called when an answer came, and when there is more to ask.
    """

    def __init__(
        self, store: Standings, predictor: Predictor, clock: Clock, watch: Watch, wake: Callable[[], None]
    ) -> None:
        self._store, self._predictor, self._clock, self._watch, self._wake = store, predictor, clock, watch, wake
        self._question: asyncio.Future[Forecast] | None = None
        self._asked: list[Standing] = []
        self._model: tuple[str, str | None] | None = None

    async def answered(self, policy: Policy, patience_s: float) -> Policy:
        """Ask about campaigns whose worth is unknown or old, and return the policy as the model's answer changes it.

        Waits for an answer to a new question for `patience_s` seconds of the wall clock at most, and not at all where
        an older answer serves meanwhile.
        """
        new = self._question is None
        question = self._question = self._question or self._asked_now()
        if question is None:
            return policy
        if new and (self._model is None or any(standing.estimated_at is None for standing in self._asked)):
            await asyncio.wait({question}, timeout=patience_s)
        if not question.done():
            return policy
        self._question = None
        return policy if question.cancelled() else self._take(question.result(), policy)

    def stop(self) -> None:
        """Give up on what is under way."""
        if self._question is not None:
            self._question.cancel()

    def _asked_now(self) -> asyncio.Future[Forecast] | None:
        at = self._clock.now()
        self._asked = self._watch.roster.unsure(at)[:_MOST_ASKED]
        if not self._asked and self._model is not None:
            return None
        question = asyncio.ensure_future(self._predictor.forecast(self._asked, at))
        question.add_done_callback(lambda _: self._wake())
        return question

    def _take(self, forecast: Forecast, policy: Policy) -> Policy:
        at, roster = self._clock.now(), self._watch.roster
        scale = Scale(np.array(forecast.index_quantiles)) if forecast.index_quantiles else None
        policy = replace(policy, horizon_h=forecast.horizon_h, scale=scale, rhythm=Rhythm.of(forecast.rhythm))
        asked = list(zip(self._asked, forecast.estimates, strict=True))
        scores = policy.scores([valued(standing, estimate, forecast, at) for standing, estimate in asked], at)
        self._store.estimated(self._asked, forecast, scores, at)
        now = [
            replace(valued(current, estimate, forecast, at), score=score)
            for (standing, estimate), score in zip(asked, scores, strict=True)
            if (current := self._unchanged(standing)) is not None
        ]
        self._watch.take_in(now, at)
        model = forecast.source, forecast.model_version
        if self._model not in (None, model):
            roster.doubt_all(but=[standing.campaign_id for standing in self._asked])
        self._model = model
        if roster.unsure(at):
            self._wake()
        return policy

    def _unchanged(self, asked: Standing) -> Standing | None:
        """The campaign as it stands by now, if its facts are still those that were asked about."""
        roster = self._watch.roster
        row = roster.row_of.get(asked.campaign_id)
        current = None if row is None else roster.standings[row]
        return current if current is not None and current.revision == asked.revision else None
