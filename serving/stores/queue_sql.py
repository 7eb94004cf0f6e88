"""Leases on tasks, in a SQL database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, literal_column, or_, select, update

from serving.scheduling.states import State
from serving.scheduling.work import Lease, Outcome, Reached, Want
from serving.stores.batches import batches
from serving.stores.database import OnDatabase
from serving.stores.leases_sql import held_of, leases_of
from serving.stores.lifecycle import TaskState, judged, loss_of
from serving.stores.marks import next_mark
from serving.stores.prepared import Prepared
from serving.stores.schema import campaigns, in_state, micros, tasks
from serving.stores.turns_sql import keep

_CLAIMABLE = (State.READY, State.RUNNING)

_OLDEST = Prepared(
    select(tasks.c.key)
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
_EXTENDED = Prepared(update(tasks).where(tasks.c.key == bindparam("own")), sets=("lease_until",))


class SqlQueue(OnDatabase):
    """Keeps the promises of `WorkQueue`."""

    def claim(self, wanted: Sequence[Want], owner: str, at: datetime, until: datetime) -> list[Lease]:
        """Lease tasks in the order wanted; see `WorkQueue.claim`."""
        with self._database.writing() as connection:
            now = micros(at)
            held = {"owner": owner, "lease_until": micros(until), "chunk_from": now}
            numbers = _claimable(connection, {want.campaign_id for want in wanted})
            taken: dict[int, list[int]] = defaultdict(list)
            rows: list[dict[str, Any]] = []
            for want in wanted:
                number = numbers.get(want.campaign_id)
                if number is None or want.tasks <= 0:
                    continue
                # Nothing is written before all is chosen: what an earlier want took must not be taken twice.
                beyond = taken[number][-1] if taken[number] else 0
                asked = {"own": number, "beyond": beyond, "now": now, "most": want.tasks}
                keys = [row[0] for row in _OLDEST.all(connection, asked)]
                taken[number] += keys
                rows += [{"own": key, "one_chunk": want.one_chunk, **held} for key in keys]
            if not rows:
                return []
            _LEASED.many(connection, rows)
            mark = next_mark(connection)
            begun = {"now": now, "mark": mark}
            _BEGUN.many(connection, [{"own": n, "count": len(keys), **begun} for n, keys in taken.items() if keys])
            return leases_of(connection, [row["own"] for row in rows])

    def report(
        self, reports: Sequence[tuple[Lease, Reached | Outcome]], at: datetime, until: datetime
    ) -> list[Lease | None]:
        """Keep what became of leases; see `WorkQueue.report`."""
        with self._database.writing() as connection:
            held, numbers = held_of(connection, (lease for lease, _ in reports))
            turns, answers = judged(reports, held, lambda key: leases_of(connection, [key])[0], at, until)
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
        lost = tasks.c.lease_until <= at if owner is None else tasks.c.owner == owner
        leased = select(tasks.c.key, tasks.c.campaign).where(in_state(TaskState.LEASED), lost).order_by(tasks.c.key)
        with self._database.reading() as connection:
            # Most often nothing is lost, and no writer need wait for that.
            if connection.execute(leased.limit(1)).first() is None:
                return 0
        with self._database.writing() as connection:
            numbers = dict(connection.execute(leased).tuples().all())
            turns = [loss_of(lease, attempts) for lease in leases_of(connection, numbers)]
            if turns:
                keep(connection, turns, numbers, at, next_mark(connection))
        return len(turns)


def _claimable(connection: Connection, campaign_ids: Collection[str]) -> dict[str, int]:
    """The numbers of those campaigns whose tasks may be leased."""
    found: dict[str, int] = {}
    for some in batches(campaign_ids):
        statement = select(campaigns.c.campaign_id, campaigns.c.number).where(
            campaigns.c.campaign_id.in_(some), campaigns.c.state.in_(_CLAIMABLE)
        )
        found |= dict(connection.execute(statement).tuples().all())
    return found
