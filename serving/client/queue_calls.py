"""The calls of the queue API, for clients that make them in whichever way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from features.records import Campaign, Kpi, Signal, Task
from serving.api.answers import DeadLetters, Place, Placed, Queue, Redriven, Stored, Supposed, TasksAdded
from serving.api.bodies import CAMPAIGN, OUTCOMES, SIGNALS, TASKS, WHAT_IF, Change, Outcomes, Signals, WhatIf
from serving.client.calls import Call

_PLACE, _PLACED, _TASKS_ADDED = TypeAdapter(Place), TypeAdapter(Placed), TypeAdapter(TasksAdded)
_DEAD, _REDRIVEN, _SUPPOSED = TypeAdapter(DeadLetters), TypeAdapter(Redriven), TypeAdapter(Supposed)
_QUEUE, _STORED, _TABLE = TypeAdapter(Queue), TypeAdapter(Stored), TypeAdapter(dict[str, Any])


def submit(campaign: Campaign, tasks: Sequence[Task]) -> Call[Placed]:
    """Submit a campaign with its tasks."""
    facts = CAMPAIGN.dump_python(campaign, mode="json")
    return submit_document({**facts, "tasks": TASKS.dump_python(tuple(tasks), mode="json")})


def submit_document(document: Mapping[str, Any]) -> Call[Placed]:
    """Submit a campaign as JSON spells it, `tasks` included; the service validates it."""
    return Call(answer=_PLACED, method="PUT", path=_path(document.get("campaign_id", "")), request={"json": document})


def campaign(campaign_id: str) -> Call[Placed]:
    """Where a campaign stands."""
    return Call(answer=_PLACED, method="GET", path=_path(campaign_id))


def change(campaign_id: str, **given: Any) -> Call[Placed]:
    """Change facts, boost, pin or pause; what is None stays."""
    body = {name: value for name, value in given.items() if value is not None}
    return Call(answer=_PLACED, method="PATCH", path=_path(campaign_id), request={"json": body})


def add_tasks(campaign_id: str, tasks: Sequence[Task]) -> Call[TasksAdded]:
    """Add work to a campaign."""
    body = {"tasks": TASKS.dump_python(tuple(tasks), mode="json")}
    return Call(answer=_TASKS_ADDED, method="POST", path=f"{_path(campaign_id)}/tasks", request={"json": body})


def cancel(campaign_id: str) -> Call[Placed]:
    """Cancel a campaign."""
    return Call(answer=_PLACED, method="DELETE", path=_path(campaign_id))


def why(campaign_id: str) -> Call[Place]:
    """Why a campaign is not running, its position and when it will be done."""
    return Call(answer=_PLACE, method="GET", path=f"{_path(campaign_id)}/why")


def queue(limit: int, account: str | None, state: str | None) -> Call[Queue]:
    """Live campaigns in the order work would start."""
    return Call(answer=_QUEUE, method="GET", path="/queue", request=_with(limit=limit, account=account, state=state))


def what_if(campaign: Campaign | None, changes: Mapping[str, Change] | None) -> Call[Supposed]:
    """Where a campaign that is not there would stand, or how changes would move those that are."""
    body = WHAT_IF.dump_json(WhatIf(campaign=campaign, changes=dict(changes or {})))
    return Call(answer=_SUPPOSED, method="POST", path="/what-if", request={"content": body})


def dead_letters(campaign_id: str | None, limit: int) -> Call[DeadLetters]:
    """Tasks that failed for good, oldest first."""
    return Call(answer=_DEAD, method="GET", path="/dead-letters", request=_with(campaign_id=campaign_id, limit=limit))


def redrive(campaign_id: str, task_ids: Sequence[str] | None) -> Call[Redriven]:
    """Queue dead letters again, all of the campaign's for None."""
    body = {} if task_ids is None else {"task_ids": list(task_ids)}
    return Call(
        answer=_REDRIVEN, method="POST", path=f"{_path(campaign_id)}/redrive", request={"json": body}, once=True
    )


def observe(kpis: Sequence[Kpi]) -> Call[Stored]:
    """Report results."""
    body = OUTCOMES.dump_json(Outcomes(kpis=tuple(kpis)))
    return Call(answer=_STORED, method="POST", path="/outcomes", request={"content": body})


def signal(signals: Sequence[Signal]) -> Call[Stored]:
    """Report signals."""
    body = SIGNALS.dump_json(Signals(signals=tuple(signals)))
    return Call(answer=_STORED, method="POST", path="/signals", request={"content": body}, once=True)


KPIS: Call[dict[str, Any]] = Call(answer=_TABLE, method="GET", path="/kpis")
"""The table of counts, punctuality and latency."""


def _with(**parameters: Any) -> dict[str, Any]:
    return {"params": {name: value for name, value in parameters.items() if value is not None}}


def _path(campaign_id: str) -> str:
    return f"/campaigns/{quote(campaign_id, safe='')}"
