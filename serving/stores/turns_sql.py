"""What reports make of tasks, written to a SQL database: each kind of change in one go."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Text, bindparam, func, insert, literal_column, select, update

from serving.stores.lifecycle import Tally, TaskState, Turn
from serving.stores.prepared import Prepared
from serving.stores.schema import Moment, campaigns, in_state, micros, runs, task_order, tasks

_ADVANCED = Prepared(
    update(tasks).where(tasks.c.key == bindparam("own")),
    sets=("checkpoint", "units_done", "chunk", "attempts", "chunk_from", "lease_until"),
)
_ENDED = Prepared(
    update(tasks)
    .where(tasks.c.key == bindparam("own"))
    .values(
        enqueued_at=func.coalesce(bindparam("queued_at", type_=Moment), tasks.c.enqueued_at),
        error=func.coalesce(bindparam("failed_with", type_=Text), tasks.c.error),
    ),
    sets=("state", "units_done", "attempts", "not_before", "ended_at"),
)
_RUN = Prepared(insert(runs), sets=tuple(column.name for column in runs.c if column.name != "id"))
_QUEUED = Prepared(update(tasks).where(tasks.c.key == bindparam("own")), sets=("state", "enqueued_at"))
_WAITING = Prepared(
    select(campaigns.c.number).where(
        campaigns.c.number == bindparam("own"),
        campaigns.c.tasks > campaigns.c.queued + campaigns.c.leased + campaigns.c.done + campaigns.c.dead,
    )
)
"""The campaign, if tasks of it follow others that are not done."""

_before, _earlier = tasks.alias("before"), task_order.alias("earlier")
_FOLLOWING = Prepared(
    select(task_order.c.key, tasks.c.campaign)
    .join_from(task_order, tasks, tasks.c.key == task_order.c.key)
    .where(
        task_order.c.after_key == bindparam("own"),
        in_state(TaskState.WAITING),
        ~select(_earlier.c.key)
        .join_from(_earlier, _before, _before.c.key == _earlier.c.after_key)
        .where(_earlier.c.key == task_order.c.key, _before.c.state != literal_column(f"'{TaskState.DONE}'"))
        .exists(),
    )
)
"""Tasks that waited for one, and have nothing left to wait for."""

_SUMMED = ("units_done", "chunks_done", "spent_s", "queued", "leased", "done", "dead", "preemptions")
_COUNTED = Prepared(
    update(campaigns)
    .where(campaigns.c.number == bindparam("own"))
    .values(
        {name: campaigns.c[name] + bindparam(f"more_{name}") for name in _SUMMED}
        | {"worked_at": func.coalesce(bindparam("gave_back_at", type_=Moment), campaigns.c.worked_at)}
    ),
    sets=("mark",),
)


def keep(connection: Connection, turns: Sequence[Turn], numbers: Mapping[int, int], at: datetime, mark: int) -> None:
    """Write turns with all that follows from them: runs, the campaigns' counters, and successors that may run now.

    Parameters
    ----------
    numbers : of the campaigns, by key of the task.
    """
    now = micros(at)
    tallies: dict[int, Tally] = defaultdict(Tally)
    for turn in turns:
        tallies[numbers[turn.was.key]].add(turn, at)
    _ADVANCED.many(connection, [_advanced(turn) for turn in turns if turn.state is TaskState.LEASED])
    _ENDED.many(connection, [_ended(turn, now) for turn in turns if turn.state is not TaskState.LEASED])
    _RUN.many(connection, [_run(turn, at) for turn in turns if turn.logged is not None])
    opened = _successors(connection, turns, numbers)
    _QUEUED.many(connection, [{"own": key, "state": TaskState.QUEUED, "enqueued_at": now} for key, _ in opened])
    for _, number in opened:
        tallies[number].queued += 1
    _COUNTED.many(connection, [_counted(number, tally, now, mark) for number, tally in tallies.items()])


def _advanced(turn: Turn) -> dict[str, Any]:
    lease = turn.now
    return {
        "own": lease.key,
        "checkpoint": None if lease.checkpoint is None else json.dumps(lease.checkpoint),
        "units_done": lease.units_done,
        "chunk": lease.chunk,
        "attempts": lease.attempts,
        "chunk_from": micros(lease.chunk_from),
        "lease_until": micros(lease.until),
    }


def _ended(turn: Turn, now: int) -> dict[str, Any]:
    queued = turn.state is TaskState.QUEUED
    return {
        "own": turn.was.key,
        "state": turn.state.value,
        "units_done": turn.now.units_done,
        "attempts": turn.now.attempts,
        "queued_at": now if queued else None,
        "not_before": None if turn.retry_at is None else micros(turn.retry_at),
        "ended_at": None if queued else now,
        "failed_with": turn.error,
    }


def _run(turn: Turn, at: datetime) -> dict[str, Any]:
    run = turn.run(at)
    return run | {name: micros(run[name]) for name in ("enqueued_at", "started_at", "finished_at")}


def _counted(number: int, tally: Tally, now: int, mark: int) -> dict[str, Any]:
    more = {f"more_{name}": getattr(tally, name) for name in _SUMMED}
    return {"own": number, "gave_back_at": now if tally.ended else None, "mark": mark, **more}


def _successors(connection: Connection, turns: Iterable[Turn], numbers: Mapping[int, int]) -> list[tuple[int, int]]:
    """Key and campaign of the tasks that waited for the last of those done now, and for nothing else."""
    done = [(turn.was.key, numbers[turn.was.key]) for turn in turns if turn.state is TaskState.DONE]
    waited_for = set(_WAITING.each(connection, [{"own": number} for number in {number for _, number in done}]))
    followed = [{"own": key} for key, number in done if (number,) in waited_for]
    return list(dict.fromkeys((key, number) for key, number in _FOLLOWING.each(connection, followed)))
