"""Keeps the latest outlook: computed beside the scheduler's loop, not in it, and never for each who asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from serving.scheduling.board import Board
from serving.scheduling.eta import Eta
from serving.scheduling.foresight import Etas, Remembered, look_of
from serving.scheduling.outlook import Outlook

log = logging.getLogger(__name__)

_SHORTLY = 0.1
"""Who asks while a look is rested from waits for this share of the patience only: else many would wait by turns."""

Look = Callable[[], Outlook]
Beside = Callable[[Look], Awaitable[Outlook]]


class Lookout:
    """Looks ahead every now and then, and sooner when somebody asks about a campaign that is not in the last outlook.

    One look is under way at a time; it takes the latest board there is when it begins.

    Parameters
    ----------
    every_s : seconds of the wall clock between two looks.
    since_h : from when on arrivals are seen, hours since the epoch.
    rest : how many times as long as a look took is waited before the next, so that it leaves most of a core to others.
    patience_s : seconds of the wall clock for which an outlook is worth waiting for.
    beside : carries out a look where it keeps nobody waiting.

    Attributes
    ----------
    etas : of the latest outlook, by campaign.
    looks : how many were taken.
    """

    def __init__(
        self, *, every_s: float, since_h: float, beside: Beside, rest: float = 4.0, patience_s: float = 1.0
    ) -> None:
        self._every_s, self._beside, self._rest, self._patience_s = every_s, beside, rest, patience_s
        self._seen = Remembered(since_h)
        self._board: Board | None = None
        self._looking: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self._looked = asyncio.Event()
        self._took_s = self._rested_at_s = 0.0
        self.etas: Mapping[str, Eta] = MappingProxyType({})
        self.looks = 0

    def see(self, board: Board) -> None:
        """Take a new board; looks begin with the first."""
        self._board = board
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())

    async def covering(self, campaign_id: str) -> None:
        """Return once an outlook begun after this call has the campaign; at once where that would take too long."""
        if campaign_id in self.etas:
            return
        rest_s = self._rested_at_s - asyncio.get_running_loop().time()
        if max(rest_s, 0.0) + self._took_s > self._patience_s * (_SHORTLY if rest_s > 0 else 1.0):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                for _ in range(2):  # the one under way may have begun before
                    self._asked.set()
                    await self._looked.wait()
                    if campaign_id in self.etas:
                        return

    async def of(self, board: Board) -> Etas:
        """The outlook of a board, such as one supposed."""
        return Etas(board, await self._beside(look_of(board, self._seen.arrivals(board))))

    def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look_on(self) -> None:
        time = asyncio.get_running_loop().time
        while (board := self._board) is not None:
            self._asked.clear()
            begun_s = time()
            self._rested_at_s = begun_s + self._took_s * (1 + self._rest)
            try:
                self._seen.note(board)
                self.etas = await self.of(board)
                self.looks += 1
            except Exception:
                log.exception("look_failed", extra={"campaigns": len(board.standings)})
            looked, self._looked = self._looked, asyncio.Event()
            looked.set()
            self._took_s = time() - begun_s
            self._rested_at_s = time() + self._took_s * self._rest
            await asyncio.sleep(self._took_s * self._rest)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(begun_s + self._every_s - time(), 0.0)):
                    await self._asked.wait()
