"""An event loop whose time is counted, not lived through: it jumps to the next timer when nothing is left to do."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections.abc import Callable
from contextvars import Context, ContextVar
from datetime import datetime, timedelta
from heapq import heappop
from typing import Any

PROCESS: ContextVar[str | None] = ContextVar("process", default=None)
"""The simulated process whose code runs; tasks and callbacks inherit it from whoever made them."""


MOST_TURNS = 20_000
"""Turns of the loop at one moment, after which it is going round in circles."""


class Stuck(Exception):
    """Everybody waits for somebody, or something goes on for ever without any time passing."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order they became ready, and never waits.

    No selector, no thread, no socket: what is awaited must come from this loop. Processes can be frozen: their
    callbacks are put by and run when they are thawed, as after a pause of a virtual machine; a killed one never is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._moment, self._turns = 0.0, 0
        self._outside = Context()
        self._put_by: dict[str, list[Any]] = {}
        self.before_time_passes: Callable[[float], None] = lambda _: None

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._moment

    def later(self, seconds: float, call: Callable[..., Any], *args: Any) -> None:
        """Call something later, whatever becomes of the process that asks for it."""
        self.call_later(seconds, call, *args, context=self._outside)

    def freeze(self, process: str) -> None:
        """Let nothing of a process run until it is thawed."""
        self._put_by.setdefault(process, [])

    def thaw(self, process: str) -> None:
        """Let a frozen process go on where it stood."""
        self._ready.extend(self._put_by.pop(process, ()))

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        if not ready:
            while scheduled and scheduled[0]._cancelled:
                heappop(scheduled)._scheduled = False
            if not scheduled:
                raise Stuck("everybody waits for somebody")
            if (passing := scheduled[0]._when - self._moment) > 0:
                self.before_time_passes(passing)
                self._moment, self._turns = scheduled[0]._when, 0
        while scheduled and scheduled[0]._when <= self._moment:
            timer = heappop(scheduled)
            timer._scheduled = False
            ready.append(timer)
        self._turns += 1
        if self._turns > MOST_TURNS:
            raise Stuck("time stands still")
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if self._put_by:
                parked = self._put_by.get(handle._context.get(PROCESS))
                if parked is not None:
                    parked.append(handle)
                    continue
            handle._run()

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """Cancelled timers are dropped when their turn comes."""

    def _process_events(self, event_list: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


class VirtualClock:
    """The time of a virtual loop, as a clock that is `skew_s` seconds fast shows it."""

    def __init__(self, loop: VirtualLoop, origin: datetime, skew_s: float = 0.0) -> None:
        self._loop, self._origin = loop, origin + timedelta(seconds=skew_s)

    def now(self) -> datetime:
        """Return the moment this clock shows."""
        return self._origin + timedelta(seconds=self._loop.time())

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed."""
        await asyncio.sleep(max(seconds, 0.0))
