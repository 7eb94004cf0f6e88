"""Answers that many ask for again and again carry a tag, and are sent again only if they changed."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.guard import CALLER
from serving.auth.gate import ANYBODY

_KEPT = (b"cache-control", b"etag", b"vary", b"x-request-id")
"""What a 304 says of the answer that the caller has."""


class Tagged:
    """ASGI middleware: adds `ETag` and a short `max-age`, and answers 304 to who has the answer already.

    Parameters
    ----------
    max_age_s : by path, for how many seconds an answer may be used again without asking.
    """

    def __init__(self, app: ASGIApp, max_age_s: Mapping[str, int]) -> None:
        self._app, self._max_age_s = app, max_age_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and hold the answer back until its tag is known."""
        age_s = self._max_age_s.get(scope.get("path", ""))
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or age_s is None:
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def held_back(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            if start["status"] == 200:
                _tag(start, bytes(body), _kept_by(scope), age_s)
                if _has_it(Headers(scope=scope), Headers(raw=start["headers"])["etag"]):
                    kept = [header for header in start["headers"] if header[0] in _KEPT]
                    await send({**start, "status": 304, "headers": kept})
                    await send({"type": "http.response.body", "body": b""})
                    return
            await send(start)
            await send({**message, "body": bytes(body)})

        await self._app(scope, receive, held_back)


def _tag(start: Message, body: bytes, kept_by: str, age_s: int) -> None:
    headers = MutableHeaders(raw=[*start["headers"]])
    headers["etag"] = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers["cache-control"] = f"{kept_by}, max-age={age_s}"
    headers["vary"] = "Authorization"
    start["headers"] = headers.raw


def _kept_by(scope: Scope) -> str:
    """What a token was needed for is kept by its caller alone, or by an edge cache that is told to look at tokens."""
    return "public" if scope.get("state", {}).get(CALLER) == ANYBODY else "private"


def _has_it(asked: Headers, tag: str) -> bool:
    """Whether one of the tags in `If-None-Match` is this one; `*` is any, and `W/` makes no difference here."""
    given = [each.strip().removeprefix("W/") for each in asked.get("if-none-match", "").split(",")]
    return tag in given or "*" in given
