"""For teams who keep their own Celery app: sets the priority of what is published by how pressing its campaign is.

    from serving.client.celery import prioritise

    prioritise(app, "http://127.0.0.1:3000", token=...)
    send.apply_async(args, headers={"campaign": {"campaign_id": ..., ...}})

It needs the extra `celery`.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from celery import Celery
from celery.signals import before_task_publish

from features.records import Campaign
from serving.api.bodies import CAMPAIGN, read
from serving.breaker import Breaker
from serving.client.priority import SyncPriorityClient
from serving.errors import BadInput, PrecedenceError
from serving.levels import LEVELS, priorities, priority

log = logging.getLogger(__name__)

_KNOWN = 1_000

CampaignOf = Callable[[str, Mapping[str, Any], Any], Campaign | Mapping[str, Any] | None]
"""The campaign of a message, from the task's name, the headers and the body; None for one that is of none."""


def campaign_in_headers(task: str, headers: Mapping[str, Any], body: Any) -> Mapping[str, Any] | None:  # noqa: ARG001
    """What the header `campaign` holds."""
    campaign: Mapping[str, Any] | None = headers.get("campaign")
    return campaign


def prioritise(app: Celery, url: str, *, token: str | None = None, **how: Any) -> Prioritised:
    """Have everything that this process publishes prioritised from now on; see `Prioritised`."""
    prioritised = Prioritised(app, url, token=token, **how)
    before_task_publish.connect(prioritised, weak=False)
    return prioritised


class Prioritised:
    """Receives `before_task_publish`. Never keeps a message from being published, nor holds it up for long.

    On RabbitMQ higher goes first, up to the queue's `x-max-priority` (`task_queue_max_priority`); on Redis lower does,
    by its steps. A worker that fetches ahead runs what it fetched first: set `worker_prefetch_multiplier = 1`.

    Parameters
    ----------
    url, token : of the prediction API.
    campaign_of : finds the campaign of a message; by default it stands in the header `campaign`.
    timeout_s : how long a publish may wait for one try; while the API fails, priorities are left as they are.
    keep_s : seconds for which a campaign's score is used again.
    """

    def __init__(
        self,
        app: Celery,
        url: str,
        *,
        token: str | None = None,
        campaign_of: CampaignOf = campaign_in_headers,
        timeout_s: float = 0.5,
        keep_s: float = 30.0,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._campaign_of, self._keep_s, self._now_s = app, campaign_of, keep_s, now_s
        self._url, self._token, self._timeout_s = url, token, timeout_s
        self._breaker = Breaker(now_s=now_s)
        self._clients: dict[int, SyncPriorityClient] = {}
        self._scores: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._warned = False

    def __call__(
        self,
        sender: str = "",
        body: Any = None,
        headers: Mapping[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
        declare: Sequence[Any] | None = None,
        **_: Any,
    ) -> None:
        """Set the priority among a message's properties, if it is of a campaign and the API answers."""
        if properties is None:
            return
        try:
            found = self._campaign_of(sender, headers or {}, body)
            if found is None:
                return
            document = CAMPAIGN.dump_json(found) if isinstance(found, Campaign) else json.dumps(found).encode()
            score = self._score(document.decode())
        except (PrecedenceError, TypeError, ValueError) as error:
            # What a campaign holds stays out of logs: the fields at fault are named, not shown.
            faults = [fault.field for fault in error.faults] if isinstance(error, BadInput) else str(error)
            log.warning("not_prioritised", extra={"task": sender, "reason": type(error).__name__, "faults": faults})
            return
        if score is not None:
            properties["priority"] = self._priority(score, declare or ())

    def _score(self, document: str) -> float | None:
        """0-100; None while the API is left alone."""
        score, good_until_s = self._scores.get(document, (0.0, 0.0))
        if self._now_s() < good_until_s:
            return score
        campaign = read(CAMPAIGN, document)
        if not self._breaker.lets_through():
            return None
        try:
            (prediction,) = self._client().predict([campaign]).predictions
        except PrecedenceError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        self._scores[document] = prediction.score, self._now_s() + self._keep_s
        while len(self._scores) > _KNOWN:
            self._scores.popitem(last=False)
        return prediction.score

    def _client(self) -> SyncPriorityClient:
        # Workers fork, and a connection that two processes use is none.
        if (pid := os.getpid()) not in self._clients:
            self._clients = {pid: SyncPriorityClient(self._url, self._timeout_s, self._token)}
        return self._clients[pid]

    def _priority(self, score: float, declare: Sequence[Any]) -> int:
        return priority(score, priorities(self._app, lambda: self._most(declare)))

    def _most(self, declare: Sequence[Any]) -> int:
        """The highest priority of the queue that a message goes to."""
        told = [(queue.queue_arguments or {}).get("x-max-priority") or queue.max_priority for queue in declare]
        most = next((each for each in told if each), None) or self._app.conf.task_queue_max_priority
        if not most and not self._warned:
            self._warned = True
            log.warning(
                "queue_without_priorities",
                extra={"queues": [q.name for q in declare], "set": "task_queue_max_priority"},
            )
        return int(most or LEVELS - 1)
