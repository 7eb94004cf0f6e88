"""The store in memory: for tests, and for a scheduler whose work need not outlive its process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from features.records import Campaign, Kpi, Signal, Task
from serving.errors import CampaignConflict, CampaignUnknown, IllegalTransition
from serving.scheduling.ports import LogTable
from serving.scheduling.states import LIVE, Event, State, after
from serving.scheduling.work import DeadLetter, Decision, Forecast, Move, Standing
from serving.stores.admission import (
    check_boost,
    check_order,
    check_submission,
    check_tasks,
    content,
    new_tasks,
    revised,
)
from serving.stores.lifecycle import TaskState
from serving.stores.memory_queue import InMemory, KeptTask, Memory, MemoryQueue

_ENDS = (Event.FINISH, Event.FAIL)


class MemoryIntake(InMemory):
    """Keeps the promises of `Intake`."""

    def submit(self, campaign: Campaign, tasks: Sequence[Task], at: datetime) -> bool:
        """Keep a campaign with its tasks; see `Intake.submit`."""
        own, fingerprint = campaign.campaign_id, content(campaign, tasks)
        with self._memory.lock:
            known = self._memory.content.get(own)
            if known is not None:
                if known != fingerprint:
                    raise CampaignConflict(own)
                return False
            check_submission(campaign, tasks, self._after)
            self._memory.content[own] = fingerprint
            self._memory.standings[own] = Standing(campaign=campaign, state=State.SUBMITTED, submitted_at=at)
            self._memory.tasks[own] = {}
            self._keep_tasks(own, tasks, at)
        return True

    def add_tasks(self, campaign_id: str, tasks: Sequence[Task], at: datetime) -> int:
        """Add tasks; see `Intake.add_tasks`."""
        with self._memory.lock:
            state = self._known(campaign_id).state
            if state not in LIVE:
                raise IllegalTransition(state, "take more tasks", ())
            there = {name: kept.task for name, kept in self._memory.tasks[campaign_id].items()}
            fresh = new_tasks(tasks, there)
            check_tasks(campaign_id, fresh, there)
            self._keep_tasks(campaign_id, fresh, at)
        return len(fresh)

    def revise(
        self, campaign_id: str, facts: Mapping[str, Any], *, boost: float | None = None, pinned: bool | None = None
    ) -> None:
        """Change facts, boost or pin; see `Intake.revise`."""
        with self._memory.lock:
            standing = self._known(campaign_id)
            if standing.state not in LIVE:
                raise IllegalTransition(standing.state, "change", ())
            if facts:
                campaign = revised(standing.campaign, facts)
                check_order(campaign, self._after)
                standing = replace(standing, campaign=campaign, revision=standing.revision + 1, estimated_at=None)
            if boost is not None:
                check_boost(boost)
                standing = replace(standing, boost=boost)
            if pinned is not None:
                standing = replace(standing, pinned=pinned)
            self._memory.standings[campaign_id] = standing

    def apply(self, campaign_id: str, event: Event) -> None:
        """Pause, resume or cancel; see `Intake.apply`."""
        with self._memory.lock:
            standing = self._known(campaign_id)
            self._memory.standings[campaign_id] = replace(standing, state=after(standing.state, event))

    def _known(self, campaign_id: str) -> Standing:
        try:
            return self._memory.standings[campaign_id]
        except KeyError:
            raise CampaignUnknown(campaign_id) from None

    def _after(self, campaign_id: str) -> tuple[str, ...]:
        standing = self._memory.standings.get(campaign_id)
        return () if standing is None else standing.campaign.after

    def _keep_tasks(self, campaign_id: str, fresh: Sequence[Task], at: datetime) -> None:
        kept = self._memory.tasks[campaign_id]
        done = {name for name, task in kept.items() if task.state is TaskState.DONE}
        for task in fresh:
            self._memory.keys += 1
            state = TaskState.QUEUED if done.issuperset(task.after) else TaskState.WAITING
            kept[task.task_id] = KeptTask(
                key=self._memory.keys, task=task, state=state, enqueued_at=at, chunk_from=at, until=at
            )


class MemoryStandings(InMemory):
    """Keeps the promises of `Standings`."""

    def live(self, at: datetime) -> list[Standing]:
        """Campaigns that may still lead to work; see `Standings.live`."""
        with self._memory.lock:
            return [self._shown(s, at) for s in self._memory.standings.values() if s.state in LIVE]

    def launched(self, at: datetime) -> list[Standing]:
        """Campaigns that are done; see `Log.launched`."""
        with self._memory.lock:
            return [self._shown(s, at) for s in self._memory.standings.values() if s.state is State.DONE]

    def standing(self, campaign_id: str, at: datetime) -> Standing:
        """Where a campaign stands; see `Standings.standing`."""
        with self._memory.lock:
            if campaign_id not in self._memory.standings:
                raise CampaignUnknown(campaign_id)
            return self._shown(self._memory.standings[campaign_id], at)

    def estimated(
        self, asked: Sequence[Standing], forecast: Forecast, scores: Sequence[float | None], at: datetime
    ) -> None:
        """Keep estimates and scores; see `Standings.estimated`."""
        with self._memory.lock:
            for was, estimate, score in zip(asked, forecast.estimates, scores, strict=True):
                now = self._memory.standings[was.campaign_id]
                if now.revision == was.revision:
                    self._memory.standings[was.campaign_id] = replace(
                        now,
                        estimate=estimate,
                        score=score,
                        estimated_at=at,
                        model_version=forecast.model_version,
                        source=forecast.source,
                    )

    def move(self, moves: Iterable[Move]) -> int:
        """Carry out changes of state; see `Standings.move`."""
        done = 0
        with self._memory.lock:
            for move in moves:
                now = self._memory.standings[move.campaign_id]
                progress = self._memory.progress(move.campaign_id)
                # Work added since the scheduler looked must not be lost.
                early = move.event in _ENDS and progress.queued + progress.leased > 0
                if now.state is move.before and not early:
                    launched = move.launched_at or now.launched_at
                    state = after(move.before, move.event)
                    self._memory.standings[move.campaign_id] = replace(now, state=state, launched_at=launched)
                    done += 1
        return done

    def _shown(self, standing: Standing, at: datetime) -> Standing:
        """The standing with what is worked out from tasks and predecessors."""
        own = standing.campaign_id
        waits = [
            t.not_before for t in self._memory.tasks[own].values() if t.not_before is not None and t.not_before > at
        ]
        blocked = []
        for name in sorted(set(standing.campaign.after)):
            predecessor = self._memory.standings.get(name)
            state = None if predecessor is None else predecessor.state
            if state is not State.DONE:
                blocked.append((name, state))
        return replace(
            standing,
            progress=self._memory.progress(own),
            backing_off=len(waits),
            retry_at=min(waits, default=None),
            blocked_by=tuple(blocked),
        )


class MemoryLog(InMemory):
    """Keeps the promises of `Log` and `Notes`."""

    def decided(self, decisions: Sequence[Decision]) -> None:
        """Add decisions."""
        with self._memory.lock:
            self._memory.log("decisions", [asdict(decision) for decision in decisions])

    def observed(self, kpis: Sequence[Kpi] = (), signals: Sequence[Signal] = ()) -> None:
        """Add results and signals."""
        with self._memory.lock:
            self._memory.log("kpis", [asdict(kpi) for kpi in kpis])
            self._memory.log("signals", [asdict(signal) for signal in signals])

    def rows(self, table: LogTable, since: int = 0) -> list[dict[str, Any]]:
        """Rows of a log table; see `Log.rows`."""
        with self._memory.lock:
            return [dict(row) for row in self._memory.logs.get(table, [])[since:]]

    def dead_letters(self) -> list[DeadLetter]:
        """Tasks that failed for good; see `Log.dead_letters`."""
        with self._memory.lock:
            dead = [t for kept in self._memory.tasks.values() for t in kept.values() if t.state is TaskState.DEAD]
        letters = [
            DeadLetter(
                campaign_id=t.task.campaign_id,
                task_id=t.task.task_id,
                error=t.error or "",
                attempts=t.attempts,
                died_at=t.ended_at or t.enqueued_at,
            )
            for t in sorted(dead, key=lambda t: t.key)
        ]
        return sorted(letters, key=lambda letter: letter.died_at)

    def remember(self, key: str, value: str) -> str:
        """Store a note unless there is one; see `Notes.remember`."""
        with self._memory.lock:
            return self._memory.notes.setdefault(key, value)

    def hold(self, name: str, owner: str, at: datetime, until: datetime) -> bool:
        """Take or keep a lock; see `Notes.hold`."""
        with self._memory.lock:
            holder, held_until = self._memory.locks.get(name, (owner, at))
            free = holder == owner or held_until <= at
            if free:
                self._memory.locks[name] = (owner, until)
            return free


class MemoryStore(MemoryIntake, MemoryStandings, MemoryQueue, MemoryLog):
    """Keeps everything in this process; safe to share between its threads."""

    def __init__(self) -> None:
        super().__init__(Memory())
