"""Leases on tasks, in a SQL database."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, literal_column, or_, select, update

from serving.scheduling.states import State
from serving.scheduling.work import Lease, Outcome, Reached, Want
from serving.stores.database import OnDatabase
from serving.stores.leases_sql import KEPT, held_of, lease_of, stored_leases
from serving.stores.lifecycle import TaskState, judged, loss_of
from serving.stores.marks import next_mark
from serving.stores.prepared import Prepared
from serving.stores.schema import Moment, campaigns, in_state, micros, tasks
from serving.stores.turns_sql import keep

_CLAIMABLE = Prepared(
    select(campaigns.c.campaign_id, campaigns.c.number).where(
        campaigns.c.campaign_id == bindparam("own"),
        campaigns.c.queued > literal_column("0"),
        campaigns.c.state.in_([literal_column(f"'{state}'") for state in (State.READY, State.RUNNING)]),
    )
)

_OLDEST = Prepared(
    select(tasks.c.campaign, *KEPT)
    .where(
        tasks.c.campaign == bindparam("own"),
        in_state(TaskState.QUEUED),
        or_(tasks.c.not_before.is_(None), tasks.c.not_before <= bindparam("now", type_=Moment)),
    )
    .order_by(tasks.c.key)
    .limit(bindparam("most", type_=BigInteger))
    .offset(literal_column("0"))
)
"""A campaign's tasks that may run now, oldest first."""

_LEASED = Prepared(
    update(tasks)
    .where(tasks.c.key == bindparam("own"))
    .values(
        state=literal_column(f"'{TaskState.LEASED}'"),
        fence=tasks.c.fence + literal_column("1"),
        not_before=literal_column("NULL"),
    ),
    sets=("owner", "lease_until", "chunk_from", "one_chunk"),
)
_BEGUN = Prepared(
    update(campaigns)
    .where(campaigns.c.number == bindparam("own"))
    .values(
        state=literal_column(f"'{State.RUNNING}'"),
        queued=campaigns.c.queued - bindparam("count"),
        leased=campaigns.c.leased + bindparam("count"),
        begun_at=func.coalesce(campaigns.c.begun_at, bindparam("now", type_=Moment)),
    ),
    sets=("mark",),
)
_LOST = select(tasks.c.key, tasks.c.campaign).where(in_state(TaskState.LEASED))
_RUN_OUT = Prepared(_LOST.where(tasks.c.lease_until <= bindparam("now")))
_OWNED = Prepared(_LOST.where(tasks.c.owner == bindparam("owner")))
_EXTENDED = Prepared(update(tasks).where(tasks.c.key == bindparam("own")), sets=("lease_until",))


class SqlQueue(OnDatabase):
    """Keeps the promises of `WorkQueue`."""

    def claim(self, wanted: Sequence[Want], owner: str, at: datetime, until: datetime) -> list[Lease]:
        """Lease tasks in the order wanted; see `WorkQueue.claim`."""
        most: dict[str, int] = defaultdict(int)
        for want in wanted:
            most[want.campaign_id] += max(want.tasks, 0)
        with self._database.writing() as connection:
            numbers = dict(_CLAIMABLE.each(connection, [{"own": name} for name in most]))
            asked = [{"own": own, "now": micros(at), "most": most[name]} for name, own in numbers.items()]
            oldest: dict[int, deque[Sequence[Any]]] = defaultdict(deque)
            for number, *kept in sorted(_OLDEST.each(connection, asked), key=_key):
                oldest[number].append(kept)
            if not oldest:
                return []
            same = {"now": micros(at), "mark": next_mark(connection)}
            _BEGUN.many(connection, [{"own": own, "count": len(some), **same} for own, some in oldest.items()])
            leases = [
                lease_of(want.campaign_id, oldest[number].popleft(), at, until, one_chunk=want.one_chunk, newer=1)
                for want in wanted
                if (number := numbers.get(want.campaign_id)) is not None
                for _ in range(min(want.tasks, len(oldest[number])))
            ]
            held = {"owner": owner, "lease_until": micros(until), "chunk_from": micros(at)}
            _LEASED.many(connection, [{"own": lease.key, "one_chunk": lease.one_chunk, **held} for lease in leases])
        return leases

    def report(
        self, reports: Sequence[tuple[Lease, Reached | Outcome]], at: datetime, until: datetime
    ) -> list[Lease | None]:
        """Keep what became of leases; see `WorkQueue.report`."""
        with self._database.writing() as connection:
            held, numbers = held_of(connection, (lease for lease, _ in reports))
            turns, answers = judged(reports, held, lambda key: stored_leases(connection, [key])[0], at, until)
            if turns:
                keep(connection, turns, numbers, at, next_mark(connection))
        return answers

    def extend(self, leases: Sequence[Lease], until: datetime) -> list[Lease]:
        """Hold leases for longer; see `WorkQueue.extend`."""
        with self._database.writing() as connection:
            held, _ = held_of(connection, leases)
            kept = [lease for lease in leases if lease.key in held and held[lease.key].fence == lease.fence]
            _EXTENDED.many(connection, [{"own": lease.key, "lease_until": micros(until)} for lease in kept])
        return [replace(lease, until=until) for lease in kept]

    def recover(self, at: datetime, *, attempts: int, owner: str | None = None) -> int:
        """Requeue lost work at its checkpoints; see `WorkQueue.recover`."""
        asked = {"owner": owner, "now": micros(at)}
        lost = _RUN_OUT if owner is None else _OWNED
        with self._database.reading() as connection:
            # Most often nothing is lost, and no writer need wait for that.
            if not lost.all(connection, asked):
                return 0
        with self._database.writing() as connection:
            numbers = dict(lost.all(connection, asked))
            turns = [loss_of(lease, attempts) for lease in stored_leases(connection, numbers)]
            if turns:
                keep(connection, turns, numbers, at, next_mark(connection))
        return len(turns)


def _key(found: Sequence[Any]) -> int:
    return int(found[1])
