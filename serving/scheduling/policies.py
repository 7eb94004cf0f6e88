"""Orders of work, by name: each gives every campaign a key, larger first.

Keys are never negative, so that a boost above 1 always helps. An order that knows nothing of value spells out
its own ties, as nobody may win them by value: its keys are places in line, and a boost multiplies the places.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from features.curves import Floats
from serving import priority
from serving.scheduling.columns import Columns

Order = Callable[[Columns, float], Floats]
"""Keys of campaigns at a moment (hours since the epoch). Pure; the larger key goes first."""


def fifo(columns: Columns, moment_h: float) -> Floats:  # noqa: ARG001
    """First come, first served; then first submitted."""
    return _in_turn(columns.submitted_h, columns.ready_h)


def spt(columns: Columns, moment_h: float) -> Floats:  # noqa: ARG001
    """Shortest remaining processing time first."""
    return _in_turn(columns.submitted_h, columns.needed_h)


def edf(columns: Columns, moment_h: float) -> Floats:  # noqa: ARG001
    """Earliest deadline first: when it is due, or its end if that comes before."""
    return _in_turn(columns.submitted_h, np.minimum(columns.curves.due_h, columns.curves.ends_h))


def matrix(columns: Columns, moment_h: float) -> Floats:  # noqa: ARG001
    """Most points of the hand-weighted matrix first."""
    return columns.points


def vp(columns: Columns, moment_h: float) -> Floats:  # noqa: ARG001
    """Most value per slot-hour first, blind to time (Smith's rule)."""
    value: Floats = columns.at_stake.value / columns.needed_h
    return np.maximum(value, 0.0)


def index(horizon_h: float) -> Order:
    """Most expected value lost per slot-hour first, looking `horizon_h` hours ahead on average."""

    def by_index(columns: Columns, moment_h: float) -> Floats:
        return priority.index(columns.at_stake, columns.needed_h, columns.delay_h, moment_h, horizon_h)

    return by_index


ORDERS: dict[str, Callable[[float], Order]] = {
    "fifo": lambda _: fifo,
    "spt": lambda _: spt,
    "edf": lambda _: edf,
    "matrix": lambda _: matrix,
    "vp": lambda _: vp,
    "index": index,
}
"""Every order by its name, made for a horizon in hours, which only `index` looks at."""


def order_named(name: str, horizon_h: float) -> Order:
    """The order of that name.

    Raises
    ------
    ValueError
        When there is none; it lists those there are.
    """
    try:
        make = ORDERS[name]
    except KeyError:
        raise ValueError(f"order {name!r} is unknown: one of {', '.join(ORDERS)}") from None
    return make(horizon_h)


def _in_turn(then: Floats, first: Floats) -> Floats:
    """Distinct keys, n for the smallest `first`, down to 1; ties by the smaller `then`, then by row."""
    keys = np.empty(len(first))
    keys[np.lexsort((then, first))] = np.arange(len(first), 0, -1)
    return keys
