"""Leases on tasks, in a SQL database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, func, literal_column, or_, select, update

from serving.scheduling.states import State
from serving.scheduling.work import Lease, Outcome, Reached, Want
from serving.stores.database import OnDatabase
from serving.stores.leases_sql import KEPT, held_of, lease_of, stored_lease
from serving.stores.lifecycle import TaskState, judged, loss_of
from serving.stores.marks import next_mark
from serving.stores.prepared import Prepared
from serving.stores.schema import campaigns, in_state, micros, tasks
from serving.stores.turns_sql import keep

_CLAIMABLE = Prepared(
    select(campaigns.c.number).where(
        campaigns.c.campaign_id == bindparam("own"),
        campaigns.c.queued > literal_column("0"),
        campaigns.c.state.in_([literal_column(f"'{state}'") for state in (State.READY, State.RUNNING)]),
    )
)

_OLDEST = Prepared(
    select(*KEPT)
    .where(
        tasks.c.campaign == bindparam("own"),
        in_state(TaskState.QUEUED),
        tasks.c.key > bindparam("beyond"),
        or_(tasks.c.not_before.is_(None), tasks.c.not_before <= bindparam("now")),
    )
    .order_by(tasks.c.key)
    .limit(bindparam("most"))
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
        begun_at=func.coalesce(campaigns.c.begun_at, bindparam("now")),
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
        now, leases = micros(at), []
        held = {"owner": owner, "lease_until": micros(until), "chunk_from": now}
        begun: dict[int, int] = defaultdict(int)
        last: dict[int, int] = defaultdict(int)
        with self._database.writing() as connection:
            for want in wanted:
                for (number,) in _CLAIMABLE.all(connection, {"own": want.campaign_id}):
                    # Nothing is written before all is chosen: what an earlier want took must not be taken twice.
                    asked = {"own": number, "beyond": last[number], "now": now, "most": max(want.tasks, 0)}
                    for kept in _OLDEST.all(connection, asked):
                        one_chunk = want.one_chunk
                        leases.append(lease_of(want.campaign_id, kept, at, until, one_chunk=one_chunk, newer=1))
                        begun[number] += 1
                        last[number] = leases[-1].key
            if leases:
                _LEASED.many(connection, [{"own": lease.key, "one_chunk": lease.one_chunk, **held} for lease in leases])
                same = {"now": now, "mark": next_mark(connection)}
                _BEGUN.many(connection, [{"own": own, "count": count, **same} for own, count in begun.items()])
        return leases

    def report(
        self, reports: Sequence[tuple[Lease, Reached | Outcome]], at: datetime, until: datetime
    ) -> list[Lease | None]:
        """Keep what became of leases; see `WorkQueue.report`."""
        with self._database.writing() as connection:
            held, numbers = held_of(connection, (lease for lease, _ in reports))
            turns, answers = judged(reports, held, lambda key: stored_lease(connection, key), at, until)
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
            numbers = dict(sorted(lost.all(connection, asked)))
            turns = [loss_of(stored_lease(connection, key), attempts) for key in numbers]
            if turns:
                keep(connection, turns, numbers, at, next_mark(connection))
        return len(turns)
