"""The clients of the queue API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from features.records import Campaign, Kpi, Signal, Task
from serving.api.answers import DeadLetters, Place, Placed, Queue, Supposed, TasksAdded
from serving.api.bodies import Change
from serving.client import queue_calls as calls
from serving.client.calls import MOST_WAITS, TIMEOUT_S, AsyncCaller, Caller

_TIMEOUT_S = 3 * TIMEOUT_S


class QueueClient(Caller):
    """The queue API. Submitting again is safe: equal content is one campaign.

    A call that the service refuses for now waits as long as it is asked to (five times, a minute each, at most).
    """

    def __init__(self, url: str, timeout_s: float = _TIMEOUT_S, token: str | None = None) -> None:
        super().__init__(url, timeout_s, token, waits=MOST_WAITS)

    def submit(self, campaign: Campaign, tasks: Sequence[Task]) -> Placed:
        """Submit a campaign with its tasks."""
        return self._made(calls.submit(campaign, tasks))

    def submit_document(self, document: Mapping[str, Any]) -> Placed:
        """Submit a campaign as JSON spells it, `tasks` included; the service validates it."""
        return self._made(calls.submit_document(document))

    def campaign(self, campaign_id: str) -> Placed:
        """Where a campaign stands."""
        return self._made(calls.campaign(campaign_id))

    def change(
        self,
        campaign_id: str,
        *,
        facts: Mapping[str, Any] | None = None,
        boost: float | None = None,
        pin: bool | None = None,
        paused: bool | None = None,
    ) -> Placed:
        """Change facts, boost, pin or pause; what is None stays."""
        return self._made(calls.change(campaign_id, facts=facts, boost=boost, pin=pin, paused=paused))

    def add_tasks(self, campaign_id: str, tasks: Sequence[Task]) -> TasksAdded:
        """Add work to a campaign."""
        return self._made(calls.add_tasks(campaign_id, tasks))

    def cancel(self, campaign_id: str) -> Placed:
        """Cancel a campaign."""
        return self._made(calls.cancel(campaign_id))

    def why(self, campaign_id: str) -> Place:
        """Why a campaign is not running, its position and when it will be done."""
        return self._made(calls.why(campaign_id))

    def queue(self, *, limit: int = 100, account: str | None = None, state: str | None = None) -> Queue:
        """Live campaigns in the order work would start."""
        return self._made(calls.queue(limit, account, state))

    def what_if(self, campaign: Campaign | None = None, changes: Mapping[str, Change] | None = None) -> Supposed:
        """Where a campaign that is not there would stand, or how changes would move those that are."""
        return self._made(calls.what_if(campaign, changes))

    def dead_letters(self, campaign_id: str | None = None, *, limit: int = 100) -> DeadLetters:
        """Tasks that failed for good, oldest first."""
        return self._made(calls.dead_letters(campaign_id, limit))

    def redrive(self, campaign_id: str, task_ids: Sequence[str] | None = None) -> int:
        """Queue dead letters again, all of the campaign's for None; returns how many."""
        return self._made(calls.redrive(campaign_id, task_ids)).redriven

    def observe(self, kpis: Sequence[Kpi]) -> int:
        """Report results; returns how many were stored, which leaves out those that were there."""
        return self._made(calls.observe(kpis)).stored

    def signal(self, signals: Sequence[Signal]) -> int:
        """Report signals; returns how many were stored."""
        return self._made(calls.signal(signals)).stored

    def kpis(self) -> dict[str, Any]:
        """The table of counts, punctuality and latency."""
        return self._made(calls.KPIS)


class AsyncQueueClient(AsyncCaller):
    """The same for callers with an event loop."""

    def __init__(self, url: str, timeout_s: float = _TIMEOUT_S, token: str | None = None) -> None:
        super().__init__(url, timeout_s, token, waits=MOST_WAITS)

    async def submit(self, campaign: Campaign, tasks: Sequence[Task]) -> Placed:
        """Submit a campaign with its tasks."""
        return await self._made(calls.submit(campaign, tasks))

    async def submit_document(self, document: Mapping[str, Any]) -> Placed:
        """Submit a campaign as JSON spells it, `tasks` included; the service validates it."""
        return await self._made(calls.submit_document(document))

    async def campaign(self, campaign_id: str) -> Placed:
        """Where a campaign stands."""
        return await self._made(calls.campaign(campaign_id))

    async def change(
        self,
        campaign_id: str,
        *,
        facts: Mapping[str, Any] | None = None,
        boost: float | None = None,
        pin: bool | None = None,
        paused: bool | None = None,
    ) -> Placed:
        """Change facts, boost, pin or pause; what is None stays."""
        return await self._made(calls.change(campaign_id, facts=facts, boost=boost, pin=pin, paused=paused))

    async def add_tasks(self, campaign_id: str, tasks: Sequence[Task]) -> TasksAdded:
        """Add work to a campaign."""
        return await self._made(calls.add_tasks(campaign_id, tasks))

    async def cancel(self, campaign_id: str) -> Placed:
        """Cancel a campaign."""
        return await self._made(calls.cancel(campaign_id))

    async def why(self, campaign_id: str) -> Place:
        """Why a campaign is not running, its position and when it will be done."""
        return await self._made(calls.why(campaign_id))

    async def queue(self, *, limit: int = 100, account: str | None = None, state: str | None = None) -> Queue:
        """Live campaigns in the order work would start."""
        return await self._made(calls.queue(limit, account, state))

    async def what_if(self, campaign: Campaign | None = None, changes: Mapping[str, Change] | None = None) -> Supposed:
        """Where a campaign that is not there would stand, or how changes would move those that are."""
        return await self._made(calls.what_if(campaign, changes))

    async def dead_letters(self, campaign_id: str | None = None, *, limit: int = 100) -> DeadLetters:
        """Tasks that failed for good, oldest first."""
        return await self._made(calls.dead_letters(campaign_id, limit))

    async def redrive(self, campaign_id: str, task_ids: Sequence[str] | None = None) -> int:
        """Queue dead letters again, all of the campaign's for None; returns how many."""
        return (await self._made(calls.redrive(campaign_id, task_ids))).redriven

    async def observe(self, kpis: Sequence[Kpi]) -> int:
        """Report results; returns how many were stored, which leaves out those that were there."""
        return (await self._made(calls.observe(kpis))).stored

    async def signal(self, signals: Sequence[Signal]) -> int:
        """Report signals; returns how many were stored."""
        return (await self._made(calls.signal(signals))).stored

    async def kpis(self) -> dict[str, Any]:
        """The table of counts, punctuality and latency."""
        return await self._made(calls.KPIS)
