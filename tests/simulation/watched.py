"""A store under observation: the ledger learns of every call that was carried out, and of nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from features.records import Campaign, Task
from serving.scheduling.ports import Store
from serving.scheduling.states import Event
from serving.scheduling.work import Lease, Outcome, Reached, Want
from tests.simulation.bindings import Bindings
from tests.simulation.ledger import Ledger
from tests.simulation.precedence import Precedence


class Watched:
    """Has the methods of the store it watches.

    Attributes
    ----------
    leader : the scheduler that took the lead last.
    """

    def __init__(self, store: Store, ledger: Ledger, bindings: Bindings, precedence: Precedence) -> None:
        self._store, self._ledger = store, ledger
        self._bindings, self._precedence = bindings, precedence
        self._runs = 0
        self.leader: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def submit(self, campaign: Campaign, tasks: Sequence[Task], at: datetime) -> bool:
        """See `Intake.submit`."""
        new = self._store.submit(campaign, tasks, at)
        if new:
            self._ledger.submitted(campaign, tasks)
        elif campaign.campaign_id not in self._ledger.campaigns:
            self._ledger.breach("nothing lost", f"{campaign.campaign_id} is said to be there already")
        return new

    def add_tasks(self, campaign_id: str, tasks: Sequence[Task], at: datetime) -> int:
        """See `Intake.add_tasks`."""
        new = self._store.add_tasks(campaign_id, tasks, at)
        self._ledger.added(campaign_id, tasks)
        return new

    def redrive(self, campaign_id: str, task_ids: Collection[str] | None, at: datetime) -> int:
        """See `Intake.redrive`."""
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
        self._store.apply(campaign_id, event)
        if event is Event.RESUME:
            self._bindings.goes_on(campaign_id)
        self._ledger.tell(event, campaign_id)

    def revise(
        self, campaign_id: str, facts: Mapping[str, Any], *, boost: float | None = None, pinned: bool | None = None
    ) -> None:
        """See `Intake.revise`."""
        self._store.revise(campaign_id, facts, boost=boost, pinned=pinned)
        self._ledger.tell("revise", f"{campaign_id} {dict(facts)} boost {boost} pinned {pinned}")

    def claim(self, wanted: Sequence[Want], owner: str, at: datetime, until: datetime) -> list[Lease]:
        """See `WorkQueue.claim`."""
        before = self._precedence.before_claim(at)
        leases = self._store.claim(wanted, owner, at, until)
        for lease in leases:
            self._ledger.claimed(lease, owner)
            self._bindings.claimed(lease, at)
        self._precedence.claimed(before, leases, at)
        return leases

    def hold(self, name: str, owner: str, at: datetime, until: datetime) -> bool:
        """See `Notes.hold`."""
        held = self._store.hold(name, owner, at, until)
        if held and self.leader != owner:
            self.leader = owner
            self._bindings.led_anew()
        return held

    def report(
        self, reports: Sequence[tuple[Lease, Reached | Outcome]], at: datetime, until: datetime
    ) -> list[Lease | None]:
        """See `WorkQueue.report`."""
        answers = self._store.report(reports, at, until)
        for (lease, outcome), answer in zip(reports, answers, strict=True):
            done = self._ledger.reported(lease, outcome, answer)
            if done:
                self._bindings.did(self._ledger.campaigns[lease.task.campaign_id], done)
        return answers

    def extend(self, leases: Sequence[Lease], until: datetime) -> list[Lease]:
        """See `WorkQueue.extend`."""
        kept = self._store.extend(leases, until)
        self._ledger.extended(kept, until)
        return kept

    def recover(self, at: datetime, *, attempts: int, owner: str | None = None) -> int:
        """See `WorkQueue.recover`."""
        count = self._store.recover(at, attempts=attempts, owner=owner)
        if count:
            rows = self._store.rows("runs", self._runs)
            self._runs = rows[-1]["id"]
            lost = [row for row in rows if row["outcome"] == "lost"]
            if len(lost) != count:
                self._ledger.breach("lease expiry", f"{count} leases were recovered, but {len(lost)} logged")
            self._ledger.lost(lost, at, owner)
        return count
