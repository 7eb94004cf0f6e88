"""Wakes the scheduler: at once, or soon where that is soon enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from serving.clock import Clock

_SOON_S = 0.025
"""Seconds of the clock: a step costs as much as a hundred small tasks, so few are better while none is urgent."""


class Bell:
    """Calls `ring`: at once, or within a short while for all that was to be told soon."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock, self.ring = clock, ring
        self._waiting: asyncio.Task[None] | None = None

    def ring_soon(self) -> None:
        """Ring within a short while."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_task(self._later())

    def stop(self) -> None:
        """Ring no more by itself."""
        if self._waiting is not None:
            self._waiting.cancel()

    async def _later(self) -> None:
        await self._clock.sleep(_SOON_S)
        self._waiting = None
        self.ring()
