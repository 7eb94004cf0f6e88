"""The client of the queue API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter
from tenacity import Retrying

from features.records import Campaign, Kpi, Signal, Task
from serving.api.answers import DeadLetters, Place, Placed, Queue, Redriven, Stored, Supposed, TasksAdded
from serving.api.bodies import CAMPAIGN, OUTCOMES, SIGNALS, TASKS, WHAT_IF, Change, Outcomes, Signals, WhatIf
from serving.client.calls import MOST_WAITS, TIMEOUT_S, Answer, answered, patience, sent_with, unreachable

_PLACE, _PLACED, _TASKS_ADDED = TypeAdapter(Place), TypeAdapter(Placed), TypeAdapter(TasksAdded)
_DEAD, _REDRIVEN = TypeAdapter(DeadLetters), TypeAdapter(Redriven)
_SUPPOSED = TypeAdapter(Supposed)
_QUEUE, _STORED, _TABLE = TypeAdapter(Queue), TypeAdapter(Stored), TypeAdapter(dict[str, Any])


class QueueClient:
    """The queue API. Submitting again is safe: equal content is one campaign.

    A call that the service refuses for now waits as long as it is asked to (five times, a minute each, at most).

    Raises
    ------
    ServiceUnreachable
        From every call, when nobody answers or the answer is none of ours.
    Refused
        When the service answers with a problem: an invalid body, an unknown campaign, a conflict.
    """

    def __init__(self, url: str, timeout_s: float = 3 * TIMEOUT_S, token: str | None = None) -> None:
        self._url = url
        self._http = httpx.Client(base_url=url, timeout=timeout_s, headers=sent_with(token))

    def __enter__(self) -> Self:
        """Use within `with`, which closes its connections."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, campaign: Campaign, tasks: Sequence[Task]) -> Placed:
        """Submit a campaign with its tasks."""
        facts = CAMPAIGN.dump_python(campaign, mode="json")
        return self.submit_document({**facts, "tasks": TASKS.dump_python(tuple(tasks), mode="json")})

    def submit_document(self, document: Mapping[str, Any]) -> Placed:
        """Submit a campaign as JSON spells it, `tasks` included; the service validates it."""
        return self._call(_PLACED, "PUT", _path(document.get("campaign_id", "")), json=document)

    def campaign(self, campaign_id: str) -> Placed:
        """Where a campaign stands."""
        return self._call(_PLACED, "GET", _path(campaign_id))

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
        given = {"facts": facts, "boost": boost, "pin": pin, "paused": paused}
        body = {name: value for name, value in given.items() if value is not None}
        return self._call(_PLACED, "PATCH", _path(campaign_id), json=body)

    def add_tasks(self, campaign_id: str, tasks: Sequence[Task]) -> TasksAdded:
        """Add work to a campaign."""
        body = {"tasks": TASKS.dump_python(tuple(tasks), mode="json")}
        return self._call(_TASKS_ADDED, "POST", f"{_path(campaign_id)}/tasks", json=body)

    def cancel(self, campaign_id: str) -> Placed:
        """Cancel a campaign."""
        return self._call(_PLACED, "DELETE", _path(campaign_id))

    def why(self, campaign_id: str) -> Place:
        """Why a campaign is not running, its position and when it will be done."""
        return self._call(_PLACE, "GET", f"{_path(campaign_id)}/why")

    def queue(self, *, limit: int = 100, account: str | None = None, state: str | None = None) -> Queue:
        """Live campaigns in the order work would start."""
        asked = {"limit": limit, "account": account, "state": state}
        return self._call(_QUEUE, "GET", "/queue", params={k: v for k, v in asked.items() if v is not None})

    def what_if(self, campaign: Campaign | None = None, changes: Mapping[str, Change] | None = None) -> Supposed:
        """Where a campaign that is not there would stand, or how changes would move those that are."""
        body = WHAT_IF.dump_json(WhatIf(campaign=campaign, changes=dict(changes or {})))
        return self._call(_SUPPOSED, "POST", "/what-if", content=body)

    def dead_letters(self, campaign_id: str | None = None, *, limit: int = 100) -> DeadLetters:
        """Tasks that failed for good, oldest first."""
        asked = {"campaign_id": campaign_id, "limit": limit}
        return self._call(_DEAD, "GET", "/dead-letters", params={k: v for k, v in asked.items() if v is not None})

    def redrive(self, campaign_id: str, task_ids: Sequence[str] | None = None) -> int:
        """Queue dead letters again, all of the campaign's for None; returns how many."""
        body = {} if task_ids is None else {"task_ids": list(task_ids)}
        return self._call(_REDRIVEN, "POST", f"{_path(campaign_id)}/redrive", once=True, json=body).redriven

    def observe(self, kpis: Sequence[Kpi]) -> int:
        """Report results; returns how many were stored, which leaves out those that were there."""
        body = OUTCOMES.dump_json(Outcomes(kpis=tuple(kpis)))
        return self._call(_STORED, "POST", "/outcomes", content=body).stored

    def signal(self, signals: Sequence[Signal]) -> int:
        """Report signals; returns how many were stored."""
        body = SIGNALS.dump_json(Signals(signals=tuple(signals)))
        return self._call(_STORED, "POST", "/signals", once=True, content=body).stored

    def kpis(self) -> dict[str, Any]:
        """The table of counts, punctuality and latency."""
        return self._call(_TABLE, "GET", "/kpis")

    def _call(
        self, answer: TypeAdapter[Answer], method: str, path: str, *, once: bool = False, **request: Any
    ) -> Answer:
        # What would count twice is repeated only if it surely did not arrive.
        again = patience(httpx.ConnectError if once else httpx.TransportError, waits=MOST_WAITS)
        try:
            response = Retrying(**again)(self._http.request, method, path, **request)
        except httpx.HTTPError as error:
            raise unreachable(self._url, error) from error
        return answered(answer, response)


def _path(campaign_id: str) -> str:
    return f"/campaigns/{quote(campaign_id, safe='')}"
