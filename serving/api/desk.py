"""What the queue API does: checks a request against everything, then stores it, then says where it got the campaign."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from statistics import fmean, quantiles
from typing import Any

from features.records import Campaign, Kpi, Signal, Task
from serving.api.admission import Admission
from serving.api.answers import DeadLetters, DeadTask, Place, Placed, Queue, Redriven, TasksAdded
from serving.api.bodies import Change, Submission
from serving.api.checks import check_tasks, with_facts
from serving.api.supposing import Supposing
from serving.api.together import Together
from serving.clock import Clock
from serving.errors import BadInput, CampaignUnknown, Fault, NothingDead, NotReady, TooMuch
from serving.handlers.python import Handlers
from serving.predictor import RemotePredictor
from serving.scheduling.board import Board
from serving.scheduling.ports import Store
from serving.scheduling.states import LIVE, Event, State, after
from serving.scheduling.tick import Tick

_PATIENCE_S, _PREDICTION_PATIENCE_S = 10.0, 2.0
"""How long an answer waits for the scheduler's next step, and for a prediction: it lacks what does not come."""

_PATIENT_STEPS = 3
"""Steps that may break off in a row before the scheduler says that it is not ready."""


@dataclass(frozen=True)
class Desk:
    """Takes in campaigns, changes and results. Nothing is half-stored: what is refused leaves no trace."""

    store: Store
    tick: Tick
    handlers: Handlers
    clock: Clock
    admission: Admission
    supposing: Supposing
    predictor: RemotePredictor

    async def submit(self, submission: Submission) -> tuple[bool, Placed]:
        """Keep a campaign with its tasks; True if it is new, False if it was submitted before with equal content.

        Raises
        ------
        CampaignConflict, BadInput, HandlerUnknown
        QueueFull, SubmittedTooFast
            Not for one that was submitted before: asking again is always answered.
        """
        check_tasks(submission.tasks, self.handlers)
        new = await self._together(lambda: self._submit(submission))
        return new, await self.placed(submission.campaign_id, changed=new)

    @cached_property
    def _together(self) -> Together:
        return Together(self.store)

    def _submit(self, submission: Submission) -> bool:
        campaign_id, account, tasks = submission.campaign_id, submission.account, len(submission.tasks)
        at = self.clock.now()
        refusal = self._full(at, campaigns=1, tasks=tasks) or self.admission.hasty(account, at)
        if refusal is not None and not self._is_known(campaign_id):
            raise refusal
        facts = {name: getattr(submission, name) for name in Campaign.__dataclass_fields__}
        new = self.store.submit(Campaign(**facts), submission.tasks, at)
        if new:
            self.admission.admitted(account, at, campaigns=1, tasks=tasks)
        return new

    async def placed(self, campaign_id: str, *, changed: bool) -> Placed:
        """Where a campaign stands; after a change, as the scheduler sees it then.

        Raises
        ------
        CampaignUnknown
        """
        board = await self._board_after_change(campaign_id) if changed else self.tick.board
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
        with_facts(standing.campaign, change.facts)  # refuses what would not be valid
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
        CampaignUnknown, IllegalTransition, BadInput, HandlerUnknown, QueueFull
        """
        check_tasks(tasks, self.handlers)
        at = self.clock.now()
        account = self.store.standing(campaign_id, at).campaign.account
        refusal = self._full(at, campaigns=0, tasks=len(tasks))
        if refusal is not None:
            raise refusal
        added = self.store.add_tasks(campaign_id, tasks, at)
        self.admission.admitted(account, at, campaigns=0, tasks=added)
        board = await self._board_after_change(campaign_id)
        standing = self.store.standing(campaign_id, self.clock.now())
        return TasksAdded.of(standing, board, added=added)

    def dead_letters(self, campaign_id: str | None, limit: int) -> DeadLetters:
        """Tasks that failed for good, oldest first, at most `limit`, of one campaign if asked.

        Raises
        ------
        CampaignUnknown
        """
        if campaign_id is not None:
            self.store.standing(campaign_id, self.clock.now())
        found = [letter for letter in self.store.dead_letters() if campaign_id in (None, letter.campaign_id)]
        return DeadLetters(total=len(found), dead_letters=tuple(DeadTask(**asdict(letter)) for letter in found[:limit]))

    async def redrive(self, campaign_id: str, task_ids: Collection[str] | None) -> Redriven:
        """Queue dead letters again, all of the campaign's for None.

        Raises
        ------
        CampaignUnknown, IllegalTransition, NothingDead, BadInput
        """
        at = self.clock.now()
        if self.store.standing(campaign_id, at).progress.dead == 0:
            raise NothingDead(campaign_id)
        redriven = self.store.redrive(campaign_id, task_ids, at)
        await self._board_after_change(campaign_id)
        return Redriven(campaign_id=campaign_id, redriven=redriven)

    def readiness(self) -> str:
        """What those who operate it want to know beside that it is ready.

        Raises
        ------
        NotReady
        """
        failing, failure = self.tick.failing, self.tick.failure
        if failing >= _PATIENT_STEPS:
            reason = f"{type(failure).__name__}: {str(failure).partition(chr(10))[0]}"
            raise NotReady(
                f"the scheduler's last {failing} steps broke off, the last with {reason}: its log has it in full",
                failing=failing,
            )
        stands_by = "" if self.tick.leads else "; stands by for another scheduler, which leads"
        return f"prediction API: {self.predictor.state}{stands_by}"

    def queue(self, limit: int, account: str | None, state: State | None) -> Queue:
        """Live campaigns in the order work would start, at most `limit`, of one account or state if asked."""
        board = self.tick.board
        in_line = (board.standings[row] for row in board.line)
        found = [s for s in in_line if account in (None, s.campaign.account) and state in (None, s.state)]
        return Queue(
            moment=board.moment,
            slots=board.slots,
            by_matrix=board.by_matrix,
            total=len(found),
            campaigns=tuple(Place.of(standing, board) for standing in found[:limit]),
        )

    def observe(self, kpis: Sequence[Kpi] = (), signals: Sequence[Signal] = ()) -> int:
        """Store results and signals; returns how many were new.

        Raises
        ------
        BadInput
            When a result is of a campaign that was never submitted.
        """
        self._check_known(kpis)
        return self.store.observed(kpis=kpis, signals=signals)

    def kpis(self) -> dict[str, Any]:
        """Counts by state, punctuality and latency of what is done. Latency runs from release or submission, hours."""
        now = self.clock.now()
        done = self.store.launched(now)
        live = [standing.state for standing in self.store.live(now).standings if standing.state in LIVE]
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

    async def _board_after_change(self, campaign_id: str) -> Board:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                board = await self.tick.refreshed()
            async with asyncio.timeout(_PREDICTION_PATIENCE_S):
                while (entry := board.entry(campaign_id)) is not None and entry.standing.estimate is None:
                    board = await self.tick.refreshed(at_once=False)
        self.tick.foresee(campaign_id)
        return self.tick.board

    def _full(self, at: datetime, *, campaigns: int, tasks: int) -> TooMuch | None:
        """Why there is no room for so many more; None if there is.

        Raises
        ------
        BadInput
            When there never will be.
        """
        most = self.admission.bounds.queued_tasks
        if tasks > most:
            raise BadInput("tasks", tasks, f"must be at most {most} (most_queued_tasks)")
        return self.admission.full(at, campaigns=campaigns, tasks=tasks)

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
