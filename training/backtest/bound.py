"""What no order of work can exceed: a linear program over start times, with true values and durations known.

Each campaign may be split over start hours, so that the optimum bounds every schedule from above, by how much is
not known. A true schedule becomes a solution of it by moving each start back to the hour begun: it earns no less,
and the work in any span of L hours was done within L + 1 hours, so that it is at most workers x (L + 1).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, hstack, vstack

from features.curves import Floats, Indices
from training.backtest.setting import Draw, PlayedWeek, Setting

_SPANS_H = (6, 12, 24, 48)
"""Spans whose capacity is kept to, beside that from the beginning on: each loosens by one hour in so many."""


def upper_bound(week: PlayedWeek, draw: Draw, setting: Setting) -> float:
    """Dollars that no uninterrupted schedule of this week exceeds in this replicate.

    Raises
    ------
    ArithmeticError
        When the solver finds no optimum.
    """
    begins_h = float(draw.released_h.min())
    hours = int(np.ceil(draw.ends_h.max() - begins_h))
    who, hour, worth = _starts(week, draw, begins_h, hours)
    work = _work_in_each_hour(hour, draw.actual_h[who], hours)
    columns = len(who)
    # Beside how much of each campaign starts when: the work done by the end of each hour.
    running_sum = csr_array(np.eye(hours) - np.eye(hours, k=-1))
    once = coo_array((np.ones(columns), (who, np.arange(columns))), shape=(len(draw.actual_h), columns + hours))
    spans, room = _capacity(hours, columns, setting.workers)
    solved = linprog(
        -np.concatenate([worth, np.zeros(hours)]),
        A_ub=vstack([once, spans], format="csr"),
        b_ub=np.concatenate([np.ones(len(draw.actual_h)), room]),
        A_eq=hstack([-work, running_sum], format="csr"),
        b_eq=np.zeros(hours),
        method="highs",
    )
    if not solved.success:
        raise ArithmeticError(f"no bound for week {week.week}: {solved.message}")
    return float(-solved.fun)


def _starts(week: PlayedWeek, draw: Draw, begins_h: float, hours: int) -> tuple[Indices, Indices, Floats]:
    """Campaign, hour and dollars of every start that would still earn something."""
    who, hour, worth = [], [], []
    for at in range(hours):
        ready = draw.released_h < begins_h + at + 1
        dollars = week.paid(np.maximum(begins_h + at, draw.released_h) + draw.actual_h, draw)
        earning = np.flatnonzero(ready & (dollars > 0))
        who.append(earning)
        hour.append(np.full(len(earning), at))
        worth.append(dollars[earning])
    return np.concatenate(who), np.concatenate(hour), np.concatenate(worth)


def _work_in_each_hour(starts: Indices, actual_h: Floats, hours: int) -> coo_array:
    """Slot-hours that each start takes of each hour, shape (hours, starts)."""
    rows, columns, amounts = [], [], []
    for later in range(int(np.ceil(actual_h.max()))):
        amount = np.clip(actual_h - later, 0.0, 1.0)
        inside = np.flatnonzero((amount > 0) & (starts + later < hours))
        rows.append((starts + later)[inside])
        columns.append(inside)
        amounts.append(amount[inside])
    placed = (np.concatenate(amounts), (np.concatenate(rows), np.concatenate(columns)))
    return coo_array(placed, shape=(hours, len(starts)))


def _capacity(hours: int, starts: int, workers: int) -> tuple[csr_array, Floats]:
    """Rows that limit the work of spans, after empty columns of `starts`, and how much each may hold."""
    blocks, room = [np.eye(hours)], [workers * (np.arange(hours) + 2.0)]
    for span in _SPANS_H:
        blocks.append((np.eye(hours) - np.eye(hours, k=-span))[span:])
        room.append(np.full(max(hours - span, 0), workers * (span + 1.0)))
    done = csr_array(np.concatenate(blocks))
    return hstack([csr_array((done.shape[0], starts)), done], format="csr"), np.concatenate(room)
