"""Who goes first. The live scheduler and the played one decide by this function alone."""

from __future__ import annotations

import numpy as np

from features.curves import Floats, Indices, value_at
from serving.scheduling.columns import Columns, Flags
from serving.scheduling.policies import Order


def rank(columns: Columns, moment_h: float, order: Order) -> Indices:
    """Positions of the campaigns, most pressing first: a stable total order.

    Pinned before unpinned; then the larger key x boost; then the larger V/p, what would be won per slot-hour if it
    started now; then the older, by submission; then the upper row. A key that is no number comes last.

    Parameters
    ----------
    moment_h : now, hours since the epoch.
    order : what gives the keys; see `serving.scheduling.policies`.
    """
    return in_line(columns, moment_h, pressure(columns, moment_h, order), columns.pinned)


def in_line(columns: Columns, moment_h: float, pressing: Floats, pinned: Flags) -> Indices:
    """As `rank`, by pressure and pins that are known already."""
    positions = np.argsort(-pressing, kind="stable")
    falling = pressing[positions]
    if not pinned.any() and (falling[1:] < falling[:-1]).all():
        return positions  # the common case: no pins, and no two keys alike
    return np.lexsort((columns.submitted_h, -density(columns, moment_h), -pressing, ~pinned))


def pressure(columns: Columns, moment_h: float, order: Order) -> Floats:
    """Key x boost of each campaign: what `rank` sorts by, pins apart."""
    return order(columns, moment_h) * columns.boost


def density(columns: Columns, moment_h: float) -> Floats:
    """V(t+d)/p: dollars per slot-hour if each campaign started now."""
    won: Floats = value_at(columns.at_stake, moment_h + columns.delay_h) / columns.needed_h
    return won
