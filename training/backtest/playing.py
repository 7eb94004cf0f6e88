"""Plays weeks under several orders of work, each against the same chance, and keeps what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.curves import Floats
from serving.scheduling.columns import Columns
from serving.scheduling.play import play
from serving.scheduling.policies import Order
from training.backtest.setting import PlayedWeek, Setting
from training.progress import Progress, silent

Values = Callable[[PlayedWeek], Floats]
"""Believed total values of a week's campaigns, in dollars."""


@dataclass(frozen=True)
class Contender:
    """An order of work, and the values it believes in.

    `foresight`: it knows how long work really takes, which nobody does; only a bound may.
    """

    name: str
    values: Values
    order: Order
    foresight: bool = False


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


@dataclass(frozen=True)
class Outcomes:
    """The outcome of each contender, by name; `top_tenth` marks the campaigns of greatest true value in their week."""

    weeks: tuple[int, ...]
    of: dict[str, Outcome]
    top_tenth: npt.NDArray[np.bool_]


def play_weeks(
    weeks: Sequence[PlayedWeek],
    contenders: Sequence[Contender],
    setting: Setting,
    progress: Progress = silent,
) -> Outcomes:
    """Play every week under every contender, `setting.replicates` times."""
    of = {}
    for done, contender in enumerate(contenders):
        progress(f"playing {contender.name}", done / len(contenders))
        of[contender.name] = _outcome(weeks, contender, setting)
    top = [week.true_value >= np.quantile(week.true_value, 0.9) for week in weeks]
    return Outcomes(tuple(week.week for week in weeks), of, np.concatenate(top))


def contested_indices(weeks: Sequence[PlayedWeek], contender: Contender, setting: Setting) -> Floats:
    """The contender's keys of the campaigns that were ready, at every dispatch of the play."""
    seen: list[Floats] = []

    def noting(columns: Columns, moment_h: float) -> Floats:
        keys = contender.order(columns, moment_h)
        seen.append(keys)
        return keys

    watched = Contender(contender.name, contender.values, noting, contender.foresight)
    play_weeks(weeks, [watched], setting)
    return np.concatenate(seen)


def _outcome(weeks: Sequence[PlayedWeek], contender: Contender, setting: Setting) -> Outcome:
    shape = (len(weeks), setting.replicates)
    value, span, done = np.empty(shape), np.empty(shape), np.empty(shape)
    latencies, in_time = [], []
    for w, week in enumerate(weeks):
        finished = _finished_h(week, contender, setting)
        value[w] = [week.paid(live).sum() for live in finished]
        ever = np.isfinite(finished)
        done[w] = ever.sum(axis=1)
        span[w] = np.where(ever, finished, week.start_h).max(axis=1) - week.start_h
        until = np.where(ever, finished, week.truth.ends_h[week.rows])
        latencies.append(until - week.start_h)
        in_time.append(finished <= week.truth.starts_h[week.rows] + setting.due_h)
    return Outcome(value, np.concatenate(latencies, axis=1), np.concatenate(in_time, axis=1), span, done)


def _finished_h(week: PlayedWeek, contender: Contender, setting: Setting) -> Floats:
    """When each campaign is complete, hours since the epoch, shape (replicates, campaigns); infinite for never."""
    expected_h = week.prior.p50_h(week.units)  # as the live scheduler takes it
    planned = Columns.of(week.campaigns, contender.values(week), expected_h, points=week.points)
    finished = np.empty((setting.replicates, len(week.campaigns)))
    for replicate in range(setting.replicates):
        draw = week.draw(setting.seed, replicate)
        # All come before the release, so that only their turn differs.
        columns = replace(planned, submitted_h=week.start_h - 1 + draw.turn)
        if contender.foresight:
            columns = replace(columns, work_h=draw.actual_h, remaining_h=draw.actual_h, chunk_h=draw.actual_h)
        finished[replicate] = play(columns, draw.actual_h, setting.workers, contender.order, week.start_h).finished_h
    return finished
