"""What a worker hears: a Celery worker in a thread, which passes what the broker brings to the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from threading import Thread
from typing import Any

from celery.app.trace import reset_worker_optimizations, setup_worker_optimizations
from celery.concurrency.solo import TaskPool
from celery.worker import WorkController, state
from kombu.exceptions import KombuError

from serving.executors.celery.broker import BEGIN, GIVE_WAY, MOST_PRESSING, Broker
from serving.executors.celery.worker import Hand

log = logging.getLogger(__name__)


class _Inline(TaskPool):  # type: ignore[misc]
    """Runs each task in the thread that hears, between two messages.

    Celery's event loop sends acknowledgements only when something else wakes it, so with one message at a time the next
    comes seconds late; its plain loop sends them at once, but keeps the connection alive for green pools alone.
    """

    is_green = True


async def either(*events: asyncio.Event) -> None:
    """Return once one of these events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


@asynccontextmanager
async def hearing(broker: Broker, hand: Hand) -> AsyncIterator[asyncio.Event]:
    """Take messages for a worker until the context ends; the event is set if Celery's worker ends before.

    A message is acknowledged when the store has said whose its leases are, so one that is lost with this process comes
    again, and none is held for as long as a task takes. One process hears for one worker: Celery's state is global.
    """
    loop, ready, ended = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    queue = broker.queue_of(hand.name)
    app = broker.app
    app.conf.task_queues = [queue]
    app.conf.task_default_queue = queue.name

    def in_loop(step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, loop).result()

    @app.task(name=BEGIN, shared=False)  # type: ignore[untyped-decorator]
    def begin(giver: str, lease_ids: list[str]) -> None:
        in_loop(hand.begin(giver, lease_ids))

    @app.task(name=GIVE_WAY, shared=False)  # type: ignore[untyped-decorator]
    def give_way(lease_ids: list[str], preempted: bool) -> None:
        in_loop(hand.give_way(lease_ids, preempted=preempted))

    class Controller(WorkController):  # type: ignore[misc]
        def on_before_init(self, **_: Any) -> None:
            setup_worker_optimizations(app, hand.name)

        def on_consumer_ready(self, consumer: Any) -> None:  # noqa: ARG002 - Celery's signature
            loop.call_soon_threadsafe(ready.set)

    controller = Controller(
        app=app,
        hostname=hand.name,
        pool_cls=_Inline,
        concurrency=1,
        use_eventloop=False,
        without_heartbeat=True,
        without_gossip=True,
        without_mingle=True,
    )

    def listen() -> None:
        try:
            controller.start()
        except BaseException:
            log.exception("hears_no_more")
        finally:
            loop.call_soon_threadsafe(ended.set)

    thread = Thread(target=listen, name="celery", daemon=True)
    thread.start()
    try:
        await either(ready, ended)
        yield ended
    finally:
        state.should_stop = 0
        with suppress(KombuError, OSError):  # else it ends once no message came for a while
            for _ in range(2):  # it listens once more after it has seen that it is to stop
                await asyncio.to_thread(broker.send, hand.name, GIVE_WAY, [[], False], MOST_PRESSING)
        await ended.wait()
        thread.join()
        state.should_stop = None
        reset_worker_optimizations(app)
