"""A process that computes what would hold up the scheduler's own: `python -m serving.sidecar`.

A thread would not do: all who share an interpreter wait for it at every turn, a step of the scheduler for more than a
tenth of a second. What goes either way is pickled, and both sides are this program.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from serving.errors import NotReady

_SIZE_BYTES = 8


class Sidecar:
    """Carries out one call after the other in a process, which is started with the first, and anew should it die."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def __call__(self, call: Callable[[], Any]) -> Any:
        """What a call returns or raises there; it and its result are whatever can be pickled.

        Raises
        ------
        NotReady
            When the process died over it.
        """
        order = pickle.dumps(call)
        async with self._turn:
            process = await self._running()
            try:
                answer = await _answer(process, order)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                await self.close()
                raise NotReady("the process that looks ahead ended: try again") from error
            except asyncio.CancelledError:
                await self.close()  # or its answer would be taken for that to the next call
                raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            # It finds the modules that this process finds.
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "serving.sidecar", stdin=PIPE, stdout=PIPE, env=environment
            )
        return self._process


async def _answer(process: Process, order: bytes) -> Any:
    orders, answers = process.stdin, process.stdout
    if orders is None or answers is None:
        raise RuntimeError("a sidecar is started with pipes")
    orders.write(len(order).to_bytes(_SIZE_BYTES) + order)
    await orders.drain()
    size = int.from_bytes(await answers.readexactly(_SIZE_BYTES))
    return pickle.loads(await answers.readexactly(size))  # noqa: S301 - from the process started above


def work(orders: BinaryIO, answers: BinaryIO) -> None:
    """Carry out what is ordered until orders end: when whoever gives them does, so that none outlives it for long."""
    while size := orders.read(_SIZE_BYTES):
        call = pickle.loads(orders.read(int.from_bytes(size)))  # noqa: S301 - from the process that started this
        try:
            answer = call()
        except Exception as error:  # noqa: BLE001 - raised again by whoever ordered it
            answer = error
        told = pickle.dumps(answer)
        answers.write(len(told).to_bytes(_SIZE_BYTES) + told)
        answers.flush()


def main() -> None:
    """Work until standard input ends."""
    # Whoever started this decides when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing that prints may spoil an answer
    work(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
