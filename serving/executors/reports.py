"""Group commit: what handlers report is stored many reports at a time, in the order they came."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from serving.clock import Clock
from serving.scheduling.ports import WorkQueue
from serving.scheduling.work import Lease, Outcome, Reached

log = logging.getLogger(__name__)

_MOST = 256
"""Reports stored at once: the cost of a commit is shared by then, and nobody waits longer for it."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 10.0
"""Seconds of the clock between attempts to store what a store refused, doubling from the first to the longest."""

Kept = Callable[[Lease | None], None]
"""Told the lease as it is after a report was stored, None if the lease was stale."""
Refused = Callable[[Exception], None]
"""Told why a store will not take a report, whenever it is asked."""


@dataclass(frozen=True, slots=True, eq=False)
class _Report:
    lease: Lease
    what: Reached | Outcome
    kept: Kept
    refused: Refused


class Reports:
    """Keeps reports for as long as others come in the same turns of the event loop, then stores them together.

    While the store fails they wait, in order, and are tried again; none is dropped. Only a report that the store
    refuses for what it holds (`TypeError`, `ValueError`) is given back to whoever made it, so that it holds up nobody.

    Parameters
    ----------
    lease : how long a lease goes on after a checkpoint.
    stored : called after each time that reports were stored.
    """

    def __init__(self, queue: WorkQueue, clock: Clock, lease: timedelta, stored: Callable[[], None]) -> None:
        self._queue, self._clock, self._lease, self._stored = queue, clock, lease, stored
        self._waiting: list[_Report] = []
        self._taken = self._failures = 0
        self._looking = False
        self._again: asyncio.Task[None] | None = None

    def add(self, lease: Lease, what: Reached | Outcome, kept: Kept, refused: Refused) -> None:
        """Take a report; `kept` or `refused` is called once it is stored, or cannot be."""
        self._waiting.append(_Report(lease, what, kept, refused))
        self._taken += 1
        if self._again is not None:
            return
        if len(self._waiting) >= _MOST:
            self._store()
        elif not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look, 0)

    def flush(self) -> None:
        """Store what waits, unless the store failed a moment ago."""
        if self._again is None:
            self._store()

    async def drained(self) -> None:
        """Return once nothing waits to be stored."""
        self.flush()
        while self._again is not None:
            await asyncio.wait({self._again})

    def _look(self, seen: int) -> None:
        """Store once a whole turn of the loop brought no further report."""
        if self._taken > seen:
            asyncio.get_running_loop().call_soon(self._look, self._taken)
            return
        self._looking = False
        self.flush()

    def _store(self) -> None:
        """Store all that waits: together, or one by one where one of them is refused."""
        together, any_kept = True, False
        while self._waiting:
            reports = self._waiting[:] if together else self._waiting[:1]
            at = self._clock.now()
            try:
                leases = self._queue.report([(r.lease, r.what) for r in reports], at, at + self._lease)
            except (TypeError, ValueError) as error:
                if len(reports) == 1:
                    del self._waiting[0]
                    log.exception("report_refused", extra={"lease_id": reports[0].lease.lease_id})
                    reports[0].refused(error)
                together = False  # nothing was kept, so the others are asked for one at a time
            except Exception:  # whatever it is that fails, what was done is not to be forgotten for it
                log.exception("reports_wait", extra={"reports": len(self._waiting), "failures": self._failures + 1})
                self._store_later()
                break
            else:
                del self._waiting[: len(reports)]
                self._failures, any_kept = 0, True
                for report, lease in zip(reports, leases, strict=True):
                    report.kept(lease)
        if any_kept:
            self._stored()

    def _store_later(self) -> None:
        wait_s = min(_FIRST_WAIT_S * 2.0 ** min(self._failures, 10), _LONGEST_WAIT_S)
        self._failures += 1
        self._again = asyncio.get_running_loop().create_task(self._store_after(wait_s))

    async def _store_after(self, wait_s: float) -> None:
        await self._clock.sleep(wait_s)
        self._again = None
        self._store()
