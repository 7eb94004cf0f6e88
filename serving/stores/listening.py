"""Hears of what other processes change in a PostgreSQL database, as it happens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from types import TracebackType
from typing import Self

from serving.errors import StoreUnreachable
from serving.stores.database import Database
from serving.stores.engines import CHANNEL

log = logging.getLogger(__name__)

_LOOK_S, _AGAIN_S = 0.5, 1.0
"""How long it waits for news before it looks whether it is to end, and before it connects again."""


class Listening:
    """A thread that calls `changed` after each change of another process, and whenever it may have missed one.

    It connects again for as long as it takes when the server goes away.
    """

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database, self._changed = database, changed
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listening", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._listen()
            except StoreUnreachable as error:
                log.warning("listening_lost", extra={"reason": str(error)})
                self._ending.wait(_AGAIN_S)

    def _listen(self) -> None:
        with closing(self._database.apart()) as connection, self._database.told_when_lost():
            connection.execute(f"LISTEN {CHANNEL}")
            self._changed()
            while not self._ending.is_set():
                for told in connection.notifies(timeout=_LOOK_S, stop_after=1):
                    if told.payload != self._database.name:
                        self._changed()
