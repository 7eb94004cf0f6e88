"""The two services, as BentoML runs them. Nothing starts at import: each process reads its settings when it does."""

from __future__ import annotations

import gc
from importlib.metadata import version
from typing import Any

import bentoml
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime
from starlette.types import ASGIApp

from features.records import Campaign
from serving import wiring
from serving.api.answers import Explanations, Predictions
from serving.api.bodies import ASKED, MOST_EXPLAINED, refuse_more_than
from serving.api.document import document
from serving.api.front import AnsweredByUs, page
from serving.api.guard import Guarded
from serving.api.operations import PREDICTIONS
from serving.api.problems import Problems, StrictBodies
from serving.api.queue import queue_app
from serving.api.sizes import MOST_BATCH_BYTES, BoundedBodies
from serving.api.tagged import Tagged
from serving.auth.gate import Gate
from serving.auth.routes import PRIORITY, SCHEDULER
from serving.clock import SystemClock
from serving.hot import Answering, HotPath, Place, meters
from serving.model import Card
from serving.prediction import NOBODY_BEGAN, Headway
from serving.settings import HotPathPlace, Settings

model_routes = FastAPI(
    title="Precedence: predictions", version="1", docs_url=None, redoc_url=None, openapi_url="/docs.json"
)
document(model_routes, PREDICTIONS, PRIORITY)
place = Place()
queue_routes = queue_app(lambda: wiring.desk(Settings.read()))


# LightGBM wants OpenMP, which slim images lack; packages come from pyproject.toml, locked when a Bento is built.
image = bentoml.images.Image(python_version="3.11").system_packages("libgomp1")


@bentoml.service(name="Priority", image=image)
@bentoml.asgi_app(model_routes)
class Priority:
    """What delay costs each campaign. Stateless: any number of workers answer alike."""

    def __init__(self) -> None:
        settings = Settings.read()
        self._reign = wiring.reign(settings)
        self._clock = SystemClock()
        self._reign.begin()
        place.most_campaigns, place.timeout_s = settings.most_campaigns, settings.predict_timeout_s
        place.log_every = settings.log_every
        # The model lives as long as it serves: no collection need go over it again and hold up an answer.
        gc.collect()
        gc.freeze()
        if settings.hot_path is not HotPathPlace.OFF:
            place.answering, place.meters = Answering(self._reign.model, self._clock), meters()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def end(self) -> None:
        """Look for new champions no more."""
        place.answering = None
        self._reign.end()

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(
        self, campaigns: list[Campaign], at: AwareDatetime | None = None, progress: dict[str, Headway] | None = None
    ) -> Predictions:
        """Score campaigns as of a moment (default now), in the order given; `progress`, by id, tells what is done."""
        model = self._reign.model()
        answers = model.predict(campaigns, at or self._clock.now(), progress or NOBODY_BEGAN)
        return Predictions(model=model.identity, predictions=tuple(answers))

    @bentoml.api  # type: ignore[untyped-decorator]
    def explain(
        self, campaigns: list[Campaign], at: AwareDatetime | None = None, progress: dict[str, Headway] | None = None
    ) -> Explanations:
        """Score campaigns, with what each feature adds to the model's raw output."""
        model = self._reign.model()
        answers = model.explain(campaigns, at or self._clock.now(), progress or NOBODY_BEGAN)
        return Explanations(model=model.identity, predictions=tuple(answers))

    @model_routes.get("/model")
    def card(self) -> Card:
        """Which model answers, how it was trained, and on which scale it scores."""
        return self._reign.card()


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

TESTED_BENTOML = "1.4.39"
"""The version whose `to_asgi` the hot path was tested around; with any other it stands where BentoML has a place."""


def _gate() -> Gate:
    settings = Settings.read()
    return wiring.gate(settings, settings.priority_workers)


class Fronted(bentoml.Service):  # type: ignore[misc]
    """A service whose hot path answers before BentoML's own middleware: metrics, tracing, access log and timeout.

    Those cost three times as much as the prediction. What the hot path hands on takes their way as ever.
    """

    __slots__ = ()

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """BentoML's application with the hot path in front of it, and the guard in front of that."""
        app: ASGIApp = super().to_asgi(is_main=is_main)
        if Settings.read().hot_path is not HotPathPlace.FRONT:
            return app
        return Guarded(HotPath(app, place), PRIORITY, _gate)


# mypy does not follow class decorators: `Priority` is a `bentoml.Service` by now.
if version("bentoml") == TESTED_BENTOML:
    Priority.__class__ = Fronted  # type: ignore[method-assign]
Priority.add_asgi_middleware(Guarded, routes=PRIORITY, opened=_gate)  # type: ignore[attr-defined]
Priority.add_asgi_middleware(HotPath, place=place)  # type: ignore[attr-defined]
Priority.add_asgi_middleware(Problems)  # type: ignore[attr-defined]
# BentoML's own page at / has the browser load a script from elsewhere, and its document knows none of our refusals.
Priority.add_asgi_middleware(  # type: ignore[attr-defined]
    AnsweredByUs, ours=model_routes, paths=frozenset({"/", "/docs.json"})
)
Priority.add_asgi_middleware(Tagged, max_age_s={"/model": 5})  # type: ignore[attr-defined]
Priority.add_asgi_middleware(BoundedBodies, most_bytes=MOST_BATCH_BYTES)  # type: ignore[attr-defined]
Priority.add_asgi_middleware(  # type: ignore[attr-defined]
    StrictBodies,
    bodies={"/predict": ASKED, "/explain": ASKED},
    checks={
        "/predict": lambda asked: refuse_more_than(place.most_campaigns, asked),
        "/explain": lambda asked: refuse_more_than(min(place.most_campaigns, MOST_EXPLAINED), asked),
    },
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
