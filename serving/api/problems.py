"""Every error either API answers is a problem document (RFC 9457), whoever raised it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.bodies import read
from serving.errors import PrecedenceError, problem
from serving.logs import REQUEST_ID

log = logging.getLogger(__name__)

_LARGE = 65_536
"""Bytes from which a body is read in a thread: others shall be answered meanwhile."""

MEDIA_TYPE = "application/problem+json"


def problem_response(error: PrecedenceError) -> Response:
    """The response that tells of an error."""
    response = _response(problem(error))
    response.headers.update(error.headers)
    return response


def _response(document: Mapping[str, Any]) -> Response:
    if request_id := REQUEST_ID.get():
        document = {**document, "request_id": request_id}
    return Response(json.dumps(document), status_code=int(document["status"]), media_type=MEDIA_TYPE)


class Problems:
    """ASGI middleware: turns errors of other layers (no such route, overload, a crash) into problem documents."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and what is answered back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        replaced = begun = False

        async def answer(message: Message) -> None:
            nonlocal replaced, begun
            begun = True
            if message["type"] == "http.response.start" and _needs_problem(message):
                replaced = True
                headers = MutableHeaders(raw=message["headers"])
                response = _response(_of_status(message["status"], scope, headers))
                for name in ("allow", "retry-after"):
                    if name in headers:
                        response.headers[name] = headers[name]
                await response(scope, receive, send)
            elif not replaced:
                await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception:
            # Whatever it was, the caller is owed an answer: BentoML's timer would have them wait for it in vain.
            log.exception("request_failed", extra={"method": scope["method"], "path": scope["path"]})
            if begun and not replaced:
                raise  # half an answer is out: only breaking the connection off says that it is not whole
            if not begun:
                await _response(_of_status(HTTPStatus.INTERNAL_SERVER_ERROR, scope, Headers()))(scope, receive, send)


class StrictBodies:
    """ASGI middleware: refuses what is not a valid body before a more lenient reader sees it.

    Parameters
    ----------
    bodies : by path, what a POST must hold.
    checks : by path, what else is asked of it; they raise `PrecedenceError`.
    """

    def __init__(
        self,
        app: ASGIApp,
        bodies: Mapping[str, TypeAdapter[Any]],
        checks: Mapping[str, Callable[[Any], None]] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._bodies, self._checks = bodies, checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request's body and pass it on unchanged."""
        body = self._bodies.get(scope.get("path", "")) if scope["type"] == "http" else None
        if body is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        try:
            data = await Request(scope, receive).body()
            if len(data) > _LARGE:
                await asyncio.to_thread(self._check, scope["path"], body, data)
            else:
                self._check(scope["path"], body, data)
        except ClientDisconnect:
            return
        except PrecedenceError as error:
            await problem_response(error)(scope, receive, send)
            return
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": data, "more_body": False}

        # What was read as JSON must go on as JSON: BentoML picks its reader by this header.
        headers = MutableHeaders(raw=[*scope["headers"]])
        headers["content-type"] = "application/json"
        await self._app({**scope, "headers": headers.raw}, again, send)

    def _check(self, path: str, body: TypeAdapter[Any], data: bytes) -> None:
        found = read(body, data)
        if path in self._checks:
            self._checks[path](found)


def _needs_problem(message: Message) -> bool:
    kind = Headers(raw=message.get("headers", [])).get("content-type", "")
    return int(message["status"]) >= HTTPStatus.BAD_REQUEST and not kind.startswith(MEDIA_TYPE)


def _of_status(status: int, scope: Scope, headers: Headers) -> dict[str, Any]:
    asked = f"{scope['method']} {scope['path']}"
    details = {
        HTTPStatus.NOT_FOUND: f"there is no {asked}: /docs.json and /openapi.json list what there is",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{asked} is not offered: allowed is {headers.get('allow', 'another method')}",
        HTTPStatus.SERVICE_UNAVAILABLE: "the service is overloaded or not ready yet: try again shortly",
        HTTPStatus.GATEWAY_TIMEOUT: f"{asked} took longer than the service allows",
    }
    title = HTTPStatus(status).phrase
    detail = details.get(HTTPStatus(status), f"{asked} failed; the service's log has the reason")
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}
