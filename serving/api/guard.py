"""Stands before a whole service: lets in who may ask, refuses what is no JSON, and marks every answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import getrandbits

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.problems import problem_response
from serving.auth.gate import ANYBODY, READ, Gate
from serving.auth.routes import Routes
from serving.auth.tokens import Caller
from serving.errors import MediaTypeUnknown, PrecedenceError
from serving.logs import REQUEST_ID

CALLER = "caller"
"""Under which name the caller stands in a request's state."""

SAFE_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""Every answer has these, unless it says otherwise by itself."""

_OVER_TLS = (b"strict-transport-security", b"max-age=31536000")
_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_READ = READ | {b"content-type", b"x-request-id"}
_POLICY_VIOLATED = 1008


class Guarded:
    """ASGI middleware, to be the outermost of ours.

    Parameters
    ----------
    routes : which scope each route needs.
    opened : makes the gate, in the process that serves.

    Raises
    ------
    SettingInvalid
        At the start, when the tokens cannot be read.
    """

    def __init__(self, app: ASGIApp, routes: Routes, opened: Callable[[], Gate]) -> None:
        self._app, self._routes, self._gate = app, routes, opened()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer why not."""
        if scope["type"] not in {"http", "websocket"} or CALLER in scope.get("state", ()):
            await self._app(scope, receive, send)  # it has passed a guard further out already
            return
        # The first of each, as everybody else reads them.
        headers = {name: value for name, value in reversed(scope["headers"]) if name in _READ}
        request_id = request_id_of(headers.get(b"x-request-id", b""))
        REQUEST_ID.set(request_id)
        needs = self._routes.scope_of(scope.get("method", "GET"), scope["path"])
        admitted = self._gate.admit(headers, scope.get("server"), needs)
        refusal = _unreadable(headers) if isinstance(admitted, Caller) else admitted
        scope.setdefault("state", {})[CALLER] = admitted
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": _POLICY_VIOLATED, "reason": refusal.title})
            return
        marks = marks_of(request_id, scope["scheme"])

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", [])
                there = {name for name, _ in given}
                message["headers"] = [*given, *[mark for mark in marks if mark[0] not in there]]
            await send(message)

        await (self._app if refusal is None else problem_response(refusal))(scope, receive, marked)


def caller_of(request: Request) -> Caller:
    """Who asks; anybody, where no guard stands before the application."""
    return getattr(request.state, CALLER, ANYBODY)


def request_id_of(given: bytes) -> str:
    """The id that the caller gave the request, if it is fit for headers and logs, else a new one."""
    if given and _SANE_ID.fullmatch(given):
        return given.decode()
    return f"{getrandbits(64):016x}"


def marks_of(request_id: str, scheme: str) -> list[tuple[bytes, bytes]]:
    """The headers that every answer to a request has."""
    over_tls = (_OVER_TLS,) if scheme in {"https", "wss"} else ()
    return [(b"x-request-id", request_id.encode()), *SAFE_HEADERS, *over_tls]


def _unreadable(headers: Mapping[bytes, bytes]) -> PrecedenceError | None:
    """Why the body is not looked at. One without a type is read as JSON, as every other is: strictly."""
    given = headers.get(b"content-type", b"application/json")
    if given == b"application/json" or given.partition(b";")[0].strip().lower() in {b"", b"application/json"}:
        return None
    return MediaTypeUnknown(given.decode("latin-1"))
