"""Orders of work, by name: each gives every campaign a key, larger first.

Keys are never negative, so that a boost above 1 always helps. An order that knows nothing of value spells out
its own ties, as nobody may win them by value: its keys are places in line, and a boost multiplies the places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.curves import DEADLINE, HALF_LIFE, WINDOW, Floats, share_left
from serving import priority
from serving.scheduling.columns import Columns
from serving.scheduling.planner import Planner

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


def value(columns: Columns, moment_h: float) -> Floats:  # noqa: ARG001
    """Most value first, however long its work takes and whenever its value runs out."""
    return np.maximum(columns.at_stake.value, 0.0)


def vp(columns: Columns, moment_h: float) -> Floats:  # noqa: ARG001
    """Most value per slot-hour first, blind to time (Smith's rule, weighted shortest processing time)."""
    value: Floats = columns.at_stake.value / columns.needed_h
    return np.maximum(value, 0.0)


def gcmu(columns: Columns, moment_h: float) -> Floats:
    """Most value lost per hour of delay and slot-hour of work first: the generalised c-mu rule.

    -V'(t+d)/p (van Mieghem 1995), what the index tends to as its horizon shrinks, over that horizon. A drop has no
    slope: before and after its due time a deadline counts as nothing here, and such campaigns go by V/p.
    """
    curves, live = columns.at_stake, moment_h + columns.delay_h
    with np.errstate(invalid="ignore"):  # infinite parameters of other shapes
        window = curves.value / (curves.ends_h - curves.starts_h)
        if (rhythm := curves.rhythm) is not None:
            mean_hours = rhythm.elapsed(curves.ends_h) - rhythm.elapsed(curves.starts_h)
            window = curves.value / mean_hours * rhythm.rate(live)
        half_life = curves.value * share_left(curves, live) * np.log(2) / curves.half_life_h
    slope = np.select([curves.shape == WINDOW, curves.shape == HALF_LIFE], [window, half_life], 0.0)
    losing = (live >= curves.starts_h) & (live < curves.ends_h)
    key: Floats = np.where(losing, slope, 0.0) / columns.needed_h
    return np.maximum(key, 0.0)


@dataclass(frozen=True)
class Atc:
    """Apparent tardiness cost: v/p, less the longer there is still slack (Vepsalainen & Morton 1987).

    v/p exp(-slack/h), slack being the hours until it would go live too late for all its value, and 0 once nothing
    is left to win. `horizon_h` is h.
    """

    horizon_h: float

    def __call__(self, columns: Columns, moment_h: float) -> Floats:
        """Dollars per slot-hour, discounted."""
        curves, live = columns.at_stake, moment_h + columns.delay_h
        due = np.minimum(np.where(curves.shape == DEADLINE, curves.due_h, curves.starts_h), curves.ends_h)
        key = vp(columns, moment_h) * np.exp(-np.maximum(due - live, 0.0) / self.horizon_h)
        return np.where(live < curves.ends_h, key, 0.0)


@dataclass(frozen=True)
class Index:
    """Most expected value lost per slot-hour first, looking `horizon_h` hours ahead on average.

    Attributes
    ----------
    emphasis : 0-1, how far large campaigns are favoured over what a slot-hour earns: the index times p^emphasis.
        0 is the index itself; 1 looks at the loss alone, whatever work averts it.
    """

    horizon_h: float
    emphasis: float = 0.0

    def __call__(self, columns: Columns, moment_h: float) -> Floats:
        """Dollars per slot-hour (at emphasis 0)."""
        needed = columns.needed_h
        keys = priority.index(columns.at_stake, needed, columns.delay_h, moment_h, self.horizon_h)
        return keys * needed**self.emphasis if self.emphasis else keys


def index(horizon_h: float, emphasis: float = 0.0) -> Order:
    """The order by `Index`."""
    return Index(horizon_h, emphasis)


@dataclass(frozen=True)
class Shuffled:
    """Anyone first: a fixed draw for each campaign, from what it is, whoever else waits."""

    seed: int = 0

    def __call__(self, columns: Columns, moment_h: float) -> Floats:  # noqa: ARG002
        """Places in line by lot."""
        return _in_turn(columns.submitted_h, _lot(columns, self.seed))


ORDERS: dict[str, Callable[[float], Order]] = {
    "fifo": lambda _: fifo,
    "random": lambda _: Shuffled(),
    "spt": lambda _: spt,
    "edf": lambda _: edf,
    "matrix": lambda _: matrix,
    "value": lambda _: value,
    "vp": lambda _: vp,
    "wspt": lambda _: vp,
    "gcmu": lambda _: gcmu,
    "atc": Atc,
    "index": index,
    "planner": Planner,
}
"""Every order by its name, made for a horizon in hours, which only `index`, `atc` and `planner` look at.

The expert rule is no order but a way to put a value on campaigns: its policy is `index` on the expert's values.
"""

STATIC: tuple[Order, ...] = (fifo, spt, edf, matrix, value, vp)
"""Orders of which two untouched campaigns stand alike at any moment and in any company; so does `Shuffled`."""


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


def _lot(columns: Columns, seed: int) -> Floats:
    """Evenly spread numbers, 0-1: the bits of each row's facts, stirred (SplitMix64's finaliser)."""
    bits = np.full(len(columns), seed, dtype=np.uint64)
    for fact in (columns.submitted_h, columns.released_h, columns.work_h, columns.curves.starts_h):
        bits = (bits ^ np.ascontiguousarray(fact, dtype=float).view(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
        bits ^= bits >> np.uint64(31)
    return bits / 2.0**64
