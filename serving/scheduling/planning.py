"""The compiled part of the planner; imported when a plan is made.

Compiled because a plan is some hundred thousand small steps, each depending on the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from features.curves import DEADLINE, WINDOW, Curves, Floats, Indices
from features.rhythm import WEEK_H

_Function = TypeVar("_Function", bound=Callable[..., Any])

VALUE, STARTS, ENDS, DUE, SHAPE, LATE_FRACTION, HALF_LIFE, WORK = range(8)
"""Columns of `facts`."""


def compiled(function: _Function) -> _Function:
    """The function, compiled when first called and kept on disk; it lets other threads run meanwhile."""
    return cast("_Function", numba.njit(cache=True, nogil=True)(function))


def clock_of(curves: Curves) -> Floats:
    """`Rhythm.clock` of curves, or nothing where value accrues evenly; for compiled code."""
    return np.zeros(0) if curves.rhythm is None else curves.rhythm.clock


def facts(curves: Curves, work_h: Floats) -> Floats:
    """Curves and the hours from starting to going live as one matrix, one row a campaign, for compiled code."""
    return np.column_stack(
        [
            curves.value,
            curves.starts_h,
            curves.ends_h,
            curves.due_h,
            curves.shape.astype(float),
            curves.late_fraction,
            curves.half_life_h,
            work_h,
        ]
    )


@compiled
def elapsed(clock: Floats, moment_h: float) -> float:
    """`Rhythm.elapsed`, compiled."""
    begun = np.floor(moment_h)
    hour = int(begun % WEEK_H)
    return float(begun - hour + clock[hour] + (moment_h - begun) * (clock[hour + 1] - clock[hour]))


@compiled
def worth_at(known: Floats, clock: Floats, i: int, live_h: float) -> float:
    """V(tau) of row `i` of `facts`, in dollars: `features.curves.value_at`, compiled."""
    # The matrix and a row number, as a view of each row costs more than all that is done with it.
    if not live_h < known[i, ENDS]:
        return 0.0
    value, late_by = known[i, VALUE], max(live_h - known[i, STARTS], 0.0)
    if known[i, SHAPE] == DEADLINE:
        return float(value if live_h <= known[i, DUE] else value * known[i, LATE_FRACTION])
    if known[i, SHAPE] == WINDOW:
        starts, ends = known[i, STARTS], known[i, ENDS]
        if len(clock) == 0:
            return float(value * (1 - late_by / (ends - starts)))
        opened = elapsed(clock, starts)
        return float(value * (1 - max(elapsed(clock, live_h) - opened, 0.0) / (elapsed(clock, ends) - opened)))
    return float(value * np.exp2(-late_by / known[i, HALF_LIFE]))


@compiled
def _place(
    k: int, known: Floats, clock: Floats, i: int, free_h: Floats, earned: Floats, now_h: float, stretch: float
) -> None:
    """Give place `k` of the line to campaign `i`: on the slot that is free first."""
    slot = 0
    for s in range(free_h.shape[1]):
        free_h[k + 1, s] = free_h[k, s]
        if free_h[k, s] < free_h[k, slot]:
            slot = s
    starts_h = free_h[k, slot]
    free_h[k + 1, slot] = starts_h + known[i, WORK]
    earned[k + 1] = earned[k] + worth_at(known, clock, i, now_h + starts_h * stretch + known[i, WORK])


@compiled
def improve(
    line: Indices, known: Floats, clock: Floats, offsets_h: Floats, now_h: float, stretch: float, tries: int, seed: int
) -> float:
    """Improve a line in place by random swaps and moves; what it earns in the end, in dollars.

    Parameters
    ----------
    line : rows of `known`, the first to start first.
    known, clock : see `facts`, `clock_of`.
    offsets_h : hours from now at which each slot comes free.
    stretch : how many times later than planned work starts, 1 or more.
    """
    n = len(line)
    free_h, earned = np.empty((n + 1, len(offsets_h))), np.zeros(n + 1)  # before each place of the line
    free_h[0] = offsets_h
    for k in range(n):
        _place(k, known, clock, line[k], free_h, earned, now_h, stretch)
    trial, trial_free_h, trial_earned = line.copy(), free_h.copy(), earned.copy()
    np.random.seed(seed)  # noqa: NPY002 - compiled code has this generator, its own, and no other
    for _ in range(tries):
        one, other = np.random.randint(0, n), np.random.randint(0, n)  # noqa: NPY002
        first, last = min(one, other), max(one, other)
        if first == last:
            continue
        if np.random.random() < 0.5:  # noqa: NPY002
            trial[first], trial[last] = line[last], line[first]
        elif one < other:
            trial[first:last] = line[first + 1 : last + 1]
            trial[last] = line[first]
        else:
            trial[first + 1 : last + 1] = line[first:last]
            trial[first] = line[last]
        # All before the first change stays as it is.
        trial_free_h[first], trial_earned[first] = free_h[first], earned[first]
        for k in range(first, n):
            _place(k, known, clock, trial[k], trial_free_h, trial_earned, now_h, stretch)
        if trial_earned[n] > earned[n]:
            line[first:] = trial[first:]
            free_h[first:] = trial_free_h[first:]
            earned[first:] = trial_earned[first:]
        else:
            trial[first : last + 1] = line[first : last + 1]
    return float(earned[n])
