"""What really happened, kept apart from scheduler, executor and store: every lease, checkpoint and end of every task.

The ledger believes nothing it is told that contradicts what it saw before, and notes the contradiction as a breach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from features.records import Campaign, Task
from serving.scheduling.work import Completed, Failed, Lease, Outcome, Reached, Released


@dataclass(frozen=True)
class Breach:
    """An invariant that did not hold."""

    invariant: str
    at_s: float
    text: str


@dataclass
class Kept:
    """A task as the ledger knows it: where it resumes, who holds it, what became of it."""

    task: Task
    chunk: int = 0
    state: Any = None
    units_done: float = 0.0
    fence: int = 0
    lease: Lease | None = None
    until: datetime | None = None
    owner: str = ""
    failures: int = 0
    done: int = 0
    dead: bool = False


@dataclass
class Known:
    """A campaign as the ledger knows it, and its tasks by id."""

    campaign: Campaign
    tasks: dict[str, Kept] = field(default_factory=dict)
    begun_s: float | None = None
    held: int = 0
    preempted: int = 0
    redriven: bool = False

    @property
    def first(self) -> Task:
        """The first of its tasks."""
        return next(iter(self.tasks.values())).task


class Ledger:
    """Keeps it.

    Parameters
    ----------
    now_s : the true time, seconds from the start.
    attempts : failures or losses of one chunk that make a dead letter.

    Attributes
    ----------
    counts : how often each thing happened.
    given_up : campaigns that their owners cancelled, or tried to.
    trace : one line for each thing that happened; empty unless asked for.
    """

    def __init__(self, now_s: Callable[[], float], attempts: int, *, traced: bool = False) -> None:
        self.now_s, self._attempts, self._traced = now_s, attempts, traced
        self.campaigns: dict[str, Known] = {}
        self.breaches: list[Breach] = []
        self.counts: Counter[str] = Counter()
        self.given_up: set[str] = set()
        self.trace: list[str] = []

    def breach(self, invariant: str, text: str) -> None:
        """Note that an invariant did not hold."""
        self.breaches.append(Breach(invariant, self.now_s(), text))
        self.tell("BREACH", f"{invariant}: {text}")

    def tell(self, what: str, text: object) -> None:
        """Add a line to the trace."""
        if self._traced:
            self.trace.append(f"{self.now_s():>10.1f}  {what:<10} {text}")

    def kept(self, campaign_id: str, task_id: str) -> Kept:
        """A task."""
        return self.campaigns[campaign_id].tasks[task_id]

    def submitted(self, campaign: Campaign, tasks: Iterable[Task]) -> None:
        """Note a campaign that the store took, and its tasks."""
        self.campaigns[campaign.campaign_id] = Known(campaign)
        self.added(campaign.campaign_id, tasks)
        self.tell("submit", campaign.campaign_id)

    def added(self, campaign_id: str, tasks: Iterable[Task]) -> None:
        """Note tasks that the store took; those it had before stay as they are."""
        for task in tasks:
            self.campaigns[campaign_id].tasks.setdefault(task.task_id, Kept(task))

    def claimed(self, lease: Lease, owner: str) -> None:
        """Check and note a lease that was handed out."""
        own = lease.task
        known = self.campaigns[own.campaign_id]
        kept = known.tasks[own.task_id]
        name = f"{own.campaign_id}/{own.task_id}"
        self.counts["dispatches"] += 1
        self.tell("claim", f"{name} fence {lease.fence} chunk {lease.chunk} by {owner}")
        if kept.lease is not None:
            self.breach("one holder", f"{name} was leased while lease {kept.lease.lease_id} held it")
        if lease.fence <= kept.fence:
            self.breach("fencing", f"{name} got fence {lease.fence} after {kept.fence}")
        if kept.done or kept.dead:
            self.breach("one completion", f"{name} was leased although it had ended")
        if (lease.chunk, lease.checkpoint, lease.units_done) != (kept.chunk, kept.state, kept.units_done):
            found = f"{lease.chunk}, {lease.checkpoint}, {lease.units_done}"
            self.breach("resumes", f"{name} goes on at {found}, not at {kept.chunk}, {kept.state}, {kept.units_done}")
        for before in own.after:
            if not known.tasks[before].done:
                self.breach("dependency", f"{name} was leased before {before}, which it follows, was done")
        kept.lease, kept.fence, kept.until, kept.owner = lease, lease.fence, lease.until, owner
        known.held += 1

    def reported(self, lease: Lease, outcome: Reached | Outcome, answer: Lease | None) -> float:
        """Check and note what the store made of a report, and return how many units it did."""
        kept = self.kept(lease.task.campaign_id, lease.task.task_id)
        before = kept.units_done
        self._report(kept, lease, outcome, answer)
        return kept.units_done - before

    def _report(self, kept: Kept, lease: Lease, outcome: Reached | Outcome, answer: Lease | None) -> None:
        own = lease.task
        name = f"{own.campaign_id}/{own.task_id}"
        current = kept.lease is not None and kept.fence == lease.fence
        self.tell("report", f"{name} fence {lease.fence} chunk {lease.chunk} {outcome} {'kept' if answer else 'stale'}")
        if answer is None:
            self.counts["stale reports"] += 1
            if current:
                self.breach("fencing", f"{name}: the report of its holder, {outcome}, was refused")
            return
        if not current:
            self.breach("fencing", f"{name}: the report {outcome} of a lease that was over was taken")
            return
        if isinstance(outcome, Reached):
            self._reached(kept, name, lease, outcome, answer)
            kept.until = answer.until
            return
        self._ended(kept)
        match outcome:
            case Completed():
                kept.done += 1
                self.counts["completions"] += 1
                if kept.done > 1:
                    self.breach("one completion", f"{name} was completed {kept.done} times")
                if kept.chunk != own.payload["chunks"]:
                    self.breach("resumes", f"{name} was completed after chunk {kept.chunk}")
                kept.units_done = own.units
            case Released(preempted):
                self.counts["preemptions"] += preempted
                self.campaigns[own.campaign_id].preempted += preempted
            case Failed():
                kept.failures += outcome.counts
                kept.dead = outcome.retry_at is None

    def extended(self, leases: Sequence[Lease], until: datetime) -> None:
        """Note leases held longer."""
        for lease in leases:
            kept = self.kept(lease.task.campaign_id, lease.task.task_id)
            if kept.lease is None or kept.fence != lease.fence:
                self.breach("fencing", f"lease {lease.lease_id} was extended after it was over")
            else:
                kept.until = until

    def lost(self, rows: Iterable[Mapping[str, Any]], at: datetime, owner: str | None) -> None:
        """Check and note tasks whose lease the store took back."""
        for row in rows:
            kept = self.kept(row["campaign_id"], row["task_id"])
            name = f"{row['campaign_id']}/{row['task_id']}"
            self.tell("lost", f"{name} fence {kept.fence}")
            self.counts["leases lost"] += 1
            if kept.lease is None:
                self.breach("lease expiry", f"{name} was taken back although nobody held it")
                continue
            if (kept.owner != owner) if owner is not None else (kept.until is None or kept.until > at):
                self.breach(
                    "lease expiry", f"{name} was taken back at {at} from a holder who has it until {kept.until}"
                )
            self._ended(kept)
            kept.failures += 1
            kept.dead = kept.failures >= self._attempts

    def begins(self, name: str, chunk: int, key: str) -> None:
        """Check what a handler is about to do."""
        self.counts["chunks begun"] += 1
        if key != f"{name}/{chunk}":
            self.breach("idempotency", f"chunk {chunk} of {name} goes by the key {key}")

    def passed(self, name: str, chunk: int) -> None:
        """Check that a handler went past a checkpoint only once that was kept."""
        kept = self.kept(*name.split("/"))
        if kept.chunk < chunk:
            self.breach("checkpoint order", f"{name} went past checkpoint {chunk}, when {kept.chunk} were kept")

    def redriven(self, campaign_id: str, task_ids: Iterable[str]) -> None:
        """Note dead letters that were put back in the queue."""
        self.campaigns[campaign_id].redriven = True
        for task_id in task_ids:
            kept = self.kept(campaign_id, task_id)
            if not kept.dead:
                self.breach("dead letters", f"{campaign_id}/{task_id} was redriven, but was not dead")
            kept.dead, kept.failures = False, 0

    def _reached(self, kept: Kept, name: str, lease: Lease, outcome: Reached, answer: Lease) -> None:
        if lease.chunk < kept.chunk:  # came twice: nothing may change
            if (answer.chunk, answer.checkpoint, answer.units_done) != (kept.chunk, kept.state, kept.units_done):
                self.breach("resumes", f"{name} moved to chunk {answer.chunk} by a report that came twice")
            return
        self.counts["checkpoints"] += 1
        if answer.chunk != kept.chunk + 1 or outcome.units_done < kept.units_done:
            self.breach("checkpoint order", f"{name} came from chunk {kept.chunk} to {answer.chunk}: {outcome}")
        kept.chunk, kept.state, kept.units_done = answer.chunk, answer.checkpoint, answer.units_done
        kept.failures = 0

    def _ended(self, kept: Kept) -> None:
        kept.lease = None
        self.campaigns[kept.task.campaign_id].held -= 1
