"""Keeps the latest outlook: computed beside the scheduler's loop, not in it, and never for each who asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from serving.scheduling.board import Board
from serving.scheduling.eta import Eta
from serving.scheduling.foresight import Remembered, etas

log = logging.getLogger(__name__)

_REST = 4
"""How many times as long as a look took is waited before the next, so that it leaves most of a core to others."""

Look = Callable[[Board], Mapping[str, Eta]]
Beside = Callable[[Look, Board], Awaitable[Mapping[str, Eta]]]


class Lookout:
    """Looks ahead every now and then, and sooner when somebody asks about a campaign that is not in the last outlook.

    One look is under way at a time; it takes the latest board there is when it begins.

    Parameters
    ----------
    every_s : seconds of the wall clock between two looks.
    since_h : from when on arrivals are seen, hours since the epoch.
    beside : carries out a look where it keeps nobody waiting.

    Attributes
    ----------
    etas : of the latest outlook, by campaign.
    looks : how many were taken.
    """

    def __init__(self, *, every_s: float, since_h: float, beside: Beside = asyncio.to_thread) -> None:
        self._every_s, self._beside = every_s, beside
        self._seen = Remembered(since_h)
        self._board: Board | None = None
        self._looking: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self._looked = asyncio.Event()
        self.etas: Mapping[str, Eta] = MappingProxyType({})
        self.looks = 0

    def see(self, board: Board) -> None:
        """Take a new board; looks begin with the first."""
        self._board = board
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())

    async def covering(self, campaign_id: str) -> None:
        """Return once an outlook that was begun after this call, or the latest, has the campaign or cannot have it."""
        if campaign_id in self.etas:
            return
        for _ in range(2):  # the one under way may have begun before
            self._asked.set()
            await self._looked.wait()
            if campaign_id in self.etas:
                return

    async def of(self, board: Board) -> Mapping[str, Eta]:
        """The outlook of another board than the scheduler's, such as one supposed."""
        return await self._beside(self._look, replace(board, books=board.books.copy()))

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
                self.etas = MappingProxyType(dict(await self.of(board)))
                self.looks += 1
            except Exception:
                log.exception("look_failed", extra={"campaigns": len(board.standings)})
            looked, self._looked = self._looked, asyncio.Event()
            looked.set()
            took_s = time() - begun_s
            await asyncio.sleep(took_s * _REST)
            with_patience = max(self._every_s - took_s * (_REST + 1), 0.0)
            try:
                async with asyncio.timeout(with_patience):
                    await self._asked.wait()
            except TimeoutError:
                continue

    def _look(self, board: Board) -> Mapping[str, Eta]:
        return etas(board, self._seen.arrivals(board))
