"""A worker: takes up the leases it is handed, and works them off as the local executor does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from serving.clock import Clock
from serving.executors.local import LocalExecutor
from serving.scheduling.ports import Worker, Workforce

log = logging.getLogger(__name__)

_TELLS_A_LEASE = 3
"""A worker is believed alive although two of its announcements come late."""
_TRIES_A_LEASE = 60


class Hand:
    """Works off leases in this event loop: whatever the broker says is looked up in the store first.

    Parameters
    ----------
    name : a name no other living worker bears.
    lease_s : seconds of the clock for which it, and each lease, is believed alive without a sign of life.
    """

    def __init__(self, store: Workforce, executor: LocalExecutor, clock: Clock, *, name: str, lease_s: float) -> None:
        self._store, self._executor, self._clock = store, executor, clock
        self.name, self._lease = name, timedelta(seconds=lease_s)
        self._leaving = False

    async def begin(self, giver: str, lease_ids: Sequence[str]) -> None:
        """Take up leases and begin their tasks; nothing happens for those that are no longer to be had.

        While the store fails it is asked again, until the leases cannot be had any more.
        """
        began = self._clock.now()
        while not self._leaving:
            at = self._clock.now()
            try:
                leases = self._store.take(lease_ids, giver, self.name, at, at + self._lease)
            except Exception:
                log.exception("not_taken_up", extra={"leases": len(lease_ids)})
                if at - began >= self._lease:
                    return
                await self._clock.sleep(self._lease.total_seconds() / _TRIES_A_LEASE)
                continue
            if len(leases) < len(lease_ids):
                log.info("came_late", extra={"leases": len(lease_ids) - len(leases)})
            self._executor.start(leases)
            return

    async def give_way(self, lease_ids: Sequence[str], *, preempted: bool) -> None:
        """Stop at the next checkpoint."""
        for lease_id in lease_ids:
            self._executor.give_way(lease_id, preempted=preempted)

    async def announce(self) -> None:
        """Say that it is there, again and again, until it leaves."""
        while not self._leaving:
            try:
                self._tell(self._clock.now() + self._lease)
            except Exception:
                log.exception("not_announced")
            await self._clock.sleep(self._lease.total_seconds() / _TELLS_A_LEASE)

    async def leave(self, grace_s: float) -> None:
        """Say that it goes, and settle what it has; see `LocalExecutor.stop`."""
        self._leaving = True
        try:
            self._tell(self._clock.now())
        except Exception:
            log.exception("not_announced")
        await self._executor.stop(grace_s)

    def _tell(self, until: datetime) -> None:
        self._store.announce(Worker(self.name, self._executor.slots, until), self._clock.now())
