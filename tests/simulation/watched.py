"""A store under observation: the ledger learns of every call that was carried out, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from features.records import Campaign, Task
from serving.scheduling.lead import LEAD
from serving.scheduling.ports import Store
from serving.scheduling.states import Event
from serving.scheduling.work import Lease, Move, Outcome, Reached, Want
from tests.simulation.bindings import Bindings
from tests.simulation.ledger import Ledger
from tests.simulation.mirror import Mirror
from tests.simulation.precedence import Contender, Precedence


class Watched:
    """Has the methods of the store it watches.

    Parameters
    ----------
    undoes : what is called at once is undone in that store when one of the calls fails.

    Attributes
    ----------
    leader : the scheduler that took the lead last.
    """

    def __init__(
        self, store: Store, ledger: Ledger, bindings: Bindings, precedence: Precedence, mirror: Mirror, *, undoes: bool
    ) -> None:
        self._store, self._ledger, self._undoes = store, ledger, undoes
        self._bindings, self._precedence, self._mirror = bindings, precedence, mirror
        self._runs = 0
        self._together: list[Callable[[], None]] | None = None
        self.leader: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """See `Store.at_once`: what was called within counts once it is through, or where the store undoes nothing."""
        self._together = []
        try:
            with self._store.at_once():
                yield
        except BaseException:
            if not self._undoes:
                self._note_together()
            raise
        else:
            self._note_together()
        finally:
            self._together = None

    def submit(self, campaign: Campaign, tasks: Sequence[Task], at: datetime) -> bool:
        """See `Intake.submit`."""
        self._mirror.written()
        new = self._store.submit(campaign, tasks, at)
        if new:
            self._ledger.submitted(campaign, tasks)
        elif campaign.campaign_id not in self._ledger.campaigns:
            self._ledger.breach("nothing lost", f"{campaign.campaign_id} is said to be there already")
        return new

    def add_tasks(self, campaign_id: str, tasks: Sequence[Task], at: datetime) -> int:
        """See `Intake.add_tasks`."""
        self._mirror.written()
        new = self._store.add_tasks(campaign_id, tasks, at)
        self._ledger.added(campaign_id, tasks)
        return new

    def redrive(self, campaign_id: str, task_ids: Collection[str] | None, at: datetime) -> int:
        """See `Intake.redrive`."""
        self._mirror.written()
        tasks = self._ledger.campaigns[campaign_id].tasks
        dead = [name for name, kept in tasks.items() if kept.dead and (task_ids is None or name in task_ids)]
        count = self._store.redrive(campaign_id, task_ids, at)
        if count != len(dead):
            self._ledger.breach("dead letters", f"{count} of {campaign_id} were redriven, not {len(dead)}")
        self._ledger.redriven(campaign_id, dead)
        self._bindings.goes_on(campaign_id)
        return count

    def apply(self, campaign_id: str, event: Event) -> None:
        """See `Intake.apply`."""
        self._mirror.written()
        self._store.apply(campaign_id, event)
        if event is Event.RESUME:
            self._bindings.goes_on(campaign_id)
        self._ledger.tell(event, campaign_id)

    def revise(
        self, campaign_id: str, facts: Mapping[str, Any], *, boost: float | None = None, pinned: bool | None = None
    ) -> None:
        """See `Intake.revise`."""
        self._mirror.written()
        self._store.revise(campaign_id, facts, boost=boost, pinned=pinned)
        self._ledger.tell("revise", f"{campaign_id} {dict(facts)} boost {boost} pinned {pinned}")

    def claim(self, wanted: Sequence[Want], owner: str, at: datetime, until: datetime) -> list[Lease]:
        """See `WorkQueue.claim`."""
        self._mirror.written()
        before = self._precedence.before_claim(owner, at)
        leases = self._store.claim(wanted, owner, at, until)
        if self._together is None:
            self._claimed(before, leases, owner, at)
        else:
            self._together.append(lambda: self._claimed(before, leases, owner, at))
        return leases

    def move(self, moves: Iterable[Move], at: datetime) -> int:
        """See `Standings.move`."""
        self._mirror.written()
        return self._store.move(moves, at)

    def hold(self, name: str, owner: str, at: datetime, until: datetime) -> bool:
        """See `Notes.hold`."""
        held = self._store.hold(name, owner, at, until)
        if held and name == LEAD and self.leader != owner:
            self.leader = owner
            self._bindings.led_anew()
        return held

    def report(
        self, reports: Sequence[tuple[Lease, Reached | Outcome]], at: datetime, until: datetime
    ) -> list[Lease | None]:
        """See `WorkQueue.report`."""
        self._mirror.written()
        answers = self._store.report(reports, at, until)
        for (lease, outcome), answer in zip(reports, answers, strict=True):
            done = self._ledger.reported(lease, outcome, answer)
            if done:
                self._bindings.did(self._ledger.campaigns[lease.task.campaign_id], done)
        return answers

    def extend(self, leases: Sequence[Lease], until: datetime) -> list[Lease]:
        """See `WorkQueue.extend`."""
        self._mirror.written()
        kept = self._store.extend(leases, until)
        self._ledger.extended(kept, until)
        return kept

    def recover(self, at: datetime, *, attempts: int, owner: str | None = None) -> int:
        """See `WorkQueue.recover`."""
        self._mirror.written()
        count = self._store.recover(at, attempts=attempts, owner=owner)
        if count:
            rows = self._store.rows("runs", self._runs)
            self._runs = rows[-1]["id"]
            lost = [row for row in rows if row["outcome"] == "lost"]
            if len(lost) != count:
                self._ledger.breach("lease expiry", f"{count} leases were recovered, but {len(lost)} logged")
            self._ledger.lost(lost, at, owner)
        return count

    def _claimed(self, before: dict[str, Contender] | None, leases: Sequence[Lease], owner: str, at: datetime) -> None:
        for lease in leases:
            self._ledger.claimed(lease, owner)
            self._bindings.claimed(lease, at)
        self._precedence.claimed(before, leases, at)

    def _note_together(self) -> None:
        for note in self._together or ():
            note()
