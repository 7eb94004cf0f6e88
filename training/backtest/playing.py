"""Plays weeks under several orders of work, each against the same chance, and keeps what came of it."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.curves import Floats
from features.records import ValueLabel
from features.rhythm import Rhythm
from serving.scheduling.columns import Columns
from serving.scheduling.play import play
from serving.scheduling.policies import Order
from serving.scheduling.preemption import Preemption
from training.backtest.setting import Draw, PlayedWeek, Setting
from training.progress import Progress, silent

Values = Callable[[PlayedWeek], Floats]
"""Believed values of a week's campaigns over the whole week, in dollars."""

CHECKPOINT_H = 1.0
"""Slot-hours of work between two checkpoints, where runners may give way."""


@dataclass(frozen=True)
class Contender:
    """An order of work, and the values it believes in.

    Attributes
    ----------
    foresight : it knows what each campaign is worth and how long work really takes, which nobody does; only a bound
        may.
    even : it takes value to accrue evenly, and does not look at the market's rhythm.
    """

    name: str
    values: Values
    order: Order
    foresight: bool = False
    even: bool = False


@dataclass(frozen=True)
class Outcome:
    """What one order of work achieved.

    Attributes
    ----------
    value : dollars, shape (weeks, replicates).
    latency_h : hours from release to completion, shape (replicates, campaigns of all weeks). One that was never
        done waited to its end at least, and counts as that.
    on_time : done within `Setting.due_h` of its start; same shape.
    span_h : hours from the week's start to the last completion, shape (weeks, replicates).
    done : campaigns completed; same shape.
    """

    value: Floats
    latency_h: Floats
    on_time: npt.NDArray[np.bool_]
    span_h: Floats
    done: Floats

    def of_rows(self, weeks: npt.NDArray[np.bool_], campaigns: npt.NDArray[np.bool_]) -> Outcome:
        """Of some weeks and their campaigns."""
        return Outcome(
            self.value[weeks],
            self.latency_h[:, campaigns],
            self.on_time[:, campaigns],
            self.span_h[weeks],
            self.done[weeks],
        )


@dataclass(frozen=True)
class Outcomes:
    """The outcome of each contender, by name.

    Attributes
    ----------
    top_tenth : marks the campaigns of greatest true value in their week; shape (replicates, campaigns of all weeks).
    week_of : week of each campaign.
    label : what the dollars are.
    """

    weeks: tuple[int, ...]
    of: dict[str, Outcome]
    top_tenth: npt.NDArray[np.bool_]
    week_of: npt.NDArray[np.int64]
    label: ValueLabel = ValueLabel.GROSS

    def joined(self, other: Outcomes) -> Outcomes:
        """With the contenders of another play of the same weeks and chance."""
        return replace(self, of={**self.of, **other.of})

    def within(self, weeks: Container[int]) -> Outcomes:
        """What came of some of the weeks."""
        rows = np.array([week in weeks for week in self.weeks])
        those = np.isin(self.week_of, np.array(self.weeks)[rows])
        return Outcomes(
            tuple(week for week in self.weeks if week in weeks),
            {name: outcome.of_rows(rows, those) for name, outcome in self.of.items()},
            self.top_tenth[:, those],
            self.week_of[those],
            self.label,
        )


def play_weeks(
    weeks: Sequence[PlayedWeek],
    contenders: Sequence[Contender],
    setting: Setting,
    progress: Progress = silent,
) -> Outcomes:
    """Play every week under every contender, `setting.replicates` times."""
    draws = [[week.draw(setting, replicate) for replicate in range(setting.replicates)] for week in weeks]
    of = {}
    for done, contender in enumerate(contenders):
        progress(f"playing {contender.name}", done / len(contenders))
        of[contender.name] = _outcome(weeks, draws, contender, setting)
    top = [[_top_tenth(week.worth(draw)) for draw in each] for week, each in zip(weeks, draws, strict=True)]
    week_of = np.repeat([week.week for week in weeks], [len(week.campaigns) for week in weeks])
    return Outcomes(tuple(w.week for w in weeks), of, np.concatenate(top, axis=1), week_of, weeks[0].truth.label)


def contested_indices(weeks: Sequence[PlayedWeek], contender: Contender, setting: Setting) -> Floats:
    """The contender's keys of the campaigns that were ready, at every dispatch of the play."""
    seen: list[Floats] = []

    def noting(columns: Columns, moment_h: float) -> Floats:
        keys = contender.order(columns, moment_h)
        seen.append(keys)
        return keys

    play_weeks(weeks, [replace(contender, order=noting)], setting)
    return np.concatenate(seen)


def queue_of(week: PlayedWeek, contender: Contender, setting: Setting) -> Columns:
    """A week's campaigns as a contender's queue has them, but for what each replicate draws; see `drawn`."""
    expected_h = week.prior.p50_h(week.units)  # as the live scheduler takes it
    chunk_h = np.minimum(CHECKPOINT_H, expected_h) if setting.preemptive else expected_h
    return Columns.of(week.campaigns, contender.values(week), expected_h, chunk_h=chunk_h, points=week.points)


def drawn(
    queue: Columns, week: PlayedWeek, draw: Draw, *, foresight: bool = False, rhythm: Rhythm | None = None
) -> Columns:
    """The queue in one replicate: its windows and releases, and with foresight what is hidden from all others."""
    queue = replace(
        queue,
        curves=replace(
            queue.curves,
            value=week.worth(draw) if foresight else queue.curves.value * week.window_share(draw, rhythm),
            starts_h=draw.starts_h,
            ends_h=draw.ends_h,
            rhythm=rhythm,
        ),
        released_h=draw.released_h,
        # Known before any is released, so that with one release for all only their turn differs.
        submitted_h=draw.released_h.min() - 1 + draw.turn,
    )
    if not foresight:
        return queue
    chunk_h = np.minimum(queue.chunk_h, draw.actual_h) if (queue.chunk_h < queue.work_h).any() else draw.actual_h
    return replace(queue, work_h=draw.actual_h, remaining_h=draw.actual_h, chunk_h=chunk_h)


def _outcome(
    weeks: Sequence[PlayedWeek], draws: Sequence[Sequence[Draw]], contender: Contender, setting: Setting
) -> Outcome:
    shape = (len(weeks), setting.replicates)
    value, span, done = np.empty(shape), np.empty(shape), np.empty(shape)
    latencies, in_time = [], []
    for w, (week, replicates) in enumerate(zip(weeks, draws, strict=True)):
        latency, on_time = np.empty((2, setting.replicates, len(week.campaigns)))
        queue = queue_of(week, contender, setting)
        for r, draw in enumerate(replicates):
            rhythm = None if contender.even else week.rhythm
            queued = drawn(queue, week, draw, foresight=contender.foresight, rhythm=rhythm)
            finished = _finished_h(queued, draw, contender.order, setting)
            ever = np.isfinite(finished)
            value[w, r], done[w, r] = week.paid(finished, draw).sum(), ever.sum()
            span[w, r] = np.where(ever, finished, week.start_h).max() - week.start_h
            latency[r] = np.where(ever, finished, draw.ends_h) - draw.released_h
            on_time[r] = finished <= draw.starts_h + setting.due_h
        latencies.append(latency)
        in_time.append(on_time.astype(bool))
    return Outcome(value, np.concatenate(latencies, axis=1), np.concatenate(in_time, axis=1), span, done)


def _finished_h(queue: Columns, draw: Draw, order: Order, setting: Setting) -> Floats:
    """When each campaign is complete, hours since the epoch; infinite for never."""
    # Compiled code takes a moment to load, which only a backtest should wait for.
    from training.backtest import kernel  # noqa: PLC0415

    begins_h = float(draw.released_h.min())
    if not setting.preemptive and kernel.covers(queue, order):
        return kernel.finished_h(queue, draw.actual_h, setting.workers, order, begins_h, setting.expire)
    rule = Preemption() if setting.preemptive else None
    played = play(queue, draw.actual_h, setting.workers, order, begins_h, preemption=rule, expire=setting.expire)
    return played.finished_h


def _top_tenth(worth: Floats) -> npt.NDArray[np.bool_]:
    top: npt.NDArray[np.bool_] = worth >= np.quantile(worth, 0.9)
    return top
