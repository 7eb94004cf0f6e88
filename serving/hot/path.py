"""Where the hot path stands: in front of a whole application, answering `POST /predict` and passing all else on."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.bodies import MOST_CAMPAIGNS
from serving.api.problems import problem_response
from serving.api.sizes import MOST_BATCH_BYTES
from serving.errors import TookTooLong
from serving.hot.answering import Answer, Answering
from serving.hot.meters import Meters

log = logging.getLogger(__name__)

_LARGE = 65_536
"""Bytes from which a body is a batch: answered in a thread, and one after the other, whatever they hold in memory."""

_PASSED = "precedence.passed_on"
"""In the scope of a request that another hot path has passed on: it shall not be read twice."""


@dataclass
class Place:
    """Where a service that has started says what answers; until then everything is passed on.

    Attributes
    ----------
    timeout_s : wall-clock seconds that reading, waiting and answering may take.
    most_bytes, most_campaigns : of a body; a larger one is passed on.
    log_every : one request of so many is logged.
    """

    answering: Answering | None = None
    meters: Meters | None = None
    timeout_s: float = 60.0
    most_bytes: int = MOST_BATCH_BYTES
    most_campaigns: int = MOST_CAMPAIGNS
    log_every: int = 1_000


class HotPath:
    """ASGI middleware: answers what it understands beyond doubt, and hands everything else on as it came."""

    def __init__(self, app: ASGIApp, place: Place) -> None:
        self._app, self._place = app, place
        self._batches = asyncio.Lock()
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
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(place.timeout_s):
                    body = await self._body(receive, taken, held)
                    answer = None if body is None else await self._answer(answering, body)
            except TimeoutError:
                meters.timed_out.inc()
                await problem_response(TookTooLong("POST /predict", place.timeout_s))(scope, receive, send)
                return
            except Exception:  # whatever it is, the ordinary route answers, or says what is wrong
                log.exception("hot_path_failed")
                answer = None
            if answer is None:
                meters.handed_on.inc()
                await self._app({**scope, _PASSED: True}, _replayed(taken, receive), send)
                return
            taken.clear()
            await _sent(answer, send)
        took_s = time.perf_counter() - begun
        meters.answered.inc()
        meters.campaigns.inc(answer.campaigns)
        meters.seconds.observe(took_s)
        self._count += 1
        if self._count % place.log_every == 0:
            seen = {"campaigns": answer.campaigns, "took_s": took_s, "one_of": place.log_every}
            log.info("predicted", extra=seen)

    async def _body(self, receive: Receive, taken: list[Message], held: AsyncExitStack) -> bytes | None:
        """The whole body; None when the client left, or it is more than may be. What was received is kept in `taken`.

        From the first byte of a batch on its turn is waited for, and then kept until `held` is closed.
        """
        size, waited = 0, False
        while True:
            message = await receive()
            taken.append(message)
            if message["type"] != "http.request":
                return None
            size += len(message.get("body", b""))
            if size > self._place.most_bytes:
                return None
            if size > _LARGE and not waited:
                await held.enter_async_context(self._batches)
                waited = True
            if not message.get("more_body", False):
                return message["body"] if len(taken) == 1 else b"".join(m["body"] for m in taken)

    async def _answer(self, answering: Answering, body: bytes) -> Answer | None:
        if len(body) <= _LARGE:
            return answering.answer(body, self._place.most_campaigns)
        given_up = threading.Event()
        try:
            return await asyncio.to_thread(answering.answer_batch, body, self._place.most_campaigns, given_up.is_set)
        finally:
            given_up.set()


async def _sent(answer: Answer, send: Send) -> None:
    length = sum(map(len, answer.pieces))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for piece in answer.pieces[:-1]:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": answer.pieces[-1]})


def _replayed(taken: list[Message], receive: Receive) -> Receive:
    """What was received already, then the rest."""
    again = iter(taken)

    async def next_message() -> Message:
        return next(again, None) or await receive()

    return next_message
