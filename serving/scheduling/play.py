"""The scheduler under a virtual clock: what would start and finish when, under an order.

The event loop behind backtests, and what the compiled one must equal. It decides by the very `rank` and `Preemption`
that the live scheduler uses, and is told what that cannot know: how long the work really takes. Live campaigns, with
all that binds them beside their worth, are played by `course`, which equals this where nothing does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import ceil, inf

import numpy as np
import numpy.typing as npt

from features.curves import Floats
from serving.scheduling.columns import Columns
from serving.scheduling.policies import Order
from serving.scheduling.preemption import Preemption
from serving.scheduling.rank import rank

_HAIR = 1e-9
"""Rounding of sums of chunks, as a share of the work."""


@dataclass(frozen=True)
class Played:
    """What happened, one entry a campaign.

    Attributes
    ----------
    started_h, finished_h : hours since the epoch of first start and of completion; infinite where it never came to it.
    busy_h : slot-hours it held.
    preemptions : how often it gave way.
    """

    started_h: Floats
    finished_h: Floats
    busy_h: Floats
    preemptions: npt.NDArray[np.int64]


def play(
    columns: Columns,
    actual_h: npt.ArrayLike,
    workers: int,
    order: Order,
    start_h: float,
    *,
    preemption: Preemption | None = None,
    expire: bool = True,
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
    expire : never start a campaign whose end has passed, as the live scheduler does. False for a queue that does not
        know of ends.

    Raises
    ------
    ValueError
        When there is no worker, or work that takes no time.
    """
    actual = np.asarray(actual_h, dtype=float)
    if workers < 1:
        raise ValueError(f"workers {workers} must be 1 or more")
    if actual.shape != columns.work_h.shape or not (actual > 0).all():
        raise ValueError(f"actual_h must be {len(columns)} slot-hours above 0, one a campaign")
    floor = _Floor(columns, actual, workers=workers, order=order, start_h=start_h, preemption=preemption, expire=expire)
    floor.run()
    return floor.played()


class _Floor:
    """The shop floor of one play: who holds slots, until when, who waits, and what is done."""

    def __init__(
        self,
        columns: Columns,
        actual_h: Floats,
        *,
        workers: int,
        order: Order,
        start_h: float,
        preemption: Preemption | None,
        expire: bool,
    ) -> None:
        n = len(columns)
        self.order, self.preemption, self.expire = order, preemption, expire
        self.now, self.free = start_h, workers
        self.remaining = columns.remaining_h.copy()
        self.columns = replace(columns, remaining_h=self.remaining)  # sees each progress noted there
        self.predicted_over_actual = (columns.remaining_h / actual_h).tolist()
        # A checkpoint comes after a fixed part of the work, however long that really takes.
        parts = np.maximum(columns.remaining_h / columns.chunk_h, 1.0)
        self.chunk, self.left = (actual_h / parts).tolist(), actual_h.tolist()
        self.slots = columns.slots.astype(int).tolist()
        ready = np.maximum(columns.ready_h, start_h)
        self.arrivals = [(float(ready[i]), int(i)) for i in np.argsort(-ready, kind="stable")]  # the next one last
        self.waiting = np.zeros(n, dtype=bool)
        self.stops: list[tuple[float, int, float]] = []  # when, who, slot-hours done in between
        self.held, self.since = [0] * n, [0.0] * n
        self.started, self.finished = [inf] * n, [inf] * n
        self.busy, self.preempted = [0.0] * n, [0] * n

    def run(self) -> None:
        while True:
            at_checkpoint = self._stop()
            self._arrive()
            self._fill()
            for i in at_checkpoint:
                self._go_on_or_give_way(i)
            upcoming = min(self.stops[0][0] if self.stops else inf, self.arrivals[-1][0] if self.arrivals else inf)
            if upcoming == inf:
                return
            self.now = upcoming

    def played(self) -> Played:
        preemptions = np.array(self.preempted, dtype=np.int64)
        return Played(np.array(self.started), np.array(self.finished), np.array(self.busy), preemptions)

    def _stop(self) -> list[int]:
        """Note the progress made by now; those done leave, and those at a checkpoint are returned."""
        at_checkpoint = []
        while self.stops and self.stops[0][0] <= self.now:
            _, i, done = heappop(self.stops)
            self.left[i] -= done
            self.busy[i] += done
            self.remaining[i] = self.left[i] * self.predicted_over_actual[i]
            if self.left[i] > 0:
                at_checkpoint.append(i)
            else:
                self.finished[i] = self.now
                self._leave(i)
        return at_checkpoint

    def _arrive(self) -> None:
        while self.arrivals and self.arrivals[-1][0] <= self.now:
            i = self.arrivals.pop()[1]
            self.waiting[i] = True

    def _ready(self) -> npt.NDArray[np.intp]:
        ready = self.waiting & (self.columns.curves.ends_h > self.now) if self.expire else self.waiting
        return np.flatnonzero(ready)

    def _fill(self) -> None:
        """Give the free slots to the first in rank; one ranking serves all that are free at this moment."""
        if not self.free:
            return
        ready = self._ready()
        if not len(ready):
            return
        for i in ready[rank(self.columns.take(ready), self.now, self.order)].tolist():
            self._seat(i, min(self.slots[i], self.free))
            if not self.free:
                return

    def _go_on_or_give_way(self, i: int) -> None:
        rule = self.preemption
        if rule is not None and rule.disturbs(self.now - self.since[i], self.preempted[i]):
            challenger = rule.challenger(self.columns, i, self._ready(), self.now, self.order)
            if challenger is not None:
                self._leave(i)
                self.waiting[i] = True
                self.preempted[i] += 1
                self._seat(challenger, min(self.slots[challenger], self.free))
                self._fill()
                return
        self._work(i)

    def _seat(self, i: int, slots: int) -> None:
        self.free -= slots
        self.held[i], self.since[i], self.waiting[i] = slots, self.now, False
        self.started[i] = min(self.started[i], self.now)
        self._work(i)

    def _leave(self, i: int) -> None:
        self.free += self.held[i]
        self.held[i] = 0

    def _work(self, i: int) -> None:
        """Work on to the end, or to the first checkpoint at which it could be disturbed."""
        done, rule = self.left[i], self.preemption
        if rule is not None and self.preempted[i] < rule.budget:
            undisturbed = (self.since[i] + rule.min_run_h - self.now) * self.held[i]
            chunks = max(1, ceil(undisturbed / self.chunk[i] - _HAIR))
            if chunks * self.chunk[i] < done * (1 - _HAIR):
                done = chunks * self.chunk[i]
        heappush(self.stops, (self.now + done / self.held[i], i, done))
