"""When campaigns will start and finish, with what certainty: the policy played forward many times.

Each play draws anew how long work takes and what else comes meanwhile, and is otherwise what the scheduler would do.
Pure: the same facts, moment and chance give the same outlook.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from features.curves import Floats
from serving.scheduling.ahead import spans
from serving.scheduling.ahead.arrivals import Arrivals
from serving.scheduling.ahead.course import Course
from serving.scheduling.ahead.seating import Reliance
from serving.scheduling.books import Books
from serving.scheduling.columns import Columns
from serving.scheduling.lineup import Lineup
from serving.scheduling.policies import Order
from serving.scheduling.preemption import Preemption

_SAMPLES = (39, 19, 9)
"""Plays of one outlook: with these, and no other so few, p50 and p90 are each exactly one of the plays."""
_MOST_ROWS = 4_000
"""Campaigns that all plays of one outlook have between them, when there can be more plays than the fewest."""
_MOST_COMING = 2_000
"""Campaigns that may come in one play: it looks no further ahead than until so many are expected."""
_MOST_USUAL = 50.0
"""Work counts as known up to so many times the median of all."""
_FARTHEST = 8.0
"""How far ahead is looked, in the hours that all known work would take."""
_RANKINGS = 8
"""Rankings over the hours that all known work would take; each is relied on until the next."""
_LEAST_GOOD_H = 1 / 60
_MOST_EVENTS = 5_000
"""What happens in one play at most; whoever did not get its turn by then has no date."""


@dataclass(frozen=True)
class Outset:
    """How things stand at a moment; one entry a campaign.

    Attributes
    ----------
    lineup : `open` are the tasks that may start once the campaign is released and what it follows is done; one that
        nobody can tell when it may run has an infinite `released_h`.
    books : kept up to the moment.
    spread : of the logarithm of the work of each.
    since_h : since when those that hold slots hold them; hours since the epoch.
    spent_h : slot-hours worked so far; NaN where that is not known.
    preempted : how often each gave way.
    """

    lineup: Lineup
    books: Books
    spread: Floats
    since_h: Floats
    spent_h: Floats
    preempted: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Outlook:
    """When each campaign may start and finish: quantiles over the plays; one entry a campaign.

    Infinite where it did not come to it within what was looked at, in so many of the plays: further ahead than can be
    told, or never.

    Attributes
    ----------
    start_p50_h, start_p90_h, finish_p50_h, finish_p90_h : hours since the epoch; p90 is past in one of ten cases.
    in_time : probability of being done by `launch_by`; NaN for those without.
    until_h : how far was looked.
    """

    start_p50_h: Floats
    start_p90_h: Floats
    finish_p50_h: Floats
    finish_p90_h: Floats
    in_time: Floats
    until_h: float


def outlook(
    outset: Outset,
    workers: int,
    order: Order,
    preemption: Preemption | None,
    arrivals: Arrivals,
    moment_h: float,
    chance: np.random.Generator,
) -> Outlook:
    """Play forward from a moment.

    Parameters
    ----------
    moment_h : hours since the epoch.
    chance : decides all that is drawn.
    """
    columns, n = outset.lineup.columns, len(outset.lineup.columns)
    # One endless campaign must not make everything else look near.
    usual_h = _MOST_USUAL * float(np.median(columns.needed_h)) if n else 0.0
    known_h = float(np.minimum(columns.needed_h, usual_h).sum()) / workers
    until_h = moment_h + _ahead_h(columns, known_h, arrivals, moment_h)
    samples = _samples(n + arrivals.per_h * (until_h - moment_h))
    left = spans.left_h(
        chance,
        samples,
        work_h=columns.work_h,
        remaining_h=columns.remaining_h,
        chunk_h=columns.chunk_h,
        spread=outset.spread,
        spent_h=outset.spent_h,
        running=outset.lineup.running > 0,
    )
    reliance = Reliance(max(known_h / _RANKINGS, _LEAST_GOOD_H), until_h, _MOST_EVENTS, awaited=n)
    started, finished = np.empty((2, samples, n))
    for sample in range(samples):
        coming, spread = arrivals.drawn(chance, moment_h, until_h)
        work = coming.columns.work_h * np.exp(spread * chance.standard_normal(len(spread)))
        course = Course(
            outset.lineup.followed_by(coming),
            outset.books.copy(),
            np.concatenate([left[sample], work]),
            workers=max(workers, int(outset.lineup.running.sum())),
            order=order,
            preemption=preemption,
            start_h=moment_h,
            since_h=np.concatenate([outset.since_h, np.zeros(len(work))]),
            preempted=[*outset.preempted.tolist(), *[0] * len(work)],
            reliance=reliance,
        )
        course.run()
        played = course.played()
        started[sample], finished[sample] = played.started_h[:n], played.finished_h[:n]
    due = columns.curves.due_h
    in_time = np.where(np.isfinite(due), (finished <= due).mean(axis=0), np.nan)
    return Outlook(*_quantiles(started), *_quantiles(finished), in_time, until_h)


def _ahead_h(columns: Columns, known_h: float, arrivals: Arrivals, moment_h: float) -> float:
    """How many hours ahead to look: well past all that is known, but for more arrivals than can be played."""
    ready_h = columns.ready_h[np.isfinite(columns.ready_h)]
    released_h = max(float(ready_h.max(initial=moment_h)) - moment_h, 0.0)
    return min(released_h + _FARTHEST * known_h, _MOST_COMING / max(arrivals.per_h, 1e-9))


def _samples(rows: float) -> int:
    return next((samples for samples in _SAMPLES if samples * rows <= _MOST_ROWS), _SAMPLES[-1])


def _quantiles(moments: Floats) -> tuple[Floats, Floats]:
    """p50 and p90 of plays that are all as likely as what will really happen, which is then one more among them."""
    rising = np.sort(moments, axis=0)
    n = len(moments) + 1
    return rising[ceil(0.5 * n) - 1], rising[ceil(0.9 * n) - 1]
