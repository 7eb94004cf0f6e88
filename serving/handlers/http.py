"""Handlers behind a URL: each chunk is a `POST`, and the answer says how far the task came."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import ConfigDict, Strict, TypeAdapter, ValidationError

from features.records import Task
from serving.api.faults import faults_of, shown
from serving.clock import SystemClock
from serving.errors import AnswerInvalid, BadInput, CheckpointInvalid, shown_url
from serving.handlers.contract import Checkpoint, Context, GiveUp, RetryLater
from serving.handlers.web import Answer, Web

_SHOWN = 200
"""Characters of an answer quoted in an error."""
_TRY_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_SAY_WHEN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@dataclass(frozen=True)
class Reply:
    """The answer to a chunk: whether the task is done, and otherwise where it goes on.

    What is absent stays: a `checkpoint` is handed back with the next chunk, `units_done` are those of the whole task.
    """

    done: Annotated[bool, Strict()]
    checkpoint: Any = None
    units_done: Annotated[float, Strict()] | None = None

    __pydantic_config__ = ConfigDict(extra="ignore")


_REPLY = TypeAdapter(Reply)


class Http:
    """Posts `{"task_id", "campaign_id", "units", "payload", "checkpoint"}` to a URL, until the answer is `done`.

    The header `Idempotency-Key` names the chunk; one sent again carries the same key. 429 and 503 with `Retry-After`
    put the task off until then, which is no failed attempt; other answers of 500 and more, 408, 425, 429, timeouts and
    broken connections are tried again with growing waits; anything else (a redirect, 404 ...) makes the task a
    dead letter at once, as no further attempt can mend it.

    Parameters
    ----------
    url : where to post; None for the `url` of each task's payload, which must be allowed.
    """

    def __init__(self, web: Web, url: str | None = None) -> None:
        self._web, self._url = web, url

    def check(self, task: Task) -> None:
        """Refuse a task whose URL is missing, no URL, or not allowed; see `Handler.check`."""
        self._url_of(task)

    async def steps(self, task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
        """Post chunk after chunk; see `Handler.steps`."""
        url, checkpoint, units_done = self._url_of(task), resume, context.units_done
        about = {name: getattr(task, name) for name in ("task_id", "campaign_id", "units", "payload")}
        while True:
            headers = {"content-type": "application/json", "idempotency-key": context.idempotency_key}
            body = json.dumps({**about, "checkpoint": checkpoint}).encode()
            reply = _reply(await self._web.post(url, headers, body), url)
            if reply.done:
                return
            before = checkpoint, units_done
            checkpoint = checkpoint if reply.checkpoint is None else reply.checkpoint
            units_done = units_done if reply.units_done is None else reply.units_done
            if before == (checkpoint, units_done):
                allowed = "must be another checkpoint or more units_done, where done is false"
                raise CheckpointInvalid("the answer's checkpoint", checkpoint, allowed)
            yield Checkpoint(checkpoint, units_done)

    def _url_of(self, task: Task) -> str:
        if self._url is not None:
            return self._url
        url = task.payload.get("url")
        if not isinstance(url, str):
            raise BadInput("payload.url", shown(url), "must be the URL that the work is to be posted to")
        try:
            self._web.allowed.origin_of(url)
        except ValueError as error:
            raise BadInput("payload.url", shown(url), str(error)) from error
        return url


def _reply(answer: Answer, url: str) -> Reply:
    """What an answer says of the work.

    Raises
    ------
    RetryLater, GiveUp, AnswerInvalid
    """
    url = shown_url(url)  # what is said of it is kept and logged
    status, told = answer.status, answer.body.decode("utf-8", "replace").strip()
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        try:
            return _REPLY.validate_json(answer.body)
        except ValidationError as error:
            fault = faults_of(error, "the answer")[0]
            raise AnswerInvalid(url, status, f"{fault.field} {fault.allowed}", told[:_SHOWN]) from error
    after_s = _retry_after_s(answer) if status in _SAY_WHEN else None
    if after_s is not None:
        raise RetryLater(after_s, f"{url} answered {status}, and to come back in {after_s:g} s")
    if status in _TRY_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise AnswerInvalid(url, status, "tried again later", told[:_SHOWN])
    raise GiveUp(f"{url} answered {status}, which no further attempt can mend: {told[:_SHOWN] or 'without a word'}")


def _retry_after_s(answer: Answer) -> float | None:
    """Seconds that an answer asks to wait, None where it does not say so; `Retry-After` is in seconds or a date."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked[:9])
    until = _date(asked)
    if until is None:
        return None
    # The server's own clock, where it tells: the two need not agree.
    now = _date(answer.headers.get("date", "")) or SystemClock().now()
    return max((until - now).total_seconds(), 0.0)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo is not None else None
