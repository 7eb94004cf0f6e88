"""Where the hot path stands: in front of a whole application, answering `POST /predict` and passing all else on."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.bodies import Asked
from serving.api.problems import problem_response
from serving.errors import TookTooLong
from serving.hot.answering import Answering
from serving.hot.meters import Meters

log = logging.getLogger(__name__)

_AT_ONCE = 64
"""Campaigns up to which an answer is made between two others; more would hold those up, and go to a thread."""

_PASSED = "precedence.passed_on"
"""In the scope of a request that another hot path has passed on: it shall not be read twice."""


@dataclass
class Place:
    """Where a service that has started says what answers; until then everything is passed on.

    `log_every`: one request of so many is logged.
    """

    answering: Answering | None = None
    meters: Meters | None = None
    timeout_s: float = 30.0
    most_bytes: int = 1_048_576
    log_every: int = 1_000


class HotPath:
    """ASGI middleware: answers what it understands beyond doubt, and hands everything else on as it came."""

    def __init__(self, app: ASGIApp, place: Place) -> None:
        self._app, self._place = app, place
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        place = self._place
        answering, meters = place.answering, place.meters
        if (
            answering is None
            or meters is None
            or scope["type"] != "http"
            or scope["path"] != "/predict"
            or scope["method"] != "POST"
            or _PASSED in scope
        ):
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        taken: list[Message] = []
        try:
            async with asyncio.timeout(place.timeout_s):
                body = await _body(receive, taken, place.most_bytes)
                asked = None if body is None else answering.read(body)
                if asked is None:
                    answer = None
                elif len(asked.campaigns) <= _AT_ONCE:
                    answer = answering.encoded(answering.predicted(asked))
                else:
                    answer = await asyncio.to_thread(_answered, answering, asked)
        except TimeoutError:
            meters.timed_out.inc()
            await problem_response(TookTooLong("POST /predict", place.timeout_s))(scope, receive, send)
            return
        except Exception:
            log.exception("hot_path_failed")
            answer = asked = None
        if answer is None or asked is None:
            meters.handed_on.inc()
            await self._app({**scope, _PASSED: True}, _replayed(taken, receive), send)
            return
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))],
            }
        )
        await send({"type": "http.response.body", "body": answer})
        took_s = time.perf_counter() - begun
        meters.answered.inc()
        meters.campaigns.inc(len(asked.campaigns))
        meters.seconds.observe(took_s)
        self._count += 1
        if self._count % place.log_every == 0:
            log.info(
                "predicted", extra={"campaigns": len(asked.campaigns), "took_s": took_s, "one_of": place.log_every}
            )


def _answered(answering: Answering, asked: Asked) -> bytes:
    return answering.encoded(answering.predicted(asked))


async def _body(receive: Receive, taken: list[Message], most_bytes: int) -> bytes | None:
    """The whole body; None when the client left, or it is more than may be. What was received is kept in `taken`."""
    size = 0
    while True:
        message = await receive()
        taken.append(message)
        if message["type"] != "http.request":
            return None
        size += len(message.get("body", b""))
        if size > most_bytes:
            return None
        if not message.get("more_body", False):
            return message["body"] if len(taken) == 1 else b"".join(m["body"] for m in taken)


def _replayed(taken: list[Message], receive: Receive) -> Receive:
    """What was received already, then the rest."""
    again = iter(taken)

    async def next_message() -> Message:
        return next(again, None) or await receive()

    return next_message
