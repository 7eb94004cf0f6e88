"""What the scheduler needs from whatever carries out work, and from whoever knows what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from serving.scheduling.work import Forecast, Lease, Standing

AHEAD_S = 0.1
"""How much work an executor may be handed ahead of a free slot, by what its campaign's tasks lately took."""


@dataclass(frozen=True, slots=True)
class Running:
    """A task that an executor holds: on a slot since a moment, or in line for one (None).

    `yielding` once it was asked to give way, or has ended and this is not stored yet.
    """

    lease: Lease
    since: datetime | None
    yielding: bool


class Executor(Protocol):
    """Carries out leases on its slots and reports what became of them; decides nothing. Wakes the scheduler then."""

    @property
    def slots(self) -> int:
        """How many tasks it can run at once."""
        ...

    def running(self) -> list[Running]:
        """The tasks it holds now, begun or not, each until its end is stored: its slot counts as taken till then."""
        ...

    def start(self, leases: Sequence[Lease]) -> None:
        """Begin or resume leased tasks, in this order, as slots are free. A lease started twice is started once."""
        ...

    def give_way(self, lease_id: str, *, preempted: bool) -> None:
        """Ask it to stop at its next checkpoint, `preempted` by a more pressing one or for another reason.

        What has not begun is given back at once. Safe to repeat, and for leases already over.
        """
        ...

    async def stop(self, grace_s: float) -> None:
        """Ask all to give way, and return once every lease is settled.

        What reached no checkpoint within `grace_s` seconds of the wall clock is cut off, and goes on from its last.
        What runs in processes that outlive this one is left to them, and found again by who asks the store.
        """
        ...


class Predictor(Protocol):
    """Answers what campaigns are worth and how long they take. Stateless, safe to repeat."""

    async def forecast(self, asked: Sequence[Standing], at: datetime) -> Forecast:
        """One estimate a campaign, in the order asked, knowing how far its work has come; for none, the scale alone.

        Never raises for want of a model: the matrix answers then, labelled and with the reason.
        """
        ...
