"""What owners do to their campaigns, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from features.records import Campaign, Task
from serving.errors import BadInput, CampaignConflict, IllegalTransition
from serving.scheduling.states import LIVE, Event, after
from serving.scheduling.work import Backlog
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
from serving.stores.memory_state import InMemory, KeptCampaign, KeptTask


class MemoryIntake(InMemory):
    """Keeps the promises of `Intake`."""

    def submit(self, campaign: Campaign, tasks: Sequence[Task], at: datetime) -> bool:
        """Keep a campaign with its tasks; see `Intake.submit`."""
        own, fingerprint = campaign.campaign_id, content(campaign, tasks)
        with self._memory.lock:
            known = self._memory.campaigns.get(own)
            if known is not None:
                if known.content != fingerprint:
                    raise CampaignConflict(own)
                return False
            check_submission(campaign, tasks, self._after)
            self._memory.mark += 1
            kept = KeptCampaign(len(self._memory.campaigns) + 1, campaign, fingerprint, at)
            self._memory.campaigns[own] = self._memory.live[own] = kept
            self._follow(campaign)
            self._keep_tasks(kept, tasks, at)
            self._memory.touch([own, *(n for n in self._memory.followers.get(own, ()) if n in self._memory.campaigns)])
        return True

    def add_tasks(self, campaign_id: str, tasks: Sequence[Task], at: datetime) -> int:
        """Add tasks; see `Intake.add_tasks`."""
        with self._memory.lock:
            kept = self._memory.known(campaign_id)
            if kept.state not in LIVE:
                raise IllegalTransition(kept.state, "take more tasks", ())
            there = {name: task.task for name, task in kept.tasks.items()}
            fresh = new_tasks(tasks, there)
            check_tasks(campaign_id, fresh, there)
            if fresh:
                self._memory.mark += 1
                self._keep_tasks(kept, fresh, at)
                self._memory.touch([campaign_id])
        return len(fresh)

    def revise(
        self, campaign_id: str, facts: Mapping[str, Any], *, boost: float | None = None, pinned: bool | None = None
    ) -> None:
        """Change facts, boost or pin; see `Intake.revise`."""
        with self._memory.lock:
            kept = self._memory.known(campaign_id)
            if kept.state not in LIVE:
                raise IllegalTransition(kept.state, "change", ())
            if boost is not None:
                check_boost(boost)
            if facts:
                campaign = revised(kept.campaign, facts)
                check_order(campaign, self._after)
                for name in kept.campaign.after:
                    self._memory.followers[name].discard(campaign_id)
                self._follow(campaign)
                kept.campaign, kept.revision, kept.estimated_at = campaign, kept.revision + 1, None
            kept.boost = kept.boost if boost is None else boost
            kept.pinned = kept.pinned if pinned is None else pinned
            self._memory.mark += 1
            self._memory.touch([campaign_id])

    def apply(self, campaign_id: str, event: Event) -> None:
        """Pause, resume or cancel; see `Intake.apply`."""
        with self._memory.lock:
            kept = self._memory.known(campaign_id)
            state = after(kept.state, event)
            self._memory.mark += 1
            self._memory.enter(kept, state)

    def redrive(self, campaign_id: str, task_ids: Collection[str] | None, at: datetime) -> int:
        """Put dead letters back in the queue; see `Intake.redrive`."""
        with self._memory.lock:
            kept = self._memory.known(campaign_id)
            state = kept.state if kept.state in LIVE else after(kept.state, Event.REDRIVE)
            dead = {name: task for name, task in kept.tasks.items() if task.state is TaskState.DEAD}
            for name in task_ids or ():
                if name not in dead:
                    raise BadInput("task_ids", name, f"must name dead letters of campaign {campaign_id!r}")
            chosen = [dead[name] for name in (dead if task_ids is None else set(task_ids))]
            if chosen:
                for task in chosen:
                    task.attempts, task.error, task.ended_at = 0, None, None
                    kept.queue(task, at)
                kept.dead -= len(chosen)
                kept.queued += len(chosen)
                self._memory.mark += 1
                self._memory.enter(kept, state)
        return len(chosen)

    def backlog(self) -> Backlog:
        """How much is there that is not over; see `Intake.backlog`."""
        with self._memory.lock:
            live = self._memory.live.values()
            return Backlog(len(live), sum(len(kept.tasks) - kept.done - kept.dead for kept in live))

    def _after(self, campaign_id: str) -> tuple[str, ...]:
        kept = self._memory.campaigns.get(campaign_id)
        return () if kept is None else kept.campaign.after

    def _follow(self, campaign: Campaign) -> None:
        for name in campaign.after:
            self._memory.followers.setdefault(name, set()).add(campaign.campaign_id)

    def _keep_tasks(self, kept: KeptCampaign, fresh: Sequence[Task], at: datetime) -> None:
        done = {name for name, task in kept.tasks.items() if task.state is TaskState.DONE}
        for task in fresh:
            key = len(self._memory.tasks) + 1
            mine = KeptTask(key, task, TaskState.WAITING, at, at, at, set(task.after) - done)
            self._memory.tasks[key] = kept.tasks[task.task_id] = mine
            for name in mine.waits_for:
                kept.successors.setdefault(name, []).append(mine)
            if not mine.waits_for:
                kept.queue(mine, at)
                kept.queued += 1
            kept.units += task.units
