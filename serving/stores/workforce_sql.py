"""Who works, and who has taken up which lease, in a SQL database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from serving.scheduling.ports import Out, Worker
from serving.scheduling.work import Lease
from serving.stores.database import OnDatabase
from serving.stores.leases_sql import stored_leases
from serving.stores.lifecycle import TaskState, parts_of
from serving.stores.prepared import Prepared
from serving.stores.schema import campaigns, in_state, micros, moment, tasks, workers

_TAKEN = Prepared(
    update(tasks)
    .where(
        tasks.c.key == bindparam("own"),
        tasks.c.fence == bindparam("held_fence"),
        in_state(TaskState.LEASED),
        tasks.c.owner == bindparam("giver"),
        tasks.c.lease_until > bindparam("now"),
    )
    .returning(tasks.c.key),
    sets=("owner", "lease_until", "chunk_from"),
)
_OUT = Prepared(
    select(
        tasks.c.key,
        tasks.c.fence,
        campaigns.c.campaign_id,
        *(tasks.c.owner, tasks.c.chunk, tasks.c.chunk_from, tasks.c.lease_until),
    )
    .join_from(tasks, campaigns)
    .where(in_state(TaskState.LEASED))
    .order_by(tasks.c.key)
)

_STILL = Prepared(
    select(tasks.c.key).where(
        tasks.c.key == bindparam("own"), tasks.c.fence == bindparam("held_fence"), in_state(TaskState.LEASED)
    )
)
_ALIVE = Prepared(
    select(workers.c.name, workers.c.slots, workers.c.until)
    .where(workers.c.until > bindparam("now"))
    .order_by(workers.c.name)
)


class SqlWorkforce(OnDatabase):
    """Keeps the promises of `Workforce`."""

    def take(self, lease_ids: Sequence[str], giver: str, worker: str, at: datetime, until: datetime) -> list[Lease]:
        """Make a worker the owner of leases; see `Workforce.take`."""
        now = micros(at)
        terms = {"giver": giver, "now": now, "owner": worker, "lease_until": micros(until), "chunk_from": now}
        with self._database.writing() as connection:
            return _in_order(connection, _TAKEN.each(connection, _rows(lease_ids, **terms)), lease_ids)

    def out(self) -> list[Out]:
        """Every lease there is; see `Workforce.out`."""
        with self._database.reading() as connection:
            return [
                Out(f"{key}.{fence}", campaign_id, owner, chunk, moment(chunk_from), moment(until))
                for key, fence, campaign_id, owner, chunk, chunk_from, until in _OUT.all(connection, {})
            ]

    def leased(self, lease_ids: Sequence[str]) -> list[Lease]:
        """Leases by name; see `Workforce.leased`."""
        with self._database.reading() as connection:
            return _in_order(connection, _STILL.each(connection, _rows(lease_ids)), lease_ids)

    def announce(self, worker: Worker, at: datetime) -> None:
        """Let a worker be known; see `Workforce.announce`."""
        told = {"slots": worker.slots, "until": worker.until}
        with self._database.writing() as connection:
            known = update(workers).where(workers.c.name == worker.name).values(**told)
            if not connection.execute(known).rowcount:
                connection.execute(insert(workers).values(name=worker.name, **told))
            connection.execute(delete(workers).where(workers.c.until < at))

    def workers(self, at: datetime) -> list[Worker]:
        """Those believed alive; see `Workforce.workers`."""
        with self._database.reading() as connection:
            return [
                Worker(name, slots, moment(until)) for name, slots, until in _ALIVE.all(connection, {"now": micros(at)})
            ]


def _rows(lease_ids: Sequence[str], **terms: Any) -> list[dict[str, Any]]:
    """Parameters for each of these leases."""
    return [{"own": key, "held_fence": fence, **terms} for key, fence in dict.fromkeys(map(parts_of, lease_ids))]


def _in_order(connection: Connection, found: Sequence[tuple[Any, ...]], lease_ids: Sequence[str]) -> list[Lease]:
    """The leases of the tasks found, in the order in which they were named."""
    leases = {lease.lease_id: lease for lease in stored_leases(connection, [key for (key,) in found])}
    return [leases[lease_id] for lease_id in dict.fromkeys(lease_ids) if lease_id in leases]
