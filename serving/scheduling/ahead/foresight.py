"""What the outlook says of the campaigns on a board, in dates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from features.curves import DEADLINE, Floats, hours
from serving.scheduling.ahead import spans
from serving.scheduling.ahead.arrivals import Arrivals
from serving.scheduling.ahead.eta import Eta
from serving.scheduling.ahead.outlook import Outlook, Outset, outlook
from serving.scheduling.board import Board, moment_at
from serving.scheduling.lineup import Lineup
from serving.scheduling.reasons import held_by
from serving.scheduling.states import State
from serving.scheduling.work import Standing

_HAIR_H = 1e-6
"""Nothing takes no time: hours below which predictions are not believed."""
_MOST_SEEN = 500


def look_of(board: Board, arrivals: Arrivals) -> Callable[[], Outlook]:
    """What is to be carried out for an outlook of a board: all it needs, and nothing that goes on meanwhile.

    What is drawn follows from the moment alone, so that a board and what it would be if are told by the same chance.
    """
    moment_h = hours(board.moment)
    return partial(
        outlook,
        outset_of(board),
        max(board.slots, 1),
        board.policy.order(by_matrix=board.by_matrix),
        board.policy.preemption,
        arrivals,
        moment_h,
        np.random.default_rng(int(moment_h * 3600)),
    )


class Etas(Mapping[str, Eta]):
    """When each campaign that a model has spoken of will start and be done, by its id; put into dates when asked."""

    def __init__(self, board: Board, found: Outlook) -> None:
        self._standings, self._found = board.standings, found
        self._row_of = {c: row for c, row in board.row_of.items() if board.estimated[row]}

    def __getitem__(self, campaign_id: str) -> Eta:
        row, found = self._row_of[campaign_id], self._found
        begun_at, in_time = self._standings[row].begun_at, float(found.in_time[row])
        return Eta(
            start_p50=begun_at or moment_at(found.start_p50_h[row]),
            start_p90=begun_at or moment_at(found.start_p90_h[row]),
            p50=moment_at(found.finish_p50_h[row]),
            p90=moment_at(found.finish_p90_h[row]),
            in_time=None if np.isnan(in_time) else in_time,
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._row_of)

    def __len__(self) -> int:
        return len(self._row_of)


def outset_of(board: Board) -> Outset:
    """How the campaigns of a board stand, for a play that begins there."""
    lineup, moment_h = board.lineup, hours(board.moment)
    columns, curves = lineup.columns, lineup.columns.curves
    free_h = [
        _free_h(standing, board) if known else np.inf
        for standing, known in zip(board.standings, board.estimated.tolist(), strict=True)
    ]
    # Once late it is worth nothing, and dropped.
    lost = (curves.shape == DEADLINE) & (curves.late_fraction <= 0)
    columns = replace(
        columns,
        released_h=np.array(free_h),
        submitted_h=np.minimum(columns.submitted_h, moment_h),
        remaining_h=np.maximum(columns.remaining_h, np.minimum(columns.chunk_h, columns.work_h)),
        curves=replace(curves, ends_h=np.where(lost, np.minimum(curves.ends_h, curves.due_h), curves.ends_h)),
    )
    slots = columns.slots.astype(np.int64)
    held = np.where(lineup.running > 0, np.ceil(lineup.running * lineup.weight), 0).astype(np.int64)
    held = np.minimum(held, slots)
    lent = np.minimum(lineup.lent, held)
    whole: dict[str, Any] = {"open": slots - held, "running": held, "lent": lent, "weight": np.ones(len(slots))}
    return Outset(
        # What only stops yet is left out: it holds nobody up for long.
        lineup=replace(lineup, columns=columns, stopping=(), **whole),
        books=board.books.copy(),
        spread=_spread(board.standings),
        since_h=np.array([hours(standing.begun_at, moment_h) for standing in board.standings]),
        spent_h=np.array([_spent_h(s, int(tasks), moment_h) for s, tasks in zip(board.standings, held, strict=True)]),
        preempted=np.array([standing.preemptions for standing in board.standings], dtype=np.int64),
    )


@dataclass
class Remembered:
    """Campaigns seen coming since a moment, the last few hundred of them: what is like what will come.

    Attributes
    ----------
    since_h : hours since the epoch; all that was submitted after it is here.
    """

    since_h: float
    _lineup: Lineup | None = None
    _spread: tuple[float, ...] = ()
    _ids: tuple[str, ...] = ()

    def note(self, board: Board) -> None:
        """Take in campaigns of a board that were not seen before, once a model has spoken of them."""
        submitted_h = board.lineup.columns.submitted_h
        known = set(self._ids)
        rows = [
            row
            for row in np.flatnonzero((submitted_h > self.since_h) & board.estimated).tolist()
            if board.standings[row].campaign_id not in known
        ]
        if not rows:
            return
        new = board.lineup.take(np.array(rows))
        spread = _spread([board.standings[row] for row in rows]).tolist()
        lineup = new if self._lineup is None else self._lineup.followed_by(new)
        order = np.argsort(lineup.columns.submitted_h, kind="stable")[-_MOST_SEEN:]
        ids, spreads = (*self._ids, *(board.standings[row].campaign_id for row in rows)), (*self._spread, *spread)
        if len(ids) > len(order):
            dropped_h = np.delete(lineup.columns.submitted_h, order)
            self.since_h = max(self.since_h, float(dropped_h.max()))
        self._lineup = lineup.take(order)
        self._ids = tuple(ids[at] for at in order.tolist())
        self._spread = tuple(spreads[at] for at in order.tolist())

    def arrivals(self, board: Board) -> Arrivals:
        """What may come, as seen up to a board's moment."""
        lineup = board.lineup.take(np.array([], dtype=np.intp)) if self._lineup is None else self._lineup
        return Arrivals.seen(lineup, np.array(self._spread, dtype=float), self.since_h, hours(board.moment))


def _spread(standings: Sequence[Standing]) -> Floats:
    """Of the logarithm of the work of each, as its model has it."""
    known = [(e.left_p50_h, e.left_p90_h) if (e := standing.estimate) else (1.0, 1.0) for standing in standings]
    p50_h, p90_h = np.maximum(np.array(known, dtype=float).reshape(-1, 2), _HAIR_H).T
    return spans.spread(p50_h, p90_h)


def _free_h(standing: Standing, board: Board) -> float:
    """Hours since the epoch from which a campaign may run, but for what it follows; infinite when nobody can say."""
    if standing.state is State.PAUSED or any(before not in board.row_of for before, _ in standing.blocked_by):
        return np.inf
    if standing.blocked_by:
        return hours(max(board.moment, standing.campaign.released_at))
    held = held_by(standing, board.moment)
    return hours(board.moment if held is None else held.until)


def _spent_h(standing: Standing, held: int, moment_h: float) -> float:
    """Slot-hours worked so far: known of what has not begun, or has run through on the slots it holds.

    As good as unknown where the model knew of them: what it said is left takes account of them.
    """
    if standing.begun_at is None:
        return 0.0
    if standing.estimate is not None and standing.estimate.done_when_asked > 0:
        return np.nan
    if not held or standing.preemptions or standing.worked_at is not None:
        return np.nan
    return (moment_h - hours(standing.begun_at)) * held
