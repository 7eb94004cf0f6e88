"""The two services, as BentoML runs them. Nothing starts at import: each process reads its settings when it does."""

from __future__ import annotations

from typing import Any

import bentoml
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime
from starlette.types import ASGIApp

from features.records import Campaign
from serving import wiring
from serving.api.answers import Explanations, Predictions
from serving.api.bodies import ASKED
from serving.api.document import document
from serving.api.front import AnsweredByUs, page
from serving.api.guard import Guarded
from serving.api.operations import PREDICTIONS
from serving.api.problems import Problems, StrictBodies
from serving.api.queue import queue_app
from serving.api.sizes import BoundedBodies
from serving.api.tagged import Tagged
from serving.auth.routes import PRIORITY, SCHEDULER
from serving.clock import SystemClock
from serving.model import Card
from serving.settings import Settings

model_routes = FastAPI(
    title="Precedence: predictions", version="1", docs_url=None, redoc_url=None, openapi_url="/docs.json"
)
document(model_routes, PREDICTIONS, PRIORITY)
queue_routes = queue_app(lambda: wiring.desk(Settings.read()))


@bentoml.service(name="Priority")
@bentoml.asgi_app(model_routes)
class Priority:
    """What delay costs each campaign. Stateless: any number of workers answer alike."""

    def __init__(self) -> None:
        settings = Settings.read()
        self._model = wiring.model(settings)
        self._clock = SystemClock()

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, campaigns: list[Campaign], at: AwareDatetime | None = None) -> Predictions:
        """Score campaigns as of a moment (default now), in the order given."""
        answers = self._model.predict(campaigns, at or self._clock.now())
        return Predictions(model=self._model.identity, predictions=tuple(answers))

    @bentoml.api  # type: ignore[untyped-decorator]
    def explain(self, campaigns: list[Campaign], at: AwareDatetime | None = None) -> Explanations:
        """Score campaigns, with what each feature adds to the model's raw output."""
        answers = self._model.explain(campaigns, at or self._clock.now())
        return Explanations(model=self._model.identity, predictions=tuple(answers))

    @model_routes.get("/model")
    def card(self) -> Card:
        """Which model answers, how it was trained, and on which scale it scores."""
        return self._model.card()


@model_routes.get("/", include_in_schema=False)
async def front() -> HTMLResponse:
    """Show where to go from here."""
    return HTMLResponse(page("Precedence: predictions", "What delay costs each campaign.", _PLACES))


_PLACES = {
    "/model": "which model answers",
    "/docs.json": "all routes (OpenAPI)",
    "/metrics": "metrics (Prometheus)",
    "/readyz": "whether it is ready",
}

# mypy does not follow class decorators: `Priority` is a `bentoml.Service` by now.
Priority.add_asgi_middleware(  # type: ignore[attr-defined]
    Guarded, routes=PRIORITY, opened=lambda: wiring.gate(s := Settings.read(), s.priority_workers)
)
Priority.add_asgi_middleware(Problems)  # type: ignore[attr-defined]
# BentoML's own page at / has the browser load a script from elsewhere, and its document knows none of our refusals.
Priority.add_asgi_middleware(  # type: ignore[attr-defined]
    AnsweredByUs, ours=model_routes, paths=frozenset({"/", "/docs.json"})
)
Priority.add_asgi_middleware(Tagged, max_age_s={"/model": 5})  # type: ignore[attr-defined]
Priority.add_asgi_middleware(BoundedBodies)  # type: ignore[attr-defined]
Priority.add_asgi_middleware(  # type: ignore[attr-defined]
    StrictBodies, bodies={"/predict": ASKED, "/explain": ASKED}
)


@bentoml.service(name="Scheduler", workers=1)
@bentoml.asgi_app(queue_routes)
class Scheduler:
    """The queue and who works through it: one worker, whose loop starts and ends with the process."""


Scheduler.add_asgi_middleware(Guarded, routes=SCHEDULER, opened=lambda: wiring.gate(Settings.read()))  # type: ignore[attr-defined]
Scheduler.add_asgi_middleware(Problems)  # type: ignore[attr-defined]
Scheduler.add_asgi_middleware(Tagged, max_age_s={"/queue": 1})  # type: ignore[attr-defined]
# Only our own application knows whether the scheduler's steps go through.
Scheduler.add_asgi_middleware(  # type: ignore[attr-defined]
    AnsweredByUs, ours=queue_routes, paths=frozenset({"/", "/readyz"})
)


def application(service: str) -> ASGIApp:
    """The service `priority` or `scheduler` as an ASGI application, for a process alone; `bentoml serve` runs many."""
    served: Any = {"priority": Priority, "scheduler": Scheduler}[service]
    # BentoML's server would do this; its metrics carry the name.
    bentoml.server_context.service_name = served.name
    app: ASGIApp = served.to_asgi()
    return app
