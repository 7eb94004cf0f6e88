"""Group commit of what owners submit: requests that come together are made durable together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from serving.scheduling.ports import Store

T = TypeVar("T")


class Together:
    """Keeps writes for as long as others come in the same turns of the event loop, then carries them out by one commit.

    A write that raises is undone alone. Nobody is answered before all of them are on disk.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []

    async def __call__(self, write: Callable[[], T]) -> T:
        """What a write returns, once it is durable; raises what it raises, or what kept it from the disk."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._due.append((write, answer))
        if len(self._due) == 1:
            loop.call_soon(self._look, 1)
        return await answer

    def _look(self, seen: int) -> None:
        """Write once a whole turn of the loop brought nothing more."""
        if len(self._due) > seen:
            asyncio.get_running_loop().call_soon(self._look, len(self._due))
            return
        due, self._due = self._due, []
        told: list[tuple[Any, Exception | None]]
        try:
            with self._store.at_once():
                told = [self._alone(write) for write, _ in due]
        except Exception as error:  # noqa: BLE001 - whatever kept them from the disk, those who wait are to hear of it
            told = [(None, error)] * len(due)
        for (_, answer), (result, failure) in zip(due, told, strict=True):
            if answer.done():
                continue  # who asked has gone
            if failure is None:
                answer.set_result(result)
            else:
                answer.set_exception(failure)

    def _alone(self, write: Callable[[], Any]) -> tuple[Any, Exception | None]:
        try:
            return self._undone_if_it_fails(write), None
        except Exception as error:  # noqa: BLE001 - it is for whoever asked, and no matter of the others
            return None, error

    def _undone_if_it_fails(self, write: Callable[[], Any]) -> Any:
        with self._store.at_once():
            return write()
