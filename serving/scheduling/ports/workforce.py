"""What an executor needs of a store when the work is done elsewhere: who works, and who has taken up which lease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from serving.scheduling.work import Lease


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that works off leases, on so many slots; believed alive `until` a moment."""

    name: str
    slots: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Out:
    """A lease as the store has it now.

    Attributes
    ----------
    owner : who holds it: the scheduler that claimed it, or the worker that took it up.
    chunk : checkpoints stored so far.
    chunk_from : when its present chunk began.
    """

    lease_id: str
    campaign_id: str
    owner: str
    chunk: int
    chunk_from: datetime
    until: datetime


class Workforce(Protocol):
    """Leases that are handed over, and those who take them up."""

    def take(self, lease_ids: Sequence[str], giver: str, worker: str, at: datetime, until: datetime) -> list[Lease]:
        """Make a worker the owner of leases that `giver` claimed, held `until` a moment, and return them, in order.

        Left out: those that are stale, ran out, or were taken up before, whoever did. A chunk's time counts from here.
        """
        ...

    def out(self) -> list[Out]:
        """Every lease there is, whoever holds it, the oldest task first."""
        ...

    def leased(self, lease_ids: Sequence[str]) -> list[Lease]:
        """Leases by name, as they are now, in order; stale ones are left out."""
        ...

    def announce(self, worker: Worker, at: datetime) -> None:
        """Let a worker be known, with its slots, until a moment: again for longer, or until now by one that leaves.

        Those whose time was over before `at` are forgotten. What they hold runs out, unless they report.
        """
        ...

    def workers(self, at: datetime) -> list[Worker]:
        """Those believed alive at a moment, by name."""
        ...
