"""Handlers given as plain generators, run step by step in threads: for work that waits on blocking calls."""

from __future__ import annotations

from asyncio import wrap_future
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future
from inspect import GEN_CLOSED, getgeneratorstate
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any

from features.records import Task
from serving.handlers.contract import Checkpoint, Context, PlainContext

PlainSteps = Callable[[Task, Any, PlainContext], Generator[Checkpoint, None, None]]
"""`def handler(task, resume, context)` with `yield Checkpoint(...)` wherever it may be preempted."""

_END = object()


class Threads:
    """Threads for plain generators, started as they are needed, `most` at once.

    A thread cannot be cut off: a step whose task lost its lease, or got to no checkpoint before a stop, runs on to its
    next `yield`. What it reports is not heard, and until then its thread is not free for others. No thread keeps a
    process from ending, as those of the standard library's pool would.
    """

    def __init__(self, most: int) -> None:
        self._most, self._started = most, 0
        self._idle = Semaphore(0)
        self._steps: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def run(self, step: Callable[[], Any]) -> Future[Any]:
        """Run a step in the next free thread; to be called from one thread only."""
        future: Future[Any] = Future()
        self._steps.put((future, step))
        if not self._idle.acquire(blocking=False) and self._started < self._most:
            self._started += 1
            Thread(target=self._work, name=f"handler-{self._started}", daemon=True).start()
        return future

    def close(self) -> None:
        """Let threads end once they have nothing to do."""
        for _ in range(self._started):
            self._steps.put(None)

    def _work(self) -> None:
        while (given := self._steps.get()) is not None:
            future, step = given
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(step())
                except Exception as error:  # noqa: BLE001 - passed on to whoever waits for the step
                    future.set_exception(error)
                except BaseException as error:  # noqa: BLE001 - the same; but nothing a handler raises ends the process
                    future.set_exception(RuntimeError(f"the handler raised {error!r}"))
            self._idle.release()


class InThreads:
    """A handler given as a plain generator function."""

    def __init__(self, function: PlainSteps, threads: Threads) -> None:
        self._function, self._threads = function, threads

    async def steps(self, task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
        """Take step after step, each in whatever thread is free; see `Handler.steps`."""
        plain = PlainContext(task, context.chunk, context.units_done)
        walk = self._function(task, resume, plain)
        step: Future[Any] | None = None
        try:
            while True:
                step = self._threads.run(lambda: next(walk, _END))
                reached = await wrap_future(step)
                if reached is _END:
                    return
                yield reached
                plain.chunk, plain.units_done = context.chunk, context.units_done
        finally:
            if step is not None and not step.done():
                step.add_done_callback(lambda _: walk.close())
            elif getgeneratorstate(walk) != GEN_CLOSED:
                await wrap_future(self._threads.run(walk.close))

    def check(self, task: Task) -> None:
        """Take any task: what its payload must hold is the function's own affair."""
