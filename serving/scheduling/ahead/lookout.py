"""Keeps the latest outlook: computed beside the scheduler's loop, not in it, and never for each who asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from serving.scheduling.ahead.eta import Eta
from serving.scheduling.ahead.foresight import Etas, Remembered, look_of
from serving.scheduling.ahead.outlook import Outlook
from serving.scheduling.board import Board

log = logging.getLogger(__name__)

Look = Callable[[], Outlook]
Beside = Callable[[Look], Awaitable[Outlook]]


class Lookout:
    """Looks ahead every now and then, and sooner when somebody asks about a campaign that the latest outlook lacks.

    One look is under way at a time; it takes the latest board there is when it begins.

    Parameters
    ----------
    every_s : seconds of the wall clock between two looks.
    since_h : from when on arrivals are seen, hours since the epoch.
    rest : how many times as long as a look took is waited before the next, so that it leaves most of a core to others.
    beside : carries out a look where it keeps nobody waiting.

    Attributes
    ----------
    etas : of the latest outlook, by campaign.
    looks : how many were taken.
    """

    def __init__(self, *, every_s: float, since_h: float, beside: Beside, rest: float = 4.0) -> None:
        self._every_s, self._beside, self._rest = every_s, beside, rest
        self._seen = Remembered(since_h)
        self._board: Board | None = None
        self._looking: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self.etas: Mapping[str, Eta] = MappingProxyType({})
        self.looks = 0

    def see(self, board: Board) -> None:
        """Take a new board; looks begin with the first."""
        self._board = board
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())

    def ask(self, campaign_id: str) -> None:
        """Have a look taken as soon as one may be, if the latest outlook lacks a campaign."""
        if campaign_id not in self.etas:
            self._asked.set()

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
            try:
                self._seen.note(board)
                self.etas = await self.of(board)
                self.looks += 1
            except Exception:
                log.exception("look_failed", extra={"campaigns": len(board.standings)})
            await asyncio.sleep((time() - begun_s) * self._rest)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(begun_s + self._every_s - time(), 0.0)):
                    await self._asked.wait()
