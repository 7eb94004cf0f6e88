"""Handlers that are tasks of somebody's own Celery app: sent to its workers, and awaited without holding a thread.

It needs the extra `celery`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery import Celery
from celery.backends.base import DisabledBackend
from celery.result import AsyncResult
from celery.states import PROPAGATE_STATES, READY_STATES, RECEIVED, RETRY, STARTED

from features.records import Task
from serving.errors import BadInput
from serving.handlers.contract import Checkpoint, Context, RaisedElsewhere

_FIRST_LOOK_S, _LONGEST_REST_S = 0.05, 1.0
"""Wall-clock seconds between looks for a result, growing from the first to the longest."""
_UNDER_WAY = READY_STATES | {RECEIVED, STARTED, RETRY}
"""What a task that was sent before may be found in; one still in its queue cannot be told from one never sent."""


class OwnTask:
    """A task of a Celery app, by name, called with the payload as keyword arguments; its result is not kept.

    The chunk's idempotency key is the message's id, so that a result that came while this process was gone is found,
    and a task under way is waited for, not sent again. Cut off, it is revoked: one that has begun runs on.

    Raises
    ------
    ValueError
        When it is no app, or one that keeps no results: nobody could tell when a task is done.
    """

    def __init__(self, app: Any, name: str) -> None:
        if not isinstance(app, Celery):
            raise ValueError("must lead to a Celery app before the task's name")  # noqa: TRY004 - a setting's value
        if isinstance(app.backend, DisabledBackend):
            raise ValueError("must be of an app with a result backend, or nobody learns when a task is done")  # noqa: TRY004 - as above
        self._app, self._name = app, name
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="own-task")

    async def steps(self, task: Task, _resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
        """Send the task unless it was, and wait for its result; see `Handler.steps`."""
        result = AsyncResult(context.idempotency_key, app=self._app)
        try:
            if await self._asked(_state_of, result) not in _UNDER_WAY:
                await self._asked(self._send, result.id, task.payload)
            rest_s = _FIRST_LOOK_S
            while (state := await self._asked(_state_of, result)) not in READY_STATES:
                await asyncio.sleep(rest_s)
                rest_s = min(rest_s * 1.5, _LONGEST_REST_S)
        except asyncio.CancelledError:
            self._threads.submit(result.revoke)
            raise
        raised = await self._asked(_raised_by, result) if state in PROPAGATE_STATES else None
        await self._asked(result.forget)
        if raised is not None:
            raise RaisedElsewhere(raised)
        yield Checkpoint(None, task.units)

    def check(self, task: Task) -> None:
        """Refuse a payload that is no keyword arguments; see `Handler.check`."""
        if not isinstance(task.payload, dict):
            raise BadInput("payload", task.payload, "must be an object: the task's keyword arguments")

    def close(self) -> None:
        """Give back the threads that talk to the app's broker and results."""
        self._threads.shutdown(wait=False)

    def _send(self, name: str, payload: dict[str, Any]) -> None:
        self._app.send_task(self._name, kwargs=payload, task_id=name)

    async def _asked(self, question: Callable[..., Any], *about: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, question, *about)


def _state_of(result: AsyncResult) -> str:
    return str(result.state)


def _raised_by(result: AsyncResult) -> str:
    return f"{type(result.result).__name__}: {result.result}"
