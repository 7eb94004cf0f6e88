"""One step of the scheduler as a pure function: what to move, start and stop, given how everything stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from features.curves import hours
from serving.scheduling.board import Board, Policy, waiting_tasks
from serving.scheduling.life import moved, moves_of
from serving.scheduling.ports import Running
from serving.scheduling.states import LIVE, Event, State
from serving.scheduling.work import Decision, Move, Standing


@dataclass(frozen=True)
class Yield:
    """A runner to stop at its next checkpoint; `challenger` is the campaign that takes its slot, if one does."""

    running: Running
    challenger: str | None


@dataclass(frozen=True)
class Plan:
    """What one step does.

    Attributes
    ----------
    moves : changes of state, to be carried out first.
    starts : campaigns that may start tasks, most pressing first, for the `free` slots.
    yields : runners to stop.
    board : the queue after the moves.
    look_again : when time alone changes something; None if it never does.
    """

    moves: list[Move]
    starts: list[str]
    free: int
    yields: list[Yield]
    board: Board
    look_again: datetime | None


def decide(
    standings: Sequence[Standing], running: Sequence[Running], slots: int, policy: Policy, moment: datetime
) -> Plan:
    """Decide what happens at `moment`, on an executor with so many `slots` and these tasks `running`."""
    moves = moves_of(standings, moment)
    board = Board.of([s for s in moved(standings, moves) if s.state in LIVE], slots, policy, moment)
    free = max(slots - len(running), 0)
    stopped = _stopped(board, running)
    yields = stopped + _preempted(board, running, stopped, free)
    return Plan(
        moves=moves,
        starts=[board.standings[board.rows[row]].campaign_id for row in board.contenders],
        free=free,
        yields=yields,
        board=board,
        look_again=_look_again(board, running),
    )


def _stopped(board: Board, running: Sequence[Running]) -> list[Yield]:
    """Runners whose campaign was paused, cancelled or otherwise ended."""
    may_run = {s.campaign_id for s in board.standings if s.state in (State.READY, State.RUNNING)}
    return [Yield(r, None) for r in running if not r.yielding and r.lease.task.campaign_id not in may_run]


def _preempted(board: Board, running: Sequence[Running], stopped: Sequence[Yield], free: int) -> list[Yield]:
    """Runners that give way to a clearly more pressing campaign, least pressing first."""
    rule, now_h = board.policy.preemption, hours(board.moment)
    row_of = {board.standings[i].campaign_id: row for row, i in enumerate(board.rows)}
    leaving = {y.running.lease.lease_id for y in stopped} | {r.lease.lease_id for r in running if r.yielding}
    waiting = _left_waiting(board, free + len(leaving))
    place = {row: at for at, row in enumerate(board.ranked.tolist())}
    runners = [
        (row_of[r.lease.task.campaign_id], r)
        for r in running
        if r.lease.lease_id not in leaving and r.lease.task.campaign_id in row_of
    ]
    preempted: Counter[int] = Counter()
    yields = []
    for row, runner in sorted(runners, key=lambda pair: -place[pair[0]]):
        standing = board.standings[board.rows[row]]
        ran_h = (board.moment - runner.since) / timedelta(hours=1)
        if not rule.disturbs(ran_h, standing.preemptions + preempted[row]):
            continue
        others = np.array([other for other in waiting if other != row], dtype=np.intp)
        challenger = rule.challenger(board.columns, row, others, now_h, board.order)
        if challenger is not None:
            preempted[row] += 1
            waiting[challenger] -= 1
            waiting = +waiting  # drops those with no task left
            yields.append(Yield(runner, board.standings[board.rows[challenger]].campaign_id))
    return yields


def _left_waiting(board: Board, slots: int) -> Counter[int]:
    """Tasks by row that wait although the next `slots` free slots are filled, most pressing first."""
    waiting: Counter[int] = Counter()
    for row in board.contenders:
        tasks = waiting_tasks(board.standings[board.rows[row]])
        started = min(tasks, slots)
        slots -= started
        if tasks > started:
            waiting[row] = tasks - started
    return waiting


def _look_again(board: Board, running: Sequence[Running]) -> datetime | None:
    """The next moment at which something is released, may be retried, ends, or may be preempted."""
    undisturbed = timedelta(hours=board.policy.preemption.min_run_h)
    moments = [r.since + undisturbed for r in running]
    for s in board.standings:
        moments += [m for m in (s.campaign.released_at, s.campaign.ends_at, s.retry_at) if m is not None]
    return min((m for m in moments if m > board.moment), default=None)


def logged(plan: Plan, started: Sequence[str]) -> list[Decision]:
    """The log rows of a carried-out plan, in which tasks of the campaigns `started` were leased."""
    board = plan.board
    decisions = [
        Decision(campaign_id=move.campaign_id, at=board.moment, chosen="expire", reason="its end passed")
        for move in plan.moves
        if move.event is Event.EXPIRE
    ]
    places = {row: at for at, row in enumerate(board.contenders, start=1)}
    rows = {board.standings[i].campaign_id: row for row, i in enumerate(board.rows)}
    for campaign_id in started:
        row = rows[campaign_id]
        reason = f"first {len(started)} of {len(places)} for {plan.free} free slots"
        decisions.append(_decision(board, row, "start", reason, places.get(row)))
    for y in plan.yields:
        row_or_none = rows.get(y.running.lease.task.campaign_id)
        if row_or_none is not None and y.challenger is not None:
            decisions.append(_decision(board, row_or_none, "yield", f"outranked by {y.challenger}", None))
    return decisions


def _decision(board: Board, row: int, chosen: str, reason: str, place: int | None) -> Decision:
    standing = board.standings[board.rows[row]]
    return Decision(
        campaign_id=standing.campaign_id,
        at=board.moment,
        chosen="start" if chosen == "start" else "yield",
        reason=reason,
        model_version=standing.model_version,
        source=standing.source,
        value=None if standing.estimate is None else standing.estimate.value,
        processing_h=float(board.columns.remaining_h[row]),
        index=None if board.by_matrix else float(board.indices[row]),
        score=board.scores[row],
        rank=place,
    )
