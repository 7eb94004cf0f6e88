"""The clients of the prediction API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import TypeAdapter

from features.records import Campaign
from serving.api.answers import Explanations, Predictions
from serving.api.bodies import ASKED, Asked
from serving.client.calls import AsyncCaller, Call, Caller
from serving.prediction import NOBODY_BEGAN, Card, Headway

_PREDICTIONS, _EXPLANATIONS, _CARD = TypeAdapter(Predictions), TypeAdapter(Explanations), TypeAdapter(Card)
_MODEL = Call(answer=_CARD, method="GET", path="/model")


class PriorityClient(AsyncCaller):
    """The prediction API. Every call is safe to repeat, and is when nobody answers, unless nobody did the last time."""

    async def predict(
        self,
        campaigns: Sequence[Campaign],
        at: datetime | None = None,
        progress: Mapping[str, Headway] = NOBODY_BEGAN,
    ) -> Predictions:
        """One prediction a campaign, in the order asked; `progress` tells by id how far work on them has come."""
        return await self._made(_predict(campaigns, at, progress))

    async def explain(
        self,
        campaigns: Sequence[Campaign],
        at: datetime | None = None,
        progress: Mapping[str, Headway] = NOBODY_BEGAN,
    ) -> Explanations:
        """One explained prediction a campaign."""
        return await self._made(_explain(campaigns, at, progress))

    async def card(self) -> Card:
        """Which model answers."""
        return await self._made(_MODEL)


class SyncPriorityClient(Caller):
    """The same for callers without an event loop."""

    def predict(
        self,
        campaigns: Sequence[Campaign],
        at: datetime | None = None,
        progress: Mapping[str, Headway] = NOBODY_BEGAN,
    ) -> Predictions:
        """One prediction a campaign, in the order asked; `progress` tells by id how far work on them has come."""
        return self._made(_predict(campaigns, at, progress))

    def explain(
        self,
        campaigns: Sequence[Campaign],
        at: datetime | None = None,
        progress: Mapping[str, Headway] = NOBODY_BEGAN,
    ) -> Explanations:
        """One explained prediction a campaign."""
        return self._made(_explain(campaigns, at, progress))

    def card(self) -> Card:
        """Which model answers."""
        return self._made(_MODEL)


def _predict(campaigns: Sequence[Campaign], at: datetime | None, progress: Mapping[str, Headway]) -> Call[Predictions]:
    return Call(answer=_PREDICTIONS, method="POST", path="/predict", request=_asked(campaigns, at, progress))


def _explain(campaigns: Sequence[Campaign], at: datetime | None, progress: Mapping[str, Headway]) -> Call[Explanations]:
    return Call(answer=_EXPLANATIONS, method="POST", path="/explain", request=_asked(campaigns, at, progress))


def _asked(campaigns: Sequence[Campaign], at: datetime | None, progress: Mapping[str, Headway]) -> dict[str, bytes]:
    asked = Asked(campaigns=tuple(campaigns), at=at, progress=dict(progress) or None)
    return {"content": ASKED.dump_json(asked, exclude_none=True)}
