"""The play, compiled, for what a backtest plays most: uninterrupted work, one slot a campaign.

`serving.scheduling.play` is the definition; this equals it on any queue it covers (a property test says so), some
thirty times faster. What it does not cover, such as preemption, pins, boosts and the planner, is played there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.curves import DEADLINE, HALF_LIFE, WINDOW, Floats
from features.rhythm import WEEK_H
from serving.scheduling.columns import Columns
from serving.scheduling.planning import (
    DUE,
    ENDS,
    LATE_FRACTION,
    SHAPE,
    STARTS,
    VALUE,
    WORK,
    clock_of,
    compiled,
    elapsed,
    facts,
    worth_at,
)
from serving.scheduling.planning import HALF_LIFE as HALF_LIFE_H
from serving.scheduling.policies import STATIC, Atc, Index, Order, Shuffled, gcmu

_STATIC, _INDEX, _ATC, _SLOPE = range(4)


def covers(columns: Columns, order: Order) -> bool:
    """Whether this order of these campaigns can be played here."""
    known = isinstance(order, Index | Atc | Shuffled) or order in (*STATIC, gcmu)
    plain = (columns.slots == 1).all() and (columns.boost == 1).all() and not columns.pinned.any()
    return known and bool(plain)


def finished_h(columns: Columns, actual_h: Floats, workers: int, order: Order, start_h: float, expire: bool) -> Floats:
    """When each campaign is complete, hours since the epoch; infinite for never. See `play`, whose results these are.

    Raises
    ------
    ValueError
        When this order of these campaigns is not covered.
    """
    if not covers(columns, order):
        raise ValueError("only uninterrupted campaigns of one slot, without pins and boosts, under an order known here")
    kind, parameters = _coded(order)
    keys = order(columns, start_h) if kind == _STATIC else np.zeros(len(columns))
    horizon_h, rhythm = float(parameters[0]), columns.curves.rhythm
    ahead = np.zeros(0) if rhythm is None or kind != _INDEX else rhythm.ahead_of_hours(horizon_h)
    return _play(
        facts(columns.at_stake, columns.delay_h),
        clock_of(columns.curves),
        ahead,
        columns.needed_h,
        np.maximum(columns.ready_h, start_h),
        columns.submitted_h,
        np.asarray(actual_h, dtype=float),
        keys,
        kind,
        parameters,
        workers,
        start_h,
        expire,
    )


def _coded(order: Order) -> tuple[int, Floats]:
    if isinstance(order, Index):
        return _INDEX, np.array([order.horizon_h, order.emphasis])
    if isinstance(order, Atc):
        return _ATC, np.array([order.horizon_h, 0.0])
    return (_SLOPE if order is gcmu else _STATIC), np.zeros(2)


@compiled
def _drop(dollars: float, at_h: float, live_h: float, horizon_h: float) -> float:
    return float(dollars * np.exp(min(live_h - at_h, 0.0) / horizon_h))


@compiled
def _ahead(clock: Floats, ahead: Floats, moment_h: float, horizon_h: float) -> float:
    """`Rhythm.ahead`, given what it is at the beginning of each hour."""
    begun = np.floor(moment_h)
    hour = int(begun % WEEK_H)
    rest = (begun + 1 - moment_h) / horizon_h
    seen = (clock[hour + 1] - clock[hour]) * horizon_h * -np.expm1(-rest)
    return float(seen + np.exp(-rest) * ahead[hour + 1])


@compiled
def _rhythmic(known: Floats, clock: Floats, ahead: Floats, i: int, live_h: float, horizon_h: float) -> float:
    """`_index` of a window whose value accrues in a rhythm."""
    value, starts, ends = known[i, VALUE], known[i, STARTS], known[i, ENDS]
    from_h = min(max(starts, live_h), ends)
    after = np.exp((from_h - ends) / horizon_h) * _ahead(clock, ahead, ends, horizon_h)
    seen = max(_ahead(clock, ahead, from_h, horizon_h) - after, 0.0)
    slope = value / (elapsed(clock, ends) - elapsed(clock, starts))
    return float(slope * np.exp((min(live_h, from_h) - from_h) / horizon_h) * seen)


@compiled
def _index(known: Floats, clock: Floats, ahead: Floats, i: int, live_h: float, horizon_h: float) -> float:
    """E[V(a) - V(a+X)], `serving.priority.expected_loss` of one campaign."""
    value, starts, ends = known[i, VALUE], known[i, STARTS], known[i, ENDS]
    if known[i, SHAPE] == DEADLINE:
        due, late = known[i, DUE], known[i, LATE_FRACTION]
        at_due = 0.0 if ends <= due else value * (1 - late)
        at_end = value if ends <= due else value * late
        lost = _drop(at_due, due, live_h, horizon_h) if live_h <= due else 0.0
        return float(lost + (_drop(at_end, ends, live_h, horizon_h) if live_h < ends else 0.0))
    from_h = max(starts, live_h)
    span = max(ends - from_h, 0.0)
    if known[i, SHAPE] == WINDOW:
        if len(clock):
            return float(_rhythmic(known, clock, ahead, i, live_h, horizon_h))
        slope = value / (ends - starts)
        return float(slope * horizon_h * np.exp((live_h - from_h) / horizon_h) * -np.expm1(-span / horizon_h))
    if not live_h < ends:
        return 0.0
    rate = np.log(2) / known[i, HALF_LIFE_H]
    there = value * np.exp(-rate * (from_h - starts)) * np.exp((live_h - from_h) / horizon_h)
    faded = -np.expm1(-(rate + 1 / horizon_h) * span)
    return float(there * rate / (rate + 1 / horizon_h) * faded + there * (1 - faded))


@compiled
def _slope(known: Floats, clock: Floats, i: int, live_h: float) -> float:
    starts, ends = known[i, STARTS], known[i, ENDS]
    if not starts <= live_h < ends:
        return 0.0
    if known[i, SHAPE] == WINDOW:
        if len(clock) == 0:
            return float(known[i, VALUE] / (ends - starts))
        hour = int(np.floor(live_h) % WEEK_H)
        mean_hours = elapsed(clock, ends) - elapsed(clock, starts)
        return float(known[i, VALUE] / mean_hours * (clock[hour + 1] - clock[hour]))
    if known[i, SHAPE] == HALF_LIFE:
        return float(worth_at(known, clock, i, live_h) * np.log(2) / known[i, HALF_LIFE_H])
    return 0.0


@compiled
def _key(
    known: Floats,
    clock: Floats,
    ahead: Floats,
    needed_h: Floats,
    i: int,
    now_h: float,
    kind: int,
    parameters: Floats,
) -> float:
    live_h = now_h + known[i, WORK]
    horizon_h = parameters[0]
    if kind == _INDEX:
        key = max(_index(known, clock, ahead, i, live_h, horizon_h) / needed_h[i], 0.0)
        return float(key * needed_h[i] ** parameters[1] if parameters[1] else key)
    if kind == _SLOPE:
        return float(max(_slope(known, clock, i, live_h) / needed_h[i], 0.0))
    if not live_h < known[i, ENDS]:
        return 0.0
    due = min(known[i, DUE] if known[i, SHAPE] == DEADLINE else known[i, STARTS], known[i, ENDS])
    density = max(known[i, VALUE] / needed_h[i], 0.0)
    return float(density * np.exp(-max(due - live_h, 0.0) / horizon_h))


@compiled
def _first(
    known: Floats,
    clock: Floats,
    ahead: Floats,
    needed_h: Floats,
    submitted_h: Floats,
    ready: npt.NDArray[np.bool_],
    now_h: float,
    keys: Floats,
    kind: int,
    parameters: Floats,
) -> int:
    """First in `serving.scheduling.rank` of those ready; -1 if none is."""
    best, best_key, best_density = -1, 0.0, np.nan
    for i in range(len(ready)):
        if not ready[i]:
            continue
        key = keys[i] if kind == _STATIC else _key(known, clock, ahead, needed_h, i, now_h, kind, parameters)
        if best >= 0 and key < best_key:
            continue
        density = np.nan  # V/p is only worked out where it breaks a tie; then goes the older, then the upper row
        if best >= 0 and key == best_key:
            density = worth_at(known, clock, i, now_h + known[i, WORK]) / needed_h[i]
            if np.isnan(best_density):
                best_density = worth_at(known, clock, best, now_h + known[best, WORK]) / needed_h[best]
            if density < best_density or (density == best_density and submitted_h[i] >= submitted_h[best]):
                continue
        best, best_key, best_density = i, key, density
    return best


@compiled
def _play(
    known: Floats,
    clock: Floats,
    ahead: Floats,
    needed_h: Floats,
    ready_h: Floats,
    submitted_h: Floats,
    actual_h: Floats,
    keys: Floats,
    kind: int,
    parameters: Floats,
    workers: int,
    start_h: float,
    expire: bool,
) -> Floats:
    finished: Floats = np.full(len(ready_h), np.inf)
    waits: npt.NDArray[np.bool_] = np.ones(len(ready_h), dtype=np.bool_)
    until_h = np.full(workers, -np.inf)  # when each slot comes free
    now = start_h
    while now < np.inf:
        ready = waits & (ready_h <= now)
        if expire:
            ready &= known[:, ENDS] > now
        for slot in range(workers):
            if until_h[slot] <= now:
                first = _first(known, clock, ahead, needed_h, submitted_h, ready, now, keys, kind, parameters)
                if first < 0:
                    break
                waits[first] = ready[first] = False
                finished[first] = until_h[slot] = now + actual_h[first]
        upcoming = np.inf
        for moment in until_h:
            if now < moment < upcoming:
                upcoming = moment
        for i in range(len(ready_h)):
            if waits[i] and now < ready_h[i] < upcoming:
                upcoming = ready_h[i]
        now = upcoming
    return finished
