"""What a queue request may not do: ask with unknown parameters, or by a method that a path does not have."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match

from serving.api.faults import shown
from serving.api.problems import problem_response
from serving.errors import Fault, MethodUnknown, ParameterUnknown


async def only_known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not have: it was meant to change the answer, and would not.

    Raises
    ------
    ParameterUnknown
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = sorted(parameter.alias for parameter in route.dependant.query_params)
    allowed = f"is no parameter of this route: known are {', '.join(known) or 'none'}"
    faults = [Fault(name, shown(value), allowed) for name, value in request.query_params.items() if name not in known]
    if faults:
        raise ParameterUnknown.of(faults)


async def method_unknown(request: Request, _: Exception) -> Response:
    """The answer to a method that a path does not have, with all that it has: each of them is a route of its own."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    allowed = sorted({method for route in routes for method in getattr(route, "methods", None) or ()})
    response = problem_response(MethodUnknown(request.method, request.url.path, allowed))
    response.headers["allow"] = ", ".join(allowed)
    return response
