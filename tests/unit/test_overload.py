"""What is taken in is bounded: beyond, a caller is told the bound, and when to come again."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import wiring
from serving.api.admission import Admission, Bounds
from serving.api.problems import Problems
from serving.api.queue import queue_app
from serving.client import PriorityClient, QueueClient
from serving.errors import QueueFull, Refused, ServiceUnreachable, SubmittedTooFast
from serving.scheduling.work import Backlog
from serving.settings import Settings
from tests.integration.servers import eventually
from tests.listening import listening
from tests.queueing import NOON, after

NOBODY_LISTENS = 9  # the discard port
LATER = {
    "account": "acme",
    "kind": "flash_sale",
    "channel": "email",
    "released_at": "2098-01-01T00:00:00Z",
    "ends_at": "2099-01-01T00:00:00Z",
    "work_units": 1,
}


@contextmanager
def scheduler(home: Path, **settings: Any) -> Iterator[httpx.Client]:
    given = Settings.read(home=home, priority_port=NOBODY_LISTENS, **settings)
    with listening(Problems(queue_app(lambda: wiring.desk(given)))) as client:
        yield client


def body(tasks: int = 1, **facts: Any) -> dict[str, Any]:
    return {**LATER, "tasks": [{"task_id": f"t{n}", "handler": "simulate", "units": 1} for n in range(tasks)], **facts}


def refused(answer: httpx.Response, bound: str, most: float) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert answer.status_code == 429, problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["bound"], problem["most"]) == (bound, most)
    assert f"{most:g}" in problem["detail"]
    assert answer.headers["retry-after"] == str(problem["retry_after_s"])
    assert problem["retry_after_s"] >= 1
    return problem


def test_more_tasks_than_may_be_queued_are_refused_until_some_are_gone(tmp_path: Path) -> None:
    with scheduler(tmp_path, most_queued_tasks=5) as client:
        assert client.put("/campaigns/a", json=body(3)).status_code == 201
        problem = refused(client.put("/campaigns/b", json=body(3)), "most_queued_tasks", 5)
        assert (problem["there"], problem["asked"]) == (3, 3)
        assert "3 queued tasks and 3 more would be above most_queued_tasks, which is 5" in problem["detail"]
        assert client.get("/campaigns/b").status_code == 404
        more = {"tasks": [{"task_id": f"more{n}", "handler": "simulate", "units": 1} for n in range(3)]}
        refused(client.post("/campaigns/a/tasks", json=more), "most_queued_tasks", 5)
        assert client.delete("/campaigns/a").status_code == 200
        assert client.put("/campaigns/b", json=body(3)).status_code == 201


def test_more_campaigns_than_may_be_live_are_refused(tmp_path: Path) -> None:
    with scheduler(tmp_path, most_live_campaigns=2) as client:
        for name in "ab":
            assert client.put(f"/campaigns/{name}", json=body()).status_code == 201
        assert refused(client.put("/campaigns/c", json=body()), "most_live_campaigns", 2)["there"] == 2
        more = {"tasks": [{"task_id": "more", "handler": "simulate", "units": 1}]}
        assert client.post("/campaigns/a/tasks", json=more).json()["added"] == 1


def test_work_that_could_never_be_queued_is_no_matter_of_time(tmp_path: Path) -> None:
    with scheduler(tmp_path, most_queued_tasks=5) as client:
        answer = client.put("/campaigns/a", json=body(6))
        assert answer.status_code == 422
        assert "must be at most 5 (most_queued_tasks)" in answer.json()["detail"]


def test_submitting_the_same_again_is_answered_however_full_it_is(tmp_path: Path) -> None:
    with scheduler(tmp_path, most_queued_tasks=1, submissions_per_min=1) as client:
        assert client.put("/campaigns/a", json=body()).status_code == 201
        assert client.put("/campaigns/a", json=body()).status_code == 200
        assert client.put("/campaigns/a", json=body(work_units=2)).status_code == 409


def test_one_account_that_submits_too_fast_does_not_hold_up_another(tmp_path: Path) -> None:
    with scheduler(tmp_path, submissions_per_min=2) as client:
        for name in "ab":
            assert client.put(f"/campaigns/{name}", json=body()).status_code == 201
        problem = refused(client.put("/campaigns/c", json=body()), "submissions_per_min", 2)
        assert problem["retry_after_s"] <= 30
        assert "account 'acme' may submit 2 campaigns a minute" in problem["detail"]
        assert client.put("/campaigns/d", json=body(account="other")).status_code == 201


def test_work_that_is_worth_nothing_any_more_is_shed_with_a_record(tmp_path: Path) -> None:
    over = {"released_at": "2020-01-01T00:00:00Z", "ends_at": "2021-01-01T00:00:00Z"}
    with scheduler(tmp_path) as client, closing(sqlite3.connect(tmp_path / "queue.db")) as database:
        placed = client.put("/campaigns/a", json=body(**over)).json()
        assert (placed["state"], placed["position"]) == ("expired", None)
        assert (
            placed["ended"] == "nothing was left to win since 2021-01-01T00:00:00+00:00, with 100 % of its work undone"
        )
        logged = database.execute("select chosen, reason from decisions where campaign_id = 'a'").fetchall()
        assert logged == [("expire", "nothing left to win")]


def test_the_wait_follows_how_fast_the_queue_lately_drained() -> None:
    there = iter([100, 90, 80, 80])
    admission = Admission(Bounds(100, 10), lambda: Backlog(1, next(there)))
    full = admission.full(after(0), campaigns=0, tasks=1)
    assert isinstance(full, QueueFull)
    assert full.retry_after_s == 30  # nothing is known yet
    assert admission.full(after(10), campaigns=0, tasks=5) is None
    admission.admitted("acme", after(10), campaigns=0, tasks=5)
    slow = admission.full(after(20), campaigns=0, tasks=50)  # 15 in ten seconds, and 30 too many
    assert isinstance(slow, QueueFull)
    assert slow.retry_after_s == 20


def test_counting_is_left_out_while_the_last_count_is_fresh_and_leaves_room() -> None:
    counted = []
    admission = Admission(Bounds(100, 10), lambda: counted.append(1) or Backlog(0, 0))
    for n in range(100):
        at = after(n / 1000)
        assert admission.full(at, campaigns=0, tasks=1) is None
        admission.admitted("acme", at, campaigns=0, tasks=1)
    assert len(counted) == 1
    assert admission.full(after(0.5), campaigns=0, tasks=1) is None  # counted anew before it is refused
    assert len(counted) == 2


@pytest.mark.parametrize("pace", [1.0, 3600.0])
def test_the_limit_of_an_account_is_by_the_wall_clock_whatever_the_pace(pace: float) -> None:
    admission = Admission(Bounds(100, 10, submissions_per_min=4), lambda: Backlog(0, 0), pace)
    for _ in range(4):
        assert admission.hasty("acme", NOON) is None
        admission.admitted("acme", NOON, campaigns=1, tasks=1)
    hasty = admission.hasty("acme", NOON)
    assert isinstance(hasty, SubmittedTooFast)
    assert hasty.retry_after_s == 15
    assert admission.hasty("acme", after(14.9 * pace)) is not None
    assert admission.hasty("acme", after(15 * pace)) is None
    assert admission.hasty("other", NOON) is None


def test_a_limit_of_less_than_one_a_minute_still_lets_one_in() -> None:
    admission = Admission(Bounds(100, 10, submissions_per_min=0.5), lambda: Backlog(0, 0))
    assert admission.hasty("acme", NOON) is None
    admission.admitted("acme", NOON, campaigns=1, tasks=1)
    assert admission.hasty("acme", after(119)) is not None
    assert admission.hasty("acme", after(120)) is None


class Busy:
    """An application that refuses the first calls, and says when to come again."""

    def __init__(self, refusals: int, retry_after: str) -> None:
        self.calls, self._refusals, self._retry_after = 0, refusals, retry_after

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for stage in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{stage}.complete"})
            return
        self.calls += 1
        ready = self.calls > self._refusals
        told = {"moment": NOON.isoformat()} if ready else {"status": 429, "detail": "the queue is full"}
        headers = [] if ready else [(b"retry-after", self._retry_after.encode())]
        await send({"type": "http.response.start", "status": 200 if ready else 429, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})


def asked(busy: Busy) -> dict[str, Any]:
    with listening(busy) as http, QueueClient(str(http.base_url)) as client:
        return client.kpis()


def test_the_client_comes_again_when_it_was_told_to() -> None:
    busy = Busy(2, "0")
    assert "moment" in asked(busy)
    assert busy.calls == 3


@pytest.mark.parametrize(("retry_after", "calls"), [("0", 6), ("3600", 1), ("soon", 1)])
def test_the_client_passes_the_refusal_on_when_waiting_is_of_no_use(retry_after: str, calls: int) -> None:
    busy = Busy(99, retry_after)
    with pytest.raises(Refused, match="the queue is full") as refused:
        asked(busy)
    assert refused.value.answered == 429
    assert busy.calls == calls


def test_a_scheduler_whose_steps_break_off_says_it_is_not_ready_and_why(tmp_path: Path) -> None:
    with scheduler(tmp_path, lease_s=0.3) as client, closing(sqlite3.connect(tmp_path / "queue.db")) as database:
        assert client.get("/readyz").status_code == 200
        database.execute("alter table marks rename to hidden")
        problem = eventually(lambda: (a := client.get("/readyz")).status_code == 503 and a.json(), "not ready")
        assert "steps broke off, the last with OperationalError" in problem["detail"]
        assert "no such table: marks" in problem["detail"]
        database.execute("alter table hidden rename to marks")
        eventually(lambda: client.get("/readyz").status_code == 200, "ready again")


class Deaf:
    """An application that hangs up on the first calls, and answers those after them."""

    def __init__(self, deaf_to: int) -> None:
        self.calls, self._deaf_to = 0, deaf_to

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await Busy(0, "")(scope, receive, send)
            return
        self.calls += 1
        if self.calls <= self._deaf_to:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            return  # without a body: the connection breaks
        await send({"type": "http.response.start", "status": 429, "headers": [(b"retry-after", b"1")]})
        await send({"type": "http.response.body", "body": b'{"status": 429, "detail": "too much"}'})


def test_predictions_are_not_waited_for_once_nobody_answered() -> None:
    deaf = Deaf(4)

    async def ask(url: str) -> list[int]:
        calls = []
        async with PriorityClient(url) as client:
            for error in (ServiceUnreachable, ServiceUnreachable, Refused):
                with pytest.raises(error):
                    await client.card()
                calls.append(deaf.calls)
        return calls

    with listening(deaf) as http:
        # Three tries, then one while it is gone; a refusal is an answer, and not waited for either.
        assert asyncio.run(ask(str(http.base_url))) == [3, 4, 5]
