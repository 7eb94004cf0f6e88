"""Where work is kept: campaigns, leases on their tasks, and what happened.

Each call of a store is one transaction: done entirely or not at all, durable when it returns, and seen so by others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal, Protocol

from features.records import Campaign, Kpi, Signal, Task
from serving.scheduling.ports.workforce import Workforce
from serving.scheduling.states import Event
from serving.scheduling.work import (
    Backlog,
    DeadLetter,
    Decision,
    Forecast,
    Lease,
    Move,
    Outcome,
    Reached,
    Seen,
    Standing,
    Want,
)

LogTable = Literal["decisions", "kpis", "signals", "runs"]


class Intake(Protocol):
    """What owners do to their campaigns. Those never submitted raise `CampaignUnknown`."""

    def submit(self, campaign: Campaign, tasks: Sequence[Task], at: datetime) -> bool:
        """Keep a campaign with its tasks; True if it is new, False if equal content was submitted before.

        Content is judged on what was first submitted, whatever was changed since.

        Raises
        ------
        CampaignConflict
            When it was submitted before with other content.
        BadInput
            When there is no task, task ids repeat, a task belongs to another campaign or follows an unknown one,
            or `after` closes a circle of campaigns or of tasks.
        """
        ...

    def add_tasks(self, campaign_id: str, tasks: Sequence[Task], at: datetime) -> int:
        """Add tasks and return how many are new; a task that is there already with equal content is left as it is.

        Raises
        ------
        IllegalTransition
            When the campaign has ended.
        BadInput
            As `submit`, and when a task of that id is there with other content.
        """
        ...

    def revise(
        self, campaign_id: str, facts: Mapping[str, Any], *, boost: float | None = None, pinned: bool | None = None
    ) -> None:
        """Change facts, as JSON holds them (the campaign is estimated anew), boost or pin; what is None stays.

        Raises
        ------
        IllegalTransition
            When the campaign has ended.
        BadInput
            When the campaign would not be valid with these facts, or the boost is out of range.
        """
        ...

    def apply(self, campaign_id: str, event: Event) -> None:
        """Pause, resume or cancel; work in flight goes on to its next checkpoint.

        Raises
        ------
        IllegalTransition
            When its state does not allow that.
        """
        ...

    def redrive(self, campaign_id: str, task_ids: Collection[str] | None, at: datetime) -> int:
        """Put dead letters back in the queue at their checkpoints, all of them for None; return how many.

        Their attempts count from 0 again, and a campaign that had failed waits again.

        Raises
        ------
        IllegalTransition
            When the campaign has ended otherwise than by failing.
        BadInput
            When a task of these is no dead letter of the campaign.
        """
        ...

    def backlog(self) -> Backlog:
        """How much is there that is not over; at a cost that does not grow with the tasks."""
        ...


class Standings(Protocol):
    """What the scheduler reads and writes about campaigns.

    Every change of a campaign or its tasks, by whomever, gives it a mark above all marks before; so does a change of
    what it follows. Keeping estimates alone gives none: who keeps them knows them.
    """

    def live(self, at: datetime) -> Seen:
        """Every campaign that may still lead to work, or that ended but runs still, oldest submission first."""
        ...

    def changed(self, since: int, at: datetime, also: Collection[str] = ()) -> Seen:
        """Campaigns with a mark above `since`, in whatever state they are now, and those named in `also`."""
        ...

    def standing(self, campaign_id: str, at: datetime) -> Standing:
        """Where a campaign stands, whatever its state.

        Raises
        ------
        CampaignUnknown
            When it was never submitted.
        """
        ...

    def estimated(
        self, asked: Sequence[Standing], forecast: Forecast, scores: Sequence[float | None], at: datetime
    ) -> None:
        """Keep estimates and scores of the campaigns asked about, in order, unless their facts changed meanwhile."""
        ...

    def move(self, moves: Iterable[Move], at: datetime) -> int:
        """Carry out changes of state and return how many took place.

        One whose state differs by now is skipped, and so is an end (finish, fail) while work is queued or leased.
        A campaign that becomes ready is so since `at`.
        """
        ...


class WorkQueue(Protocol):
    """Leases on tasks: handed out at least once, and never to two holders whose reports would both be taken.

    A lease is stale once its task was settled, recovered or leased again.
    """

    def claim(self, wanted: Sequence[Want], owner: str, at: datetime, until: datetime) -> list[Lease]:
        """Lease tasks, each campaign's oldest first, at most as many of each as wanted, in the order wanted.

        Passed over: campaigns that are neither ready nor running by now, tasks that back off or follow undone ones.
        A campaign whose task is leased is running, and has begun if it had not before.
        """
        ...

    def report(
        self, reports: Sequence[tuple[Lease, Reached | Outcome]], at: datetime, until: datetime
    ) -> list[Lease | None]:
        """Keep what became of leases, all in one transaction; for each the lease as it is then, None if it was stale.

        At a checkpoint the chunk is logged, and the lease goes on from there, held `until`. An outcome ends it: the
        task is done, goes back to the queue at its checkpoint, or failed (for now or for good). A stale lease changes
        nothing.

        Raises
        ------
        TypeError
            When JSON cannot hold a checkpoint's state (see `work.storable`); nothing is kept then.
        """
        ...

    def extend(self, leases: Sequence[Lease], until: datetime) -> list[Lease]:
        """Hold leases for longer and return them; stale ones are left out."""
        ...

    def recover(self, at: datetime, *, attempts: int, owner: str | None = None) -> int:
        """Requeue at their checkpoints tasks whose lease ran out, or all that `owner` holds; return how many.

        A task that failed or was lost `attempts` times without progress becomes a dead letter: it may be what kills
        its workers.
        """
        ...


class Log(Protocol):
    """What happened, in order; rows are only ever added."""

    def decided(self, decisions: Sequence[Decision]) -> None:
        """Add decisions."""
        ...

    def observed(self, kpis: Sequence[Kpi] = (), signals: Sequence[Signal] = ()) -> int:
        """Add results and signals, and return how many; a result that is there in every field is not added again."""
        ...

    def rows(self, table: LogTable, since: int = 0) -> list[dict[str, Any]]:
        """Rows of a table after row number `since`, oldest first, each with its number as `id`."""
        ...

    def dead_letters(self) -> list[DeadLetter]:
        """Tasks that failed for good, with their errors, oldest first."""
        ...

    def launched(self, at: datetime) -> list[Standing]:
        """Every campaign that is done, oldest submission first."""
        ...

    def begun(self, since: datetime, at: datetime) -> list[Standing]:
        """Every campaign that got its first slot after a moment, whatever its state, in that order."""
        ...


class Notes(Protocol):
    """Small facts about the installation that outlive a process."""

    def remember(self, key: str, value: str) -> str:
        """Store `value` under `key` unless something is there already; return what is there."""
        ...

    def hold(self, name: str, owner: str, at: datetime, until: datetime) -> bool:
        """Take or keep the named lock `until` a moment; False while another owner holds it."""
        ...

    def holder(self, name: str, at: datetime) -> str | None:
        """The owner of the named lock, None while it is free."""
        ...


class Store(Intake, Standings, WorkQueue, Workforce, Log, Notes, Protocol):
    """One place that keeps it all."""

    def at_once(self) -> AbstractContextManager[None]:
        """Within it, calls of this thread become durable and seen together, when it ends.

        If it raises, each of them may have been done or not. Within another one it is part of that; a call that raises
        there leaves what was called before it as it is.
        """
        ...
