"""The scheduler under a virtual clock: what would start and finish when, under an order.

The one event loop behind backtests and arrival estimates. It decides by the very `rank` and `Preemption` that the
live scheduler uses, and is told what that cannot know: how long the work really takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.scheduling.columns import Columns
from serving.scheduling.floor import Floor, Played
from serving.scheduling.policies import Order
from serving.scheduling.preemption import Preemption
from serving.scheduling.reliance import RelyingFloor


def play(
    columns: Columns,
    actual_h: npt.ArrayLike,
    workers: int,
    order: Order,
    start_h: float,
    *,
    preemption: Preemption | None = None,
    running: Mapping[int, int] = MappingProxyType({}),
    since_h: Mapping[int, float] = MappingProxyType({}),
    preempted: Sequence[int] | None = None,
    expire: bool = True,
    most_checkpoints: float = inf,
    ranking_good_for_h: float = 0.0,
    until_h: float = inf,
    awaited: int | None = None,
) -> Played:
    """Run the campaigns on `workers` slots from `start_h` until nothing is left to run.

    A free slot takes the first in rank of the campaigns that are ready, and idles only when none is. A campaign takes
    as many free slots as it may hold and shares its work evenly over them. With `preemption`, a runner may give way at
    a checkpoint, every `chunk_h` of predicted work, and later goes on from there. What happens at the same moment
    counts as one event: free slots are filled before any runner is challenged.

    Parameters
    ----------
    columns : as of `start_h`; the predicted work left falls in proportion to true progress.
    actual_h : true slot-hours left, hidden from the order; more than 0.
    start_h : hours since the epoch; a campaign is ready then or at its `ready_h`, whichever is later.
    running : slots held at `start_h` already, by position of the campaign; `since_h` then, unless told.
    preempted : how often each gave way before; never unless told.
    expire : never start a campaign whose end has passed, as the live scheduler does. False for a queue that does not
        know of ends.
    most_checkpoints : checkpoints at which a runner may be challenged; after that many all run on undisturbed. It
        bounds the cost of an estimate, which a single endless campaign would otherwise take for itself.
    ranking_good_for_h : hours for which one ranking is relied on; 0 ranks at every decision, as the live scheduler
        does. Whoever comes or gives way meanwhile takes the place that ranking gave them.
    until_h : what comes after is not played; what runs then is neither started anew nor finished.
    awaited : campaigns at the upper rows whose end is awaited: a play that relies on rankings stops when all of them
        are done or past their end. All, unless told.

    Raises
    ------
    ValueError
        When there is no worker, too few for what is running, or work that takes no time.
    """
    actual = np.asarray(actual_h, dtype=float)
    if workers < max(1, sum(running.values())):
        raise ValueError(f"workers {workers} must be 1 or more, and no fewer than are running")
    if actual.shape != columns.work_h.shape or not (actual > 0).all():
        raise ValueError(f"actual_h must be {len(columns)} slot-hours above 0, one a campaign")
    rules: dict[str, Any] = {
        "workers": workers,
        "order": order,
        "start_h": start_h,
        "preemption": preemption,
        "expire": expire,
        "preempted": [0] * len(columns) if preempted is None else preempted,
    }
    if ranking_good_for_h > 0:
        count = len(columns) if awaited is None else awaited
        floor: Floor = RelyingFloor(columns, actual, good_for_h=ranking_good_for_h, awaited=count, **rules)
    else:
        floor = Floor(columns, actual, **rules)
    floor.checkpoints_left = most_checkpoints
    floor.run(running, since_h, until_h)
    return floor.played()
