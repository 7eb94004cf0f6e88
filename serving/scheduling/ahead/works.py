"""How work goes on under a virtual clock: who holds how many slots, how far each is, and when it stops next."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from heapq import heappop, heappush
from math import ceil, inf

import numpy as np

from features.curves import Floats
from serving.scheduling.lineup import Lineup

_HAIR = 1e-9
"""Rounding of sums of chunks, in chunks or hours."""


class Stop(IntEnum):
    """Why a campaign's tasks stop."""

    END = 0
    CHUNK = 1
    CHALLENGED = 2
    CLAIMED = 3


class Works:
    """The work of some campaigns, a row each; a campaign's tasks share its work evenly and reach checkpoints together.

    Parameters
    ----------
    lineup : as of `start_h`.
    actual_h : true slot-hours left of each.
    rated : rows whose tasks go back to the queue at each checkpoint.

    Attributes
    ----------
    held : slots each holds.
    runners : rows that hold any.
    left, remaining : slot-hours left, truly and as predicted at the last checkpoint.
    since : since when each holds its slots.
    started, finished : infinite where it did not come to it.
    """

    def __init__(
        self, lineup: Lineup, actual_h: Floats, start_h: float, since_h: Floats, rated: Collection[int]
    ) -> None:
        columns, n = lineup.columns, len(actual_h)
        self.now, self.rated = start_h, rated
        self.held: list[int] = lineup.running.tolist()
        self.runners = {row for row, held in enumerate(self.held) if held}
        self.left: list[float] = actual_h.tolist()
        self.remaining = columns.remaining_h.copy()
        self.predicted_over_actual: list[float] = (columns.remaining_h / actual_h).tolist()
        # A checkpoint comes after a fixed part of the work, however long that really takes.
        parts = np.maximum(columns.remaining_h / columns.chunk_h, 1.0)
        self.chunk: list[float] = (actual_h / parts).tolist()
        self.since: list[float] = since_h.tolist()
        self.started, self.finished, self.busy = [inf] * n, [inf] * n, [0.0] * n
        self.noted, self.phase = [start_h] * n, [start_h] * n  # progress is noted up to; the chunk began
        self.cut = [inf] * n  # when it is to stop although it is not done
        self._version = [0] * n
        self._stops: list[tuple[float, int, int, Stop]] = []

    def next_stop_h(self) -> float:
        """When somebody stops next; infinite for never."""
        while self._stops and self._version[self._stops[0][1]] != self._stops[0][2]:
            heappop(self._stops)
        return self._stops[0][0] if self._stops else inf

    def due(self) -> list[tuple[int, Stop]]:
        """Rows that stop by now, and why."""
        due = []
        while self._stops and self._stops[0][0] <= self.now:
            _, row, version, why = heappop(self._stops)
            if version == self._version[row]:
                due.append((row, why))
        return due

    def note(self, row: int) -> None:
        """Note the progress made by now."""
        done = (self.now - self.noted[row]) * self.held[row]
        self.left[row] -= done
        self.busy[row] += done
        self.noted[row] = self.now

    def note_checkpoints(self) -> None:
        """Note for all that run what is left, as predicted, since their last checkpoint."""
        for row in self.runners:
            self.note(row)
            into_chunk_h = self.now - self.phase[row]
            if row not in self.rated:
                into_chunk_h -= int(into_chunk_h / self.chunk[row] + _HAIR) * self.chunk[row]
            left = self.left[row] + max(into_chunk_h, 0.0) * self.held[row]
            self.remaining[row] = left * self.predicted_over_actual[row]

    def at_checkpoint(self, row: int) -> None:
        """Note that it is at a checkpoint now."""
        self.remaining[row] = self.left[row] * self.predicted_over_actual[row]

    def take(self, row: int, tasks: int) -> None:
        """Have it hold more slots."""
        if self.held[row]:
            self.note(row)
        else:
            self.since[row] = self.phase[row] = self.noted[row] = self.now
            self.runners.add(row)
            self.started[row] = min(self.started[row], self.now)
        self.held[row] += tasks
        self.go_on(row, cut=self.cut[row])

    def give(self, row: int, tasks: int) -> None:
        """Have it hold fewer; it works on only once told to."""
        self.held[row] -= tasks
        self._version[row] += 1
        self.cut[row] = inf
        if not self.held[row]:
            self.runners.discard(row)

    def finish(self, row: int) -> None:
        """Note that it is done."""
        self.busy[row] += self.left[row]
        self.left[row] = self.remaining[row] = 0.0
        self.finished[row] = self.now

    def go_on(self, row: int, cut: float = inf, why: Stop = Stop.CHALLENGED) -> None:
        """Work on to the end, to the next chunk where a rate is limited, or to where it is cut."""
        self.cut[row] = cut
        self._version[row] += 1
        stops, kind = self.now + self.left[row] / self.held[row], Stop.END
        if row in self.rated and self.phase[row] + self.chunk[row] < stops - _HAIR:
            stops, kind = max(self.phase[row] + self.chunk[row], self.now), Stop.CHUNK
        if cut < stops - _HAIR:
            stops, kind = cut, why
        heappush(self._stops, (stops, row, self._version[row], kind))

    def cut_short(self, row: int, least_h: float, why: Stop) -> None:
        """Stop it at its first checkpoint from a moment on, if that comes before all else it would stop for."""
        chunks = max(1, ceil((max(self.now, least_h) - self.phase[row]) / self.chunk[row] - _HAIR))
        at_h = self.phase[row] + chunks * self.chunk[row]
        if at_h < self.cut[row] or why is Stop.CLAIMED:
            self.note(row)
            self.go_on(row, at_h, why)
