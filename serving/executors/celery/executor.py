"""Hands leases to workers in other processes, over a broker, and learns from the store what becomes of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from kombu.exceptions import KombuError

from serving.clock import Clock
from serving.executors.celery.broker import BEGIN, GIVE_WAY, MOST_PRESSING, Broker
from serving.executors.celery.tempo import Tempo
from serving.scheduling.ports import AHEAD_S, Running, Store, Worker
from serving.scheduling.work import Lease, Released

log = logging.getLogger(__name__)

_UNKNOWN = 50.0
"""The score of what nobody has judged."""
_AWAY_S = 1.0
"""Wall-clock seconds for which nothing is sent to a broker that refused a message."""


@dataclass(slots=True, eq=False)
class _Given:
    """A lease handed to a worker, `taken` up by it or not yet, and `since` a moment on one of its slots."""

    lease: Lease
    worker: str
    sent: datetime
    taken: bool = False
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
        self._tempo = Tempo()
        self._seats: dict[str, int] = {}
        self._ended: Counter[str] = Counter()
        self._advanced = False
        self._watching: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def slots(self) -> int:
        """The slots of all workers that are alive; none while the broker is away, as none can be reached."""
        return sum(worker.slots for worker in self._alive().values())

    def running(self) -> list[Running]:
        """The tasks that workers have, as the store has them; beyond a worker's slots they stand in line."""
        self._read()
        return [Running(given.lease, given.since, given.yielding) for given in self._given.values()]

    def start(self, leases: Sequence[Lease]) -> None:
        """Hand leases to workers, in order; see `Executor.start`."""
        alive = {} if self._stopping else self._alive()
        fresh = {lease.lease_id: lease for lease in leases if lease.lease_id not in self._given}.values()
        if not alive:
            self._give_back(fresh)
            return
        load: dict[str, float] = defaultdict(float)
        for given in self._given.values():
            load[given.worker] += self._weight(given.lease)
        letters: dict[tuple[str, float], list[Lease]] = {}
        for lease in fresh:
            worker = min(alive.values(), key=lambda each: (load[each.name] / each.slots, each.name))
            load[worker.name] += self._weight(lease)
            self._given[lease.lease_id] = _Given(lease, worker.name, self._clock.now())
            score = self._score(lease.task.campaign_id)
            letters.setdefault((worker.name, _UNKNOWN if score is None else score), []).append(lease)
        for (name, score), together in letters.items():
            ids = [lease.lease_id for lease in together]
            self._send(name, BEGIN, [self._owner, ids], score, partial(self._give_back, together))

    def give_way(self, lease_id: str, *, preempted: bool) -> None:
        """Ask for a lease back at its next checkpoint, or take it back from the broker; see `Executor.give_way`."""
        given = self._given.get(lease_id)
        if given is None or given.yielding:
            return
        if not given.taken:
            self._give_back([given.lease])
            return
        given.yielding = True

        def unasked() -> None:
            given.yielding = False

        self._send(given.worker, GIVE_WAY, [[lease_id], preempted], MOST_PRESSING, unasked)

    async def stop(self, grace_s: float) -> None:  # noqa: ARG002 - workers go on
        """Take back what nobody took up yet. What workers have goes on, and is found by the next scheduler."""
        self._stopping = True
        if self._sending:
            await asyncio.wait(self._sending)
        try:
            self._read()
            self._give_back([given.lease for given in self._given.values() if not given.taken])
        except Exception:
            log.exception("stopped_unsettled")
        self._post.shutdown(wait=False)
        if self._watching is not None:
            await self._watching
        self._broker.close()

    def fit(self, tasks: int) -> None:  # noqa: ARG002 - how many workers there are is not decided here
        """Begin to watch the store, with the first step that asks for slots."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())

    def pace_s(self, campaign_id: str) -> float | None:
        """Mean seconds a task lately held a slot; see `Tempo`."""
        return self._tempo.mean_s(campaign_id)

    async def _watch(self) -> None:
        """Look into the store again and again, and tell when anything changed; until stopped."""
        at, slots = self._clock.now(), 0
        while not self._stopping:
            at_work, before, at = self._at_work(), at, self._clock.now()
            try:
                alive = self._read()
                self._give_back(self._overdue(alive))
            except Exception:
                log.exception("look_failed")
            else:
                self._tempo.passed((at - before).total_seconds(), at_work, self._ended)
                slots_before, slots = slots, sum(worker.slots for worker in alive.values())
                if self._ended or self._advanced or slots != slots_before:
                    self._ended, self._advanced = Counter(), False
                    self._changed()
            await asyncio.sleep(self._look_s)

    def _at_work(self) -> Counter[str]:
        """The campaigns of what workers have on their slots, or will have as soon as they hear of it."""
        handed, at_work = Counter[str](), Counter[str]()
        for given in self._given.values():
            if handed[given.worker] < self._seats.get(given.worker, 0):
                at_work[given.lease.task.campaign_id] += 1
            handed[given.worker] += 1
        return at_work

    def _alive(self) -> dict[str, Worker]:
        """The workers that can be reached, by name."""
        if asyncio.get_running_loop().time() < self._away_until_s:
            return {}
        return {worker.name: worker for worker in self._store.workers(self._clock.now())}

    def _read(self) -> dict[str, Worker]:
        """Take in how the store has every lease; return the workers that are alive."""
        at = self._clock.now()
        alive = {worker.name: worker for worker in self._store.workers(at)}
        outs = {out.lease_id: out for out in self._store.out() if out.owner == self._owner or out.owner in alive}
        self._seats = {worker.name: worker.slots for worker in alive.values()}
        # What one holds who is gone runs out, and takes no slot of the others till then.
        for lease_id in [lease_id for lease_id in self._given if lease_id not in outs]:
            self._ended[self._given.pop(lease_id).lease.task.campaign_id] += 1
        found = [lease_id for lease_id in outs if lease_id not in self._given]
        for lease in self._store.leased(found) if found else ():
            self._given[lease.lease_id] = _Given(lease, outs[lease.lease_id].owner, outs[lease.lease_id].chunk_from)
        seated: Counter[str] = Counter()
        for lease_id, given in self._given.items():
            out = outs[lease_id]
            began, given.taken = given.taken, out.owner != self._owner
            if not given.taken:
                continue
            self._advanced |= out.chunk != given.lease.chunk
            if (out.chunk, out.until) != (given.lease.chunk, given.lease.until):
                given.lease = replace(given.lease, chunk=out.chunk, until=out.until)
            seated[out.owner] += 1
            if given.since is None and seated[out.owner] <= alive[out.owner].slots:
                given.since = at if began else out.chunk_from
        return alive

    def _weight(self, lease: Lease) -> float:
        """Share of a slot that a lease takes up for as long as it is worth telling apart."""
        return min((self.pace_s(lease.task.campaign_id) or AHEAD_S) / AHEAD_S, 1.0)

    def _overdue(self, alive: dict[str, Worker]) -> list[Lease]:
        """Leases that nobody took up in time, or whose worker went before it did."""
        late = self._clock.now() - self._patience
        return [
            given.lease
            for given in self._given.values()
            if not given.taken and (given.sent <= late or given.worker not in alive)
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
                log.warning("not_sent", extra={"worker": worker, "what": name, "reason": str(error)})
                self._away_until_s = loop.time() + _AWAY_S
                failed()

        sending = asyncio.create_task(sent())
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
