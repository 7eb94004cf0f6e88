"""The two services, as BentoML runs them. Nothing starts at import: each process reads its settings when it does."""

from __future__ import annotations

from dataclasses import dataclass

import bentoml
from fastapi import FastAPI
from pydantic import AwareDatetime

from features.records import Campaign
from serving import wiring
from serving.api.bodies import ASKED
from serving.api.problems import Problems, StrictBodies
from serving.model import Card, Explanation, ModelIdentity, Prediction
from serving.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The answer of `POST /predict`."""

    model: ModelIdentity
    predictions: list[Prediction]


@dataclass(frozen=True, kw_only=True)
class Explanations:
    """The answer of `POST /explain`."""

    model: ModelIdentity
    predictions: list[Explanation]


model_routes = FastAPI()


@bentoml.service(name="Priority")
@bentoml.asgi_app(model_routes)
class Priority:
    """What delay costs each campaign. Stateless: any number of workers answer alike."""

    def __init__(self) -> None:
        settings = Settings.read()
        self._model = wiring.model(settings)
        self._clock = wiring.wall_clock()

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, campaigns: list[Campaign], at: AwareDatetime | None = None) -> Predictions:
        """Score campaigns as of a moment (default now), in the order given."""
        answers = self._model.predict(campaigns, at or self._clock.now())
        return Predictions(model=self._model.identity, predictions=answers)

    @bentoml.api  # type: ignore[untyped-decorator]
    def explain(self, campaigns: list[Campaign], at: AwareDatetime | None = None) -> Explanations:
        """Score campaigns, with what each feature adds to the model's raw output."""
        answers = self._model.explain(campaigns, at or self._clock.now())
        return Explanations(model=self._model.identity, predictions=answers)

    @model_routes.get("/model")
    def card(self) -> Card:
        """Which model answers, how it was trained, and on which scale it scores."""
        return self._model.card()


# mypy does not follow class decorators: `Priority` is a `bentoml.Service` by now.
Priority.add_asgi_middleware(Problems)  # type: ignore[attr-defined]
Priority.add_asgi_middleware(  # type: ignore[attr-defined]
    StrictBodies, bodies={"/predict": ASKED, "/explain": ASKED}
)
