"""The client of the prediction API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

import httpx
from pydantic import TypeAdapter
from tenacity import AsyncRetrying

from features.records import Campaign
from serving.api.answers import Explanations, Predictions
from serving.api.bodies import ASKED, Asked
from serving.client.calls import TIMEOUT_S, TRIES, Answer, answered, patience, sent_with, unreachable
from serving.prediction import NOBODY_BEGAN, Card, Headway

_PREDICTIONS, _EXPLANATIONS, _CARD = TypeAdapter(Predictions), TypeAdapter(Explanations), TypeAdapter(Card)


class PriorityClient:
    """The prediction API. Every call is safe to repeat, and is when nobody answers, unless nobody did the last time.

    Raises
    ------
    ServiceUnreachable
        From every call, when nobody answers or the answer is none of ours.
    Refused
        When the service answers with a problem.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S, token: str | None = None) -> None:
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout_s, headers=sent_with(token))
        self._answered = True

    async def __aenter__(self) -> Self:
        """Use within `async with`, which closes its connections."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def predict(
        self,
        campaigns: Sequence[Campaign],
        at: datetime | None = None,
        progress: Mapping[str, Headway] = NOBODY_BEGAN,
    ) -> Predictions:
        """One prediction a campaign, in the order asked; `progress` tells by id how far work on them has come."""
        return await self._call(_PREDICTIONS, "POST", "/predict", _asked(campaigns, at, progress))

    async def explain(
        self,
        campaigns: Sequence[Campaign],
        at: datetime | None = None,
        progress: Mapping[str, Headway] = NOBODY_BEGAN,
    ) -> Explanations:
        """One explained prediction a campaign."""
        return await self._call(_EXPLANATIONS, "POST", "/explain", _asked(campaigns, at, progress))

    async def card(self) -> Card:
        """Which model answers."""
        return await self._call(_CARD, "GET", "/model", None)

    async def _call(self, answer: TypeAdapter[Answer], method: str, path: str, body: bytes | None) -> Answer:
        try:
            # Who waits for a service that is gone again and again is no quicker to do without it.
            again = AsyncRetrying(**patience(httpx.TransportError, tries=TRIES if self._answered else 1))
            response: httpx.Response = await again(self._http.request, method, path, content=body)
        except httpx.HTTPError as error:
            self._answered = False
            raise unreachable(self._url, error) from error
        self._answered = True
        return answered(answer, response)


def _asked(campaigns: Sequence[Campaign], at: datetime | None, progress: Mapping[str, Headway]) -> bytes:
    asked = Asked(campaigns=tuple(campaigns), at=at, progress=dict(progress) or None)
    return ASKED.dump_json(asked, exclude_none=True)
