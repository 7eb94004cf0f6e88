"""What the queue API does: checks a request against everything, then stores it, then says where it got the campaign."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, quantiles
from typing import Any

from features.records import Campaign, Kpi, Signal, Task
from serving.api.answers import Place, Placed, Queue, TasksAdded
from serving.api.bodies import CAMPAIGN, Change, Submission, read
from serving.clock import Clock
from serving.errors import BadInput, CampaignUnknown, Fault, HandlerUnknown
from serving.handlers.python import Handlers
from serving.scheduling.board import Board
from serving.scheduling.ports import Store
from serving.scheduling.states import Event, State, after
from serving.scheduling.tick import Tick

_PATIENCE_S = 10.0
"""How long an answer waits for the scheduler's next step; without it, it lacks position and eta."""


@dataclass(frozen=True)
class Desk:
    """Takes in campaigns, changes and results. Nothing is half-stored: what is refused leaves no trace."""

    store: Store
    tick: Tick
    handlers: Handlers
    clock: Clock

    async def submit(self, submission: Submission) -> tuple[bool, Placed]:
        """Keep a campaign with its tasks; True if it is new, False if it was submitted before with equal content.

        Raises
        ------
        CampaignConflict, BadInput, HandlerUnknown
        """
        self._check_handlers(submission.tasks)
        facts = {name: getattr(submission, name) for name in Campaign.__dataclass_fields__}
        new = self.store.submit(Campaign(**facts), submission.tasks, self.clock.now())
        return new, await self.placed(submission.campaign_id, changed=new)

    async def placed(self, campaign_id: str, *, changed: bool) -> Placed:
        """Where a campaign stands; after a change, as the scheduler sees it then.

        Raises
        ------
        CampaignUnknown
        """
        board = await self._board_after_change() if changed else self.tick.board
        standing = self.store.standing(campaign_id, self.clock.now())
        return Placed.of(standing, board, campaign=standing.campaign)

    async def change(self, campaign_id: str, change: Change) -> Placed:
        """Change facts, boost, pin or pause; what is absent stays.

        Raises
        ------
        CampaignUnknown, IllegalTransition, BadInput
        """
        standing = self.store.standing(campaign_id, self.clock.now())
        event = _pausing(standing.state, change.paused)
        if event is not None:
            after(standing.state, event)  # refuse before anything is stored
        _check_facts(standing.campaign, change.facts)
        self.store.revise(campaign_id, change.facts, boost=change.boost, pinned=change.pin)
        if event is not None:
            self.store.apply(campaign_id, event)
        return await self.placed(campaign_id, changed=True)

    async def cancel(self, campaign_id: str) -> Placed:
        """Cancel a campaign; one that is cancelled stays so.

        Raises
        ------
        CampaignUnknown, IllegalTransition
        """
        cancelled = self.store.standing(campaign_id, self.clock.now()).state is State.CANCELLED
        if not cancelled:
            self.store.apply(campaign_id, Event.CANCEL)
        return await self.placed(campaign_id, changed=not cancelled)

    async def add_tasks(self, campaign_id: str, tasks: Sequence[Task]) -> TasksAdded:
        """Add work to a campaign; tasks that are there already are left as they are.

        Raises
        ------
        CampaignUnknown, IllegalTransition, BadInput, HandlerUnknown
        """
        self._check_handlers(tasks)
        added = self.store.add_tasks(campaign_id, tasks, self.clock.now())
        board = await self._board_after_change()
        standing = self.store.standing(campaign_id, self.clock.now())
        return TasksAdded.of(standing, board, added=added)

    def queue(self, limit: int, account: str | None, state: State | None) -> Queue:
        """Live campaigns in the order work would start, at most `limit`, of one account or state if asked."""
        board = self.tick.board
        found = [
            entry.standing
            for entry in board.entries.values()
            if account in (None, entry.standing.campaign.account) and state in (None, entry.standing.state)
        ]
        return Queue(
            moment=board.moment,
            slots=board.slots,
            by_matrix=board.by_matrix,
            total=len(found),
            campaigns=tuple(Place.of(standing, board) for standing in found[:limit]),
        )

    def observe(self, kpis: Sequence[Kpi] = (), signals: Sequence[Signal] = ()) -> int:
        """Store results and signals; returns how many.

        Raises
        ------
        BadInput
            When a result is of a campaign that was never submitted.
        """
        self._check_known(kpis)
        self.store.observed(kpis=kpis, signals=signals)
        return len(kpis) + len(signals)

    def kpis(self) -> dict[str, Any]:
        """Counts by state, punctuality and latency of what is done. Latency runs from release or submission, hours."""
        now = self.clock.now()
        done = self.store.launched(now)
        live = [standing.state for standing in self.store.live(now).standings]
        due = [(s.launched_at, s.campaign.launch_by) for s in done if s.launched_at and s.campaign.launch_by]
        latency = [
            (s.launched_at - max(s.campaign.released_at, s.submitted_at)).total_seconds() / 3600
            for s in done
            if s.launched_at
        ]
        return {
            "moment": now,
            "live": {state: live.count(state) for state in sorted(set(live))},
            "done": len(done),
            "on_time": sum(launched <= by for launched, by in due) / len(due) if due else None,
            "latency_h": {
                "mean": fmean(latency) if latency else None,
                "p95": quantiles(latency, n=20)[-1] if len(latency) > 1 else None,
            },
            "dead_letters": len(self.store.dead_letters()),
        }

    async def _board_after_change(self) -> Board:
        try:
            return await asyncio.wait_for(self.tick.refreshed(), _PATIENCE_S)
        except TimeoutError:
            return self.tick.board

    def _check_handlers(self, tasks: Sequence[Task]) -> None:
        for number, task in enumerate(tasks):
            if task.handler not in self.handlers.names:
                raise HandlerUnknown(task.handler, self.handlers.names, field=f"tasks[{number}].handler")

    def _check_known(self, kpis: Sequence[Kpi]) -> None:
        first_row = {kpi.campaign_id: row for row, kpi in reversed(list(enumerate(kpis)))}
        unknown = [
            Fault(f"kpis[{row}].campaign_id", campaign_id, "must be a campaign that was submitted here")
            for campaign_id, row in sorted(first_row.items(), key=lambda item: item[1])
            if not self._is_known(campaign_id)
        ]
        if unknown:
            raise BadInput.of(unknown)

    def _is_known(self, campaign_id: str) -> bool:
        try:
            self.store.standing(campaign_id, self.clock.now())
        except CampaignUnknown:
            return False
        return True


def _pausing(state: State, paused: bool | None) -> Event | None:
    """The event that brings a campaign to what is asked, None where it is there already."""
    if paused is None or paused == (state is State.PAUSED):
        return None
    return Event.PAUSE if paused else Event.RESUME


def _check_facts(campaign: Campaign, facts: Mapping[str, Any]) -> None:
    """Refuse facts with which the campaign would not be valid, as strictly as when it was submitted."""
    if not facts:
        return
    try:
        read(CAMPAIGN, json.dumps({**CAMPAIGN.dump_python(campaign, mode="json"), **facts}))
    except BadInput as error:
        faults = [Fault(**{**asdict(f), "field": f"facts.{f.field}"}) for f in error.faults]
        raise BadInput.of(faults) from error
