"""Handlers given as plain generators, run in processes of their own: for work that computes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any

from features.records import Task
from serving.errors import WorkerDied
from serving.handlers.contract import Checkpoint, Context, GiveUp, RaisedElsewhere, RetryLater

_IDLE_S = 60.0
"""Wall-clock seconds after which a process without work is ended."""
_LONGEST_LINE = 2**26
"""Bytes of an answer; a checkpoint beyond that is no checkpoint."""


class _Worker:
    """One process, which works on one task at a time."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.ending: asyncio.TimerHandle | None = None

    async def asked(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Its answer to an order.

        Raises
        ------
        WorkerDied
            When it ended instead, by whatever the handler did.
        """
        orders, answers = self.process.stdin, self.process.stdout
        if orders is None or answers is None:
            raise RuntimeError("a worker is started with pipes")
        with suppress(ConnectionError):  # then there is no answer either
            orders.write(json.dumps(order).encode() + b"\n")
            await orders.drain()
        line = await answers.readline()
        if not line:
            raise WorkerDied(await self.process.wait())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """End it, whatever it does."""
        with suppress(ProcessLookupError):
            self.process.kill()


class Processes:
    """Processes that run plain generators, as many as run at once; one that is `idle_s` without work is ended."""

    def __init__(self, idle_s: float = _IDLE_S) -> None:
        self._idle_s = idle_s
        self._all: set[_Worker] = set()
        self._idle: list[_Worker] = []

    async def taken(self) -> _Worker:
        """A process that has nothing else to do, started if need be."""
        self._all = {worker for worker in self._all if worker.process.returncode is None}
        while self._idle:
            worker = self._idle.pop()
            if worker.ending is not None:
                worker.ending.cancel()
            if worker in self._all:
                return worker
        # It finds the modules that this process finds.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
        command = [sys.executable, "-m", "serving.handlers.worker"]
        started = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=environment, limit=_LONGEST_LINE
        )
        worker = _Worker(started)
        self._all.add(worker)
        return worker

    def given_back(self, worker: _Worker) -> None:
        """Keep a process for the next task."""
        self._idle.append(worker)
        worker.ending = asyncio.get_running_loop().call_later(self._idle_s, worker.end)

    async def close(self) -> None:
        """End them all."""
        for worker in self._all:
            if worker.ending is not None:
                worker.ending.cancel()
            worker.end()
        await asyncio.gather(*(worker.process.wait() for worker in self._all))


class InProcesses:
    """A handler given as the `module:function` of a plain generator function.

    A chunk that is cut off ends with its process, as does one whose process is killed; that fails this task's attempt
    and no other, for a process works on one task at a time.
    """

    def __init__(self, path: str, processes: Processes) -> None:
        self._path, self._processes = path, processes

    async def steps(self, task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
        """Have a process take step after step; see `Handler.steps`."""
        given = {name: getattr(task, name) for name in Task.__dataclass_fields__}
        order = {"path": self._path, "task": given, "resume": resume, **_so_far(context)}
        worker, unharmed = await self._processes.taken(), False
        try:
            answer = await worker.asked(order)
            while "reached" in answer:
                try:
                    yield Checkpoint(**answer["reached"])
                except GeneratorExit:
                    await worker.asked({"leave": True})
                    unharmed = True
                    raise
                answer = await worker.asked(_so_far(context))
            unharmed = True
        finally:
            if unharmed:
                self._processes.given_back(worker)
            else:
                worker.end()
        if "raised" in answer:
            raise _raised_again(**answer["raised"])

    def check(self, task: Task) -> None:
        """Take any task: what its payload must hold is the function's own affair."""


def _so_far(context: Context) -> dict[str, Any]:
    return {"chunk": context.chunk, "units_done": context.units_done}


def _raised_again(*, kind: str, error: str, where: str, after_s: float | None, gives_up: bool) -> Exception:
    """What a handler raised in another process, as near to it as can be told here."""
    raised: Exception = RaisedElsewhere(f"{kind}: {error}")
    if after_s is not None:
        raised = RetryLater(after_s, error)
    elif gives_up:
        raised = GiveUp(error)
    raised.add_note(where)
    return raised
