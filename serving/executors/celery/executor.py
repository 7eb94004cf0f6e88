"""Hands leases to workers in other processes, over a broker, and learns from the store what becomes of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kombu.exceptions import KombuError

from serving.clock import Clock
from serving.executors.celery.broker import BEGIN, GIVE_WAY, Broker
from serving.scheduling.ports import Running, Store, Worker
from serving.scheduling.work import Lease, Released

log = logging.getLogger(__name__)

_MOST_PRESSING, _UNKNOWN = 100.0, 50.0
"""Scores of what must not wait behind any lease, and of what nobody has judged."""
_AWAY_S = 1.0
"""Wall-clock seconds for which nothing is sent to a broker that refused a message."""


@dataclass(slots=True, eq=False)
class _Given:
    """A lease handed to a worker, which has taken it up `since` a moment, or has not yet."""

    lease: Lease
    worker: str
    sent: datetime
    since: datetime | None = None
    yielding: bool = False


class CeleryExecutor:
    """Hands leases to the workers that the store knows of, each to the one with most room; it decides nothing.

    The store is the truth: what runs where is read from it, so work goes on while a scheduler is restarted, and the
    next one finds it. The broker carries names of leases alone; one that comes late, or twice, is refused by the store.
    What no worker takes up in time, or cannot be sent, goes back to the queue, and counts as no attempt.

    Parameters
    ----------
    owner : the name under which this scheduler claims leases.
    lease_s : seconds of the clock a lease is held without a sign of life; a worker has half of them to take it up.
    score : how pressing a campaign is, 0-100; None where nobody can say.
    changed : called when a lease ended or got on, and when workers come or go.
    look_s : seconds of the wall clock between two looks into the store.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        clock: Clock,
        *,
        owner: str,
        lease_s: float,
        score: Callable[[str], float | None],
        changed: Callable[[], None],
        look_s: float = 0.02,
    ) -> None:
        self._store, self._broker, self._clock, self._owner = store, broker, clock, owner
        self._patience = timedelta(seconds=lease_s / 2)
        self._score, self._changed, self._look_s = score, changed, look_s
        self._given: dict[str, _Given] = {}
        self._post = ThreadPoolExecutor(1, thread_name_prefix="post")
        self._sending: set[asyncio.Task[None]] = set()
        self._away_until_s = 0.0
        self._stopping = False

    @property
    def slots(self) -> int:
        """The slots of all workers that are alive; none while the broker is away, as none can be reached."""
        return sum(worker.slots for worker in self._alive().values())

    def running(self) -> list[Running]:
        """The tasks that workers have, as the store has them; beyond a worker's slots they stand in line."""
        alive = self._read()
        taken: Counter[str] = Counter()
        running = []
        for given in self._given.values():
            on_slot = given.since is not None and taken[given.worker] < alive[given.worker].slots
            taken[given.worker] += 1
            running.append(Running(given.lease, given.since if on_slot else None, given.yielding))
        return running

    def start(self, leases: Sequence[Lease]) -> None:
        """Hand leases to workers, in order; see `Executor.start`."""
        alive = {} if self._stopping else self._alive()
        fresh = {lease.lease_id: lease for lease in leases if lease.lease_id not in self._given}.values()
        if not alive:
            self._give_back(fresh)
            return
        load = Counter(given.worker for given in self._given.values())
        letters: dict[tuple[str, float], list[Lease]] = {}
        for lease in fresh:
            worker = min(alive.values(), key=lambda each: (load[each.name] / each.slots, each.name))
            load[worker.name] += 1
            self._given[lease.lease_id] = _Given(lease, worker.name, self._clock.now())
            score = self._score(lease.task.campaign_id)
            letters.setdefault((worker.name, _UNKNOWN if score is None else score), []).append(lease)
        for (name, score), together in letters.items():
            ids = [lease.lease_id for lease in together]
            self._send(name, BEGIN, [self._owner, ids], score, lambda given=tuple(together): self._give_back(given))

    def give_way(self, lease_id: str, *, preempted: bool) -> None:
        """Ask for a lease back at its next checkpoint, or take it back if nobody took it up; see `Executor.give_way`."""
        given = self._given.get(lease_id)
        if given is None or given.yielding:
            return
        if given.since is None:
            self._give_back([given.lease])
            return
        given.yielding = True

        def unasked() -> None:
            given.yielding = False

        self._send(given.worker, GIVE_WAY, [[lease_id], preempted], _MOST_PRESSING, unasked)

    async def stop(self, grace_s: float) -> None:  # noqa: ARG002 - workers go on
        """Take back what nobody took up yet. What workers have goes on, and is found by the next scheduler."""
        self._stopping = True
        if self._sending:
            await asyncio.wait(self._sending)
        try:
            self._read()
            self._give_back([given.lease for given in self._given.values() if given.since is None])
        except Exception:
            log.exception("stopped_unsettled")
        self._post.shutdown(wait=False)

    async def watch(self) -> None:
        """Look into the store again and again, and tell when anything changed; until stopped."""
        seen: set[tuple[str, int]] = set()
        slots = 0
        while not self._stopping:
            try:
                alive = self._read()
                self._give_back(self._overdue(alive))
                now = {(given.lease.lease_id, given.lease.chunk) for given in self._given.values()}
                slots_now = sum(worker.slots for worker in alive.values())
                if seen - now or slots != slots_now:
                    self._changed()
                seen, slots = now, slots_now
            except Exception:
                log.exception("look_failed")
            await asyncio.sleep(self._look_s)

    def _alive(self) -> dict[str, Worker]:
        """The workers that can be reached, by name."""
        if asyncio.get_running_loop().time() < self._away_until_s:
            return {}
        return {worker.name: worker for worker in self._store.workers(self._clock.now())}

    def _read(self) -> dict[str, Worker]:
        """Take in how the store has every lease; return the workers that are alive."""
        alive = {worker.name: worker for worker in self._store.workers(self._clock.now())}
        outs = {out.lease_id: out for out in self._store.out()}
        for lease_id, given in list(self._given.items()):
            out = outs.pop(lease_id, None)
            if out is None or (out.owner != self._owner and out.owner not in alive):
                del self._given[lease_id]  # over, or held by one who is gone: it runs out, and holds no slot till then
                continue
            if out.owner != self._owner and given.since is None:
                given.worker, given.since = out.owner, out.chunk_from
            if (out.chunk, out.until) != (given.lease.chunk, given.lease.until):
                given.lease = replace(given.lease, chunk=out.chunk, until=out.until)
        found = [out.lease_id for out in outs.values() if out.owner == self._owner or out.owner in alive]
        for lease in self._store.leased(found) if found else ():
            out = outs[lease.lease_id]
            since = None if out.owner == self._owner else out.chunk_from
            self._given[lease.lease_id] = _Given(lease, out.owner, out.chunk_from, since)
        return alive

    def _overdue(self, alive: dict[str, Worker]) -> list[Lease]:
        """Leases that nobody took up in time, or whose worker went before it did."""
        late = self._clock.now() - self._patience
        return [
            given.lease
            for given in self._given.values()
            if given.since is None and (given.sent <= late or given.worker not in alive)
        ]

    def _give_back(self, leases: Iterable[Lease]) -> None:
        """Put what has not begun back into the queue."""
        back = list(leases)
        if not back:
            return
        at = self._clock.now()
        self._store.report([(lease, Released(preempted=False)) for lease in back], at, at)
        for lease in back:
            self._given.pop(lease.lease_id, None)
        self._changed()

    def _send(self, worker: str, name: str, arguments: Sequence[Any], score: float, failed: Callable[[], None]) -> None:
        """Send in the background, in order; `failed` is called if the broker will not have it."""

        async def sent() -> None:
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(self._post, self._broker.send, worker, name, arguments, score)
            except (KombuError, OSError) as error:
                log.warning("not_sent", extra={"worker": worker, "message": name, "reason": str(error)})
                self._away_until_s = loop.time() + _AWAY_S
                failed()

        sending = asyncio.create_task(sent())
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
