"""The clocks a process may run on: the only module of `serving` that reads the time.

Leases, limits, deadlines and handlers all read the one injected clock, so a scaled or a hand-moved
run is consistent with itself.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Protocol, Self


class Clock(Protocol):
    """Tells the time and waits for it. All durations are seconds of this clock, whatever its pace."""

    def now(self) -> datetime:
        """Return the current moment in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` of this clock have passed."""
        ...


class SystemClock:
    """The wall clock."""

    def now(self) -> datetime:
        """Return the current moment in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds`."""
        await asyncio.sleep(max(seconds, 0.0))


class Notes(Protocol):
    """A place that keeps small texts over restarts."""

    def remember(self, key: str, value: str) -> str:
        """Store `value` under `key` unless something is there already; return what is there. Atomic."""
        ...


@dataclass(frozen=True)
class ScaledClock:
    """A clock that was `virtual_origin` when the wall clock was `real_origin`, and runs `scale` times as fast.

    It goes on while no process runs, as the wall clock does: work leased by a killed process is overdue
    when the next one starts.

    Raises
    ------
    ValueError
        When `scale` is not positive.
    """

    real_origin: datetime
    virtual_origin: datetime
    scale: float

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(
                f"scale {self.scale!r} must be above 0: seconds of this clock per second of the wall clock"
            )

    @classmethod
    def starting(cls, virtual_origin: datetime, scale: float) -> Self:
        """A clock that shows `virtual_origin` now."""
        return cls(datetime.now(UTC), virtual_origin, scale)

    @classmethod
    def continued(cls, notes: Notes, virtual_origin: datetime, scale: float) -> Self:
        """The clock whose numbers `notes` keep, whatever is asked now; else one starting now, kept from now on."""
        fresh = cls.starting(virtual_origin, scale)
        kept = json.loads(notes.remember("clock", json.dumps(asdict(fresh), default=datetime.isoformat)))
        real, virtual = (datetime.fromisoformat(kept[name]) for name in ("real_origin", "virtual_origin"))
        return cls(real, virtual, kept["scale"])

    def now(self) -> datetime:
        """Return the current moment in UTC."""
        return self.virtual_origin + (datetime.now(UTC) - self.real_origin) * self.scale

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of this clock, `seconds / scale` of the wall clock."""
        await asyncio.sleep(max(seconds, 0.0) / self.scale)


class ManualClock:
    """A clock that moves only when told to, for tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._slept = 0

    def now(self) -> datetime:
        """Return the moment it was last moved to."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was moved `seconds` further."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._slept += 1
        heappush(self._sleepers, (self._now + timedelta(seconds=seconds), self._slept, woken))
        await woken

    def next_waking(self) -> datetime | None:
        """The first moment that somebody waits for; None if nobody does."""
        return self._sleepers[0][0] if self._sleepers else None

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` and wake whoever waited for a moment up to then, earliest first."""
        self._now += timedelta(seconds=seconds)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            woken = heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)
