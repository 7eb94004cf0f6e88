"""What the store in memory holds.

These records are changed in place and never leave the store: a simulation runs millions of dispatches on them, and
counters kept as tasks change spare it from counting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from threading import RLock
from typing import Any

from features.records import Campaign, Kpi, Task
from serving.errors import CampaignUnknown
from serving.scheduling.ports import LogTable, Worker
from serving.scheduling.states import LIVE, State
from serving.scheduling.work import Estimate, Lease
from serving.stores.lifecycle import TaskState


@dataclass(slots=True, eq=False)
class KeptTask:
    """A task and where it stands; `chunk_from`, `owner`, `until` and `one_chunk` speak of its latest lease.

    Attributes
    ----------
    waits_for : ids of the tasks it follows that are not done.
    """

    key: int
    task: Task
    state: TaskState
    enqueued_at: datetime
    chunk_from: datetime
    until: datetime
    waits_for: set[str]
    checkpoint: Any = None
    units_done: float = 0.0
    chunk: int = 0
    attempts: int = 0
    not_before: datetime | None = None
    fence: int = 0
    owner: str | None = None
    one_chunk: bool = False
    error: str | None = None
    ended_at: datetime | None = None

    def lease(self) -> Lease:
        """The lease that its holder has."""
        return Lease(
            lease_id=f"{self.key}.{self.fence}",
            key=self.key,
            fence=self.fence,
            task=self.task,
            checkpoint=self.checkpoint,
            units_done=self.units_done,
            chunk=self.chunk,
            attempts=self.attempts,
            enqueued_at=self.enqueued_at,
            chunk_from=self.chunk_from,
            until=self.until,
            one_chunk=self.one_chunk,
        )


@dataclass(slots=True, eq=False)
class KeptCampaign:
    """A campaign, where it stands, and its tasks.

    Attributes
    ----------
    content : fingerprint of what was first submitted.
    line : a heap of the keys of queued tasks that may run.
    backing_off : moments from which other queued tasks may run, by key.
    successors : tasks that follow one of that id.
    """

    number: int
    campaign: Campaign
    content: str
    submitted_at: datetime
    state: State = State.SUBMITTED
    revision: int = 0
    boost: float = 1.0
    pinned: bool = False
    estimate: Estimate | None = None
    estimated_at: datetime | None = None
    model_version: str | None = None
    source: str | None = None
    score: float | None = None
    preemptions: int = 0
    units: float = 0.0
    units_done: float = 0.0
    chunks_done: int = 0
    spent_s: float = 0.0
    queued: int = 0
    leased: int = 0
    done: int = 0
    dead: int = 0
    begun_at: datetime | None = None
    ready_since: datetime | None = None
    worked_at: datetime | None = None
    launched_at: datetime | None = None
    tasks: dict[str, KeptTask] = field(default_factory=dict)
    line: list[int] = field(default_factory=list)
    backing_off: dict[int, datetime] = field(default_factory=dict)
    successors: dict[str, list[KeptTask]] = field(default_factory=dict)

    def queue(self, task: KeptTask, at: datetime, not_before: datetime | None = None) -> None:
        """Put a task in line; the counters are the caller's."""
        task.state, task.enqueued_at, task.not_before = TaskState.QUEUED, at, not_before
        if not_before is None:
            heappush(self.line, task.key)
        else:
            self.backing_off[task.key] = not_before

    def next_up(self, at: datetime) -> Iterator[int]:
        """Take queued tasks that may run out of the line, oldest first."""
        due = sorted((key for key, again in self.backing_off.items() if again <= at), reverse=True)
        while self.line or due:
            if due and (not self.line or due[-1] < self.line[0]):
                key = due.pop()
                del self.backing_off[key]
                yield key
            else:
                yield heappop(self.line)


@dataclass(slots=True)
class Memory:
    """All of it.

    Attributes
    ----------
    live : the campaigns that may still lead to work.
    tasks, leased : by key.
    marked : the mark of each campaign, in the order of the marks.
    followers : ids of the campaigns that follow one, which need not be submitted yet.
    """

    campaigns: dict[str, KeptCampaign] = field(default_factory=dict)
    live: dict[str, KeptCampaign] = field(default_factory=dict)
    tasks: dict[int, KeptTask] = field(default_factory=dict)
    leased: dict[int, KeptTask] = field(default_factory=dict)
    mark: int = 0
    marked: dict[str, int] = field(default_factory=dict)
    followers: dict[str, set[str]] = field(default_factory=dict)
    logs: dict[LogTable, list[dict[str, Any]]] = field(default_factory=dict)
    results: set[Kpi] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    locks: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)

    def known(self, campaign_id: str) -> KeptCampaign:
        """A campaign.

        Raises
        ------
        CampaignUnknown
            When it was never submitted.
        """
        try:
            return self.campaigns[campaign_id]
        except KeyError:
            raise CampaignUnknown(campaign_id) from None

    def touch(self, campaign_ids: Iterable[str]) -> None:
        """Mark campaigns as changed by this call."""
        for campaign_id in campaign_ids:
            self.marked.pop(campaign_id, None)
            self.marked[campaign_id] = self.mark

    def enter(self, kept: KeptCampaign, state: State) -> None:
        """Put a campaign into a state, and tell its followers when it ends, or no longer has."""
        own, was, kept.state = kept.campaign.campaign_id, kept.state, state
        self.touch([own])
        if (was in LIVE) != (state in LIVE):
            self.touch(name for name in self.followers.get(own, ()) if name in self.campaigns)
            if state in LIVE:
                self.live[own] = kept
            else:
                del self.live[own]

    def log(self, table: LogTable, rows: Iterable[dict[str, Any]]) -> None:
        """Add rows, numbered from 1."""
        kept = self.logs.setdefault(table, [])
        for row in rows:
            row["id"] = len(kept) + 1
            kept.append(row)


class InMemory:
    """A part of the store; all parts share one memory.

    Each method takes the lock, and checks all it must before it changes anything.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
