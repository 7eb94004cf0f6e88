"""How large requests may be; larger ones are refused before they are parsed."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.problems import problem_response
from serving.errors import BodyTooLarge

MOST_BODY_BYTES = 67_108_864
"""Bytes of one request's body: room for the most campaigns, tasks or results that one request may hold."""

MOST_BATCH_BYTES = 134_217_728
"""Bytes of one request for predictions: room for 100,000 campaigns of forty targets."""

MOST_PAYLOAD_BYTES = 262_144
"""Bytes of JSON of one task's payload, which is read with every lease."""


class BoundedBodies:
    """ASGI middleware: refuses a body that says it is too large, and stops reading one that turns out to be."""

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BODY_BYTES) -> None:
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body bounded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._most:
            await problem_response(BodyTooLarge(self._most, int(declared)))(scope, receive, send)
            return
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise BodyTooLarge(self._most, None)
            return message

        await self._app(scope, bounded, send)
