"""The queue API: what the scheduler service answers, as a FastAPI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse
from pydantic import ValidationError

from serving.api.answers import DeadLetters, Place, Placed, Queue, Redriven, Stored, Supposed, TasksAdded
from serving.api.bodies import CHANGE, MORE_TASKS, OUTCOMES, REDRIVE, SIGNALS, SUBMISSION, WHAT_IF, read, read_for
from serving.api.desk import Desk
from serving.api.document import document
from serving.api.faults import fault_of
from serving.api.front import page
from serving.api.guard import caller_of
from serving.api.operations import QUEUE
from serving.api.problems import problem_response
from serving.api.sizes import BoundedBodies
from serving.api.strictness import method_unknown, only_known_parameters
from serving.auth.routes import SCHEDULER
from serving.auth.scopes import Scope
from serving.errors import BadInput, NotReady, PrecedenceError
from serving.scheduling.states import State

_DESK = "desk"


def desk_of(request: Request) -> Desk:
    """The desk that the application's lifespan opened.

    Raises
    ------
    NotReady
        Until it did.
    """
    desk: Desk | None = getattr(request.app.state, _DESK, None)
    if desk is None:
        raise NotReady("the scheduler is starting: try again shortly")
    return desk


async def bytes_of(request: Request) -> bytes:
    """The body as sent; each route reads it strictly by itself."""
    return await request.body()


OpenDesk = Annotated[Desk, Depends(desk_of)]
Body = Annotated[bytes, Depends(bytes_of)]
Limit = Annotated[int, Query(ge=1, le=10_000)]


def queue_app(opened: Callable[[], AbstractAsyncContextManager[Desk]]) -> FastAPI:
    """The application; `opened` makes the desk when it starts, and closes it when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened() as desk:
            setattr(app.state, _DESK, desk)
            yield

    app = FastAPI(
        title="Precedence: queue",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(only_known_parameters)],
    )
    app.add_middleware(BoundedBodies)
    app.add_exception_handler(PrecedenceError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, method_unknown)
    _add_campaigns(app)
    _add_dead_letters(app)
    _add_the_rest(app)
    _add_front(app)
    document(app, QUEUE, SCHEDULER)
    return app


def _add_campaigns(app: FastAPI) -> None:
    @app.put("/campaigns/{campaign_id}", responses={201: {"model": Placed}})
    async def submit(campaign_id: str, body: Body, desk: OpenDesk, response: Response) -> Placed:
        """Submit a campaign with its tasks: 201 when it is new, 200 when equal content was submitted before."""
        new, placed = await desk.submit(read_for(campaign_id, SUBMISSION, body))
        response.status_code = HTTPStatus.CREATED if new else HTTPStatus.OK
        return placed

    @app.get("/campaigns/{campaign_id}")
    async def campaign(campaign_id: str, desk: OpenDesk) -> Placed:
        """Tell where a campaign stands."""
        return await desk.placed(campaign_id, changed=False)

    @app.patch("/campaigns/{campaign_id}")
    async def change(campaign_id: str, body: Body, desk: OpenDesk) -> Placed:
        """Change facts, boost, pin or pause; what is absent stays."""
        return await desk.change(campaign_id, read(CHANGE, body))

    @app.delete("/campaigns/{campaign_id}")
    async def cancel(campaign_id: str, desk: OpenDesk) -> Placed:
        """Cancel a campaign; work in flight ends at its next checkpoint."""
        return await desk.cancel(campaign_id)

    @app.post("/campaigns/{campaign_id}/tasks")
    async def add_tasks(campaign_id: str, body: Body, desk: OpenDesk) -> TasksAdded:
        """Add work to a campaign."""
        return await desk.add_tasks(campaign_id, read_for(campaign_id, MORE_TASKS, body).tasks)

    @app.get("/campaigns/{campaign_id}/why")
    async def why(campaign_id: str, desk: OpenDesk) -> Place:
        """Tell why a campaign is not running, its position, and when it will be done."""
        return await desk.placed(campaign_id, changed=False)


def _add_dead_letters(app: FastAPI) -> None:
    @app.get("/dead-letters")
    async def dead_letters(desk: OpenDesk, campaign_id: str | None = None, limit: Limit = 100) -> DeadLetters:
        """List tasks that failed for good, with what they failed of, oldest first."""
        return desk.dead_letters(campaign_id, limit)

    @app.post("/campaigns/{campaign_id}/redrive")
    async def redrive(campaign_id: str, body: Body, desk: OpenDesk) -> Redriven:
        """Put dead letters back in the queue at their checkpoints: those named, or all of the campaign."""
        return await desk.redrive(campaign_id, read(REDRIVE, body or b"{}").task_ids)


def _add_the_rest(app: FastAPI) -> None:
    @app.get("/queue")
    async def queue(
        desk: OpenDesk,
        limit: Limit = 100,
        account: str | None = None,
        state: State | None = None,
    ) -> Queue:
        """List live campaigns in the order work would start."""
        return desk.queue(limit, account, state)

    @app.post("/what-if")
    async def what_if(body: Body, desk: OpenDesk) -> Supposed:
        """Tell where a campaign that is not there would stand, or how changes would move those that are."""
        return await desk.supposing.answer(read(WHAT_IF, body))

    @app.post("/outcomes")
    async def outcomes(body: Body, desk: OpenDesk) -> Stored:
        """Report results of campaigns."""
        return Stored(stored=desk.observe(kpis=read(OUTCOMES, body).kpis))

    @app.post("/signals")
    async def signals(body: Body, desk: OpenDesk) -> Stored:
        """Report facts about the world around campaigns."""
        return Stored(stored=desk.observe(signals=read(SIGNALS, body).signals))

    @app.get("/kpis")
    async def kpis(desk: OpenDesk) -> dict[str, Any]:
        """Count campaigns by state, and tell punctuality and latency of what is done."""
        return desk.kpis()


def _add_front(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def front() -> HTMLResponse:
        """Show where to go from here."""
        return HTMLResponse(page(app.title, "Campaigns in the order their work runs.", _PLACES))

    @app.get("/readyz", include_in_schema=False)
    async def ready(request: Request, desk: OpenDesk) -> PlainTextResponse:
        """Tell whether the scheduler does its work, and those who operate it, why not or how well."""
        told = Scope.OPERATE in caller_of(request).may
        try:
            return PlainTextResponse(f"{desk.readiness() if told else ''}\n")
        except NotReady as error:
            if told:
                raise
            raise NotReady("the scheduler's steps break off: its log has the reason") from error


_PLACES = {
    "/queue": "what waits and runs, in order",
    "/dead-letters": "what failed for good",
    "/kpis": "counts, punctuality and latency",
    "/openapi.json": "all routes (OpenAPI)",
    "/metrics": "metrics (Prometheus)",
    "/readyz": "whether it is ready",
}


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, PrecedenceError):
        raise error
    return problem_response(error)


async def _invalid(_: Request, error: Exception) -> Response:
    """Path and query parameters at fault; bodies never come here."""
    if not isinstance(error, RequestValidationError | ValidationError):
        raise error
    return problem_response(BadInput.of([fault_of({**detail, "loc": detail["loc"][1:]}) for detail in error.errors()]))
