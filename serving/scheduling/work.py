"""What stores, executors and the scheduler hand each other: standings, leases, forecasts, decisions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from features.records import Campaign, Task
from serving.prediction import Source
from serving.scheduling.progress import Progress
from serving.scheduling.states import Event, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a model expects of one campaign.

    Attributes
    ----------
    value : dollars if live by its start; None when only the matrix could speak.
    points : matrix points, 0-100, whatever the source.
    p50_h, p90_h : slot-hours of the whole campaign, had nothing been done.
    left_p50_h, left_p90_h : slot-hours it still needed when the model was asked.
    done_when_asked : share of its work that was done then, 0-1.
    fallback : None, or why the model did not answer.
    """

    campaign_id: str
    value: float | None
    points: float
    p50_h: float
    p90_h: float
    left_p50_h: float
    left_p90_h: float
    done_when_asked: float
    fallback: str | None = None

    @property
    def work_h(self) -> float:
        """Slot-hours of the whole campaign at the pace predicted for what is left of it."""
        still = 1 - self.done_when_asked
        # Of what was all done, but has got more work since, nothing was said.
        return self.left_p50_h / still if still > 0 else self.p50_h


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """One model's estimates, and the scale on which they become indices and scores.

    Attributes
    ----------
    horizon_h : hours; the index's mean lookahead.
    index_quantiles : rising reference indices, $ per slot-hour; empty when there is no bundle.
    rhythm : rates of the market's rhythm, see `features.rhythm.Rhythm`; empty for an even one.
    """

    model_version: str | None
    source: Source
    horizon_h: float
    index_quantiles: tuple[float, ...]
    estimates: tuple[Estimate, ...]
    rhythm: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one campaign stands.

    Attributes
    ----------
    campaign : as declared, with the facts changed since.
    revision : how often its facts were changed.
    estimate : None until a model was asked.
    estimated_at : None also when facts changed since, so that it is asked again.
    blocked_by : predecessors that are not done, with their state; None for one never submitted.
    backing_off, retry_at : queued tasks that may not run yet, and when the first of them may; as of the reading.
    begun_at : when it first got a slot.
    ready_since : when it last became ready; None while it never was.
    worked_at : when it last held a slot that it gave back, whatever became of the task.
    """

    campaign: Campaign
    state: State
    submitted_at: datetime
    revision: int = 0
    boost: float = 1.0
    pinned: bool = False
    estimate: Estimate | None = None
    estimated_at: datetime | None = None
    model_version: str | None = None
    source: str | None = None
    score: float | None = None
    preemptions: int = 0
    progress: Progress = field(default_factory=Progress)
    backing_off: int = 0
    retry_at: datetime | None = None
    begun_at: datetime | None = None
    ready_since: datetime | None = None
    worked_at: datetime | None = None
    launched_at: datetime | None = None
    blocked_by: tuple[tuple[str, State | None], ...] = ()

    @property
    def campaign_id(self) -> str:
        """The campaign's id."""
        return self.campaign.campaign_id


@dataclass(frozen=True, slots=True)
class Seen:
    """Standings as one reading found them, and the highest mark there was by then."""

    standings: list[Standing]
    mark: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was taken in and is not over: live campaigns, and the tasks of theirs that are neither done nor dead."""

    campaigns: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Want:
    """Up to so many tasks of a campaign; with `one_chunk`, each lease is given back at its first checkpoint."""

    campaign_id: str
    tasks: int
    one_chunk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on a task until a moment.

    `fence` grows with every lease of the task: whoever holds an older one is refused.

    Attributes
    ----------
    key : the store's own name for the task.
    checkpoint, units_done, chunk : where the work goes on; the state last stored, units and checkpoints so far.
    attempts : failed attempts at this chunk.
    enqueued_at, chunk_from : when the task last joined the queue, and when this chunk began.
    one_chunk : its holder stops at the first checkpoint, so that a limit can be looked at before every chunk.
    """

    lease_id: str
    key: int
    fence: int
    task: Task
    checkpoint: Any
    units_done: float
    chunk: int
    attempts: int
    enqueued_at: datetime
    chunk_from: datetime
    until: datetime
    one_chunk: bool = False

    def advanced(self, checkpoint: Any, units_done: float, at: datetime, until: datetime) -> Lease:
        """The lease after a chunk: progress never goes back, nor past the task's units.

        The same checkpoint once more is no progress, so failed attempts count on: a handler that fails right after
        repeating itself would else be tried for ever.

        Raises
        ------
        TypeError
            When JSON cannot hold the checkpoint.
        """
        checkpoint = storable(checkpoint)
        done = min(max(units_done, self.units_done), self.task.units)
        progress = done > self.units_done or checkpoint != self.checkpoint
        return replace(
            self,
            checkpoint=checkpoint,
            units_done=done,
            chunk=self.chunk + 1,
            attempts=0 if progress else self.attempts,
            chunk_from=at,
            until=until,
        )


def storable(state: Any) -> Any:
    """A checkpoint's state as JSON will give it back.

    Raises
    ------
    TypeError
        When JSON cannot hold it.
    """
    return json.loads(json.dumps(state))


@dataclass(frozen=True, slots=True)
class Reached:
    """The task reached a checkpoint and goes on; `units_done` are those of the task, over all its chunks."""

    state: Any
    units_done: float


@dataclass(frozen=True, slots=True)
class Completed:
    """The task is done."""


@dataclass(frozen=True, slots=True)
class Released:
    """The task stopped at its last checkpoint and goes back to the queue.

    `preempted` when it gave way to another campaign, rather than to a pause or a shutdown.
    """

    preempted: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed: again at `retry_at`, or never (a dead letter) when that is None.

    `counts` towards the attempts; not so when the handler was merely told to come back later.
    """

    error: str
    retry_at: datetime | None
    counts: bool = True


Outcome = Completed | Released | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A task that failed for good, with what it failed of."""

    campaign_id: str
    task_id: str
    error: str
    attempts: int
    died_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A campaign's change of state, refused if it is in another state by now."""

    campaign_id: str
    before: State
    event: Event
    launched_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the scheduler chose for a campaign, on which grounds.

    Attributes
    ----------
    chosen : `start` a task, `yield` at the next checkpoint, or let the campaign `expire`.
    index : $ lost per slot-hour of capacity if deferred; None when ranked by the matrix.
    rank : position among the contenders, 1 first; None for a campaign that does not contend.
    """

    campaign_id: str
    at: datetime
    chosen: Literal["start", "yield", "expire"]
    reason: str
    model_version: str | None = None
    source: str | None = None
    value: float | None = None
    processing_h: float | None = None
    index: float | None = None
    score: float | None = None
    rank: int | None = None
