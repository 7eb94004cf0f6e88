"""When a live campaign will start and be done, told at once: also of one that came after the latest outlook.

Such a one takes the turn of whom it pushes back, which is known: nobody waits for the next outlook, and no request
plays anything.
"""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from math import hypot, inf
from statistics import NormalDist

from features.curves import hours
from serving.scheduling.ahead.eta import Eta
from serving.scheduling.board import Board, Entry, moment_at
from serving.scheduling.reasons import Reason
from serving.scheduling.work import Standing

_Z90 = NormalDist().inv_cdf(0.9)
_HAIR_H = 1e-9

Span = tuple[float, float]
"""p50 and p90, hours since the epoch; p90 infinite for nobody knows when."""


def eta_of(board: Board, campaign_id: str) -> Eta | None:
    """A campaign's ETA by the latest outlook, or by its turn; None for one that is not live, or has no turn yet."""
    row = board.row_of.get(campaign_id)
    if row is None:
        return None
    foreseen = board.etas.get(campaign_id)
    if foreseen is not None or not board.estimated[row]:
        return foreseen
    start = _start(board, board.standings[row])
    return None if start is None else _from(board, row, start)


def _start(board: Board, standing: Standing) -> Span | None:
    if standing.begun_at is not None:
        return hours(standing.begun_at), hours(standing.begun_at)
    entry = board.entry(standing.campaign_id)
    if entry is None or not _contends(entry):
        return None
    behind = _next_foreseen(board, entry.position)
    if behind is not None and _contends(behind):
        pushed_back = board.etas[behind.standing.campaign_id]
        return _span(pushed_back.start_p50, pushed_back.start_p90)
    if entry.position == 1:
        return hours(board.moment), hours(board.moment)
    # The last in line goes on where the one before it is done.
    ahead = board.standings[board.line[entry.position - 2]]
    if ahead.campaign_id not in board.etas and ahead.begun_at is None:
        return None
    last = eta_of(board, ahead.campaign_id)
    return None if last is None else _span(last.p50, last.p90)


def _next_foreseen(board: Board, position: int) -> Entry | None:
    """The first behind a position that is still to begin, and that the latest outlook has."""
    if not board.etas:
        return None
    behind = (board.standings[row] for row in islice(board.line, position, None))
    foreseen = (each.campaign_id for each in behind if each.begun_at is None and each.campaign_id in board.etas)
    return next((board.entry(campaign_id) for campaign_id in foreseen), None)


def _contends(entry: Entry) -> bool:
    """Whether it waits for nothing but its turn."""
    return entry.why is not None and entry.why.reason in (Reason.OUTRANKED, Reason.NO_WORKER)


def _from(board: Board, row: int, start: Span) -> Eta:
    """From a start on, all of the work it has left; the two are taken to be independent, and normal."""
    estimate, columns = board.standings[row].estimate, board.lineup.columns
    length_h = float(columns.remaining_h[row] / columns.slots[row])
    ratio = 1.0 if estimate is None else estimate.p90_h / max(estimate.p50_h, _HAIR_H)
    done_h = start[0] + length_h
    late_h = hypot(start[1] - start[0], length_h * max(ratio - 1.0, 0.0))
    due_h = float(columns.curves.due_h[row])
    return Eta(
        start_p50=moment_at(start[0]),
        start_p90=moment_at(start[1]),
        p50=moment_at(done_h),
        p90=moment_at(done_h + late_h),
        in_time=NormalDist(done_h, max(late_h / _Z90, _HAIR_H)).cdf(due_h) if max(due_h, late_h) < inf else None,
    )


def _span(p50: datetime | None, p90: datetime | None) -> Span | None:
    return None if p50 is None else (hours(p50), hours(p90))
