"""Tasks of somebody's own Celery app are handlers, run by that app's own worker."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from importlib import reload
from pathlib import Path
from random import Random
from typing import Any

import pytest

from serving.errors import SettingInvalid
from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.python import Handlers
from tests.contract.executor_bench import LEASE_S, Bench
from tests.floor import story, until
from tests.integration.servers import free_port, process
from tests.required import required

pytest.importorskip("celery", reason="the extra 'celery' is not installed")

from tests.bench.peers.servers import redis

pytestmark = [pytest.mark.integration]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The app, as its own worker runs it."""
    with required(redis) as url:
        environment = {"SHOP_URL": url, "SHOP_QUEUE": f"shop-{os.getpid()}-{free_port()}"}
        os.environ.update(environment)
        from tests import shop

        reload(shop)  # whoever collects doctests imported it before there was a broker
        command = [sys.executable, "-m", "celery", "--app", "tests.shop", "worker", "--pool", "solo", "-l", "warning"]
        with process(command, tmp_path_factory.mktemp("shop") / "worker.log", environment):
            yield shop
        for name in environment:
            del os.environ[name]


@asynccontextmanager
async def bench_of(payload: Any) -> Any:
    handlers = Handlers.loaded({"send": "celery+tests.shop:app.shop.send"}, {})

    def build(store: Any, _handlers: Any, clock: Any, changed: Any) -> LocalExecutor:
        terms = {"slots": 2, "lease_s": LEASE_S, "retry": Retry(attempts=2, first_s=1.0), "chance": Random(3)}
        return LocalExecutor(store, handlers, clock, changed=changed, **terms)

    bench = Bench(build, handler="send", payload=payload)
    try:
        yield bench
    finally:
        await bench.executor.stop(grace_s=0)
        await handlers.close()


@story
async def test_a_task_is_done_when_the_app_s_worker_has_done_it(shop: Any, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    async with bench_of({"to": "ann", "notes": str(notes)}) as bench:
        bench.start()
        await until(lambda: bench.progress().done == 1, 60)
        assert notes.read_text() == "ann\n"
        assert shop.app.AsyncResult("sale/t0/0").state == "PENDING", "no result is left behind"


@story
async def test_what_its_task_raises_is_a_failed_attempt_and_the_next_sends_it_anew(shop: Any, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    async with bench_of({"to": "nobody", "notes": str(notes)}) as bench:
        for attempt in range(2):
            bench.start()
            await until(lambda: len(bench.outcomes()) > attempt, 60)  # noqa: B023 - asked at once
            bench.clock.advance(LEASE_S / 2)
        (letter,) = bench.store.dead_letters()
        assert (letter.error, letter.attempts) == ("LookupError: no such address: nobody", 2)
        assert notes.read_text() == "nobody\n" * 2


@story
async def test_a_result_that_came_while_nobody_waited_is_found(shop: Any, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    payload = {"to": "bob", "notes": str(notes)}
    sent = shop.app.send_task("shop.send", kwargs=payload, task_id="sale/t0/0")
    assert await asyncio.to_thread(sent.get, 60) == "sent"
    async with bench_of(payload) as bench:
        bench.start()
        await until(lambda: bench.progress().done == 1, 60)
        assert notes.read_text() == "bob\n", "it was not sent again"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("celery+tests.shop:app", "must name a Celery app and a task of it"),
        ("celery+tests.shop:nothing.shop.send", "cannot be imported"),
        ("celery+tests.shop:Path.shop.send", "must lead to a Celery app"),
        ("celery+tests.integration.test_own_celery_tasks:without_results.shop.send", "with a result backend"),
    ],
)
def test_a_task_that_cannot_be_one_is_refused_at_start(path: str, says: str) -> None:
    with pytest.raises(SettingInvalid, match=says):
        Handlers.loaded({"send": path}, {})


def __getattr__(name: str) -> Any:
    if name == "without_results":
        from celery import Celery

        return Celery("mute", set_as_current=False)
    raise AttributeError(name)
