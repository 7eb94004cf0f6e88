"""An executor over a real broker and a worker, both in this process: they share the bench's store and clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

from serving.clock import Clock
from serving.executors.celery.broker import Broker
from serving.executors.celery.consumer import hearing
from serving.executors.celery.executor import CeleryExecutor
from serving.executors.celery.worker import Hand
from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.contract import Handler
from serving.handlers.python import Handlers, Steps
from serving.scheduling.ports import Running, Worker
from serving.scheduling.work import Lease
from tests.contract.executor_bench import LEASE_S, Disk
from tests.floor import let_run, until

DEADLINE_S = 30.0


class Posted(Broker):
    """Counts what the broker has taken."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sent = 0

    def send(self, worker: str, name: str, arguments: Sequence[Any], score: float) -> None:
        super().send(worker, name, arguments, score)
        self.sent += 1


class Listening(Hand):
    """Counts what it has heard."""

    heard = 0

    def _tell(self, until: datetime) -> None:
        # Tests let a minute pass at once: nobody could announce anything meanwhile.
        super()._tell(until if self._leaving else until + timedelta(days=1))

    async def begin(self, giver: str, lease_ids: Sequence[str]) -> None:
        await super().begin(giver, lease_ids)
        self.heard += 1

    async def give_way(self, lease_ids: Sequence[str], *, preempted: bool) -> None:
        await super().give_way(lease_ids, preempted=preempted)
        self.heard += 1


class OverABroker:
    """The scheduler's end and the worker's as one executor."""

    def __init__(
        self,
        url: str,
        store: Disk,
        handlers: Mapping[str, Handler | Steps],
        clock: Clock,
        changed: Callable[[], None],
        slots: int = 2,
    ) -> None:
        self.store, self.broker = store, Posted(url)
        local = LocalExecutor(
            store,
            Handlers(handlers),
            clock,
            slots=slots,
            lease_s=LEASE_S,
            retry=Retry(attempts=3, first_s=1.0),
            chance=Random(3),
            changed=lambda: None,
        )
        self.hand = Listening(store, local, clock, name=f"test-{uuid4().hex[:8]}", lease_s=LEASE_S)
        # It is known at once, and hears when it is ready: messages wait for it.
        store.announce(Worker(self.hand.name, slots, clock.now() + timedelta(days=1)), clock.now())
        self.executor = CeleryExecutor(
            store,
            self.broker,
            clock,
            owner="here",
            lease_s=LEASE_S,
            score=lambda _: None,
            changed=changed,
            look_s=0.001,
        )
        self.executor.fit(0)
        self._ready = asyncio.Event()
        self._life = asyncio.create_task(self._live())

    @property
    def slots(self) -> int:
        return self.executor.slots

    def running(self) -> list[Running]:
        return self.executor.running()

    def start(self, leases: Sequence[Lease]) -> None:
        self.executor.start(leases)

    def give_way(self, lease_id: str, *, preempted: bool) -> None:
        self.executor.give_way(lease_id, preempted=preempted)

    async def stop(self, grace_s: float) -> None:
        await self.executor.stop(grace_s)
        await self.hand.leave(grace_s)

    async def settled(self) -> None:
        """Let all go on that can: what was sent is heard, and seen by the scheduler."""
        await asyncio.wait_for(self._ready.wait(), DEADLINE_S)
        await let_run(100)
        await until(lambda: not self.executor._sending and self.broker.sent == self.hand.heard, DEADLINE_S)
        await let_run(100)
        looks, watching = self.store.looks, self.executor._watching
        await until(lambda: self.store.looks > looks + 1 or watching is None or watching.done(), DEADLINE_S)
        await let_run(100)

    async def _live(self) -> None:
        """Be a worker until the test is over."""
        try:
            async with hearing(self.broker, self.hand) as ended:
                announcing = asyncio.create_task(self.hand.announce())
                self._ready.set()
                await ended.wait()
                announcing.cancel()
        finally:
            self.broker.forget(self.hand.name)
            self.broker.close()


class Unheard(CeleryExecutor):
    """The scheduler's end alone: a worker is said to be there, and never hears anything."""

    def __init__(
        self,
        url: str,
        store: Disk,
        _handlers: Mapping[str, Handler | Steps],
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        store.announce(Worker("deaf", 2, clock.now() + timedelta(days=1)), clock.now())
        terms = {"owner": "here", "lease_s": LEASE_S, "score": lambda _: None, "look_s": 0.001}
        super().__init__(store, Broker(url), clock, changed=changed, **terms)
        self.fit(0)
