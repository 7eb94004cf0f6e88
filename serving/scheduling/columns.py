"""Campaigns as columns: all the policy looks at, one array entry a campaign.

A row's position is its name here; whoever builds the columns keeps the ids beside them in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.curves import Curves, Floats, Indices, hours
from features.records import Campaign, Delivers
from features.rhythm import Rhythm

Flags = npt.NDArray[np.bool_]

LEAST_BOOST, MOST_BOOST = 0.1, 10.0


@dataclass(frozen=True)
class Columns:
    """What decides who goes first.

    Attributes
    ----------
    curves : value curves, of the whole campaign.
    work_h : predicted slot-hours of the whole campaign, more than 0; at the pace of what is left once it is under way.
    remaining_h : predicted slot-hours not done yet, 0 to `work_h`.
    chunk_h : predicted slot-hours between two checkpoints, more than 0.
    slots : how many slots it may hold at once, 1 or more.
    as_done : each recipient counts when done; else the campaign counts when complete.
    points : of the hand-weighted matrix, 0-100.
    pinned : goes before everything unpinned.
    boost : factor on its key, 0.1-10, 1 is neutral.
    released_h, submitted_h : hours since the epoch.
    """

    curves: Curves
    work_h: Floats
    remaining_h: Floats
    chunk_h: Floats
    slots: Floats
    as_done: Flags
    points: Floats
    pinned: Flags
    boost: Floats
    released_h: Floats
    submitted_h: Floats

    @classmethod
    def of(
        cls,
        campaigns: Sequence[Campaign],
        values: npt.ArrayLike,
        work_h: npt.ArrayLike,
        *,
        remaining_h: npt.ArrayLike | None = None,
        chunk_h: npt.ArrayLike | None = None,
        slots: npt.ArrayLike = 1,
        points: npt.ArrayLike = 0,
        pinned: npt.ArrayLike = False,
        boost: npt.ArrayLike = 1,
        submitted_h: npt.ArrayLike | None = None,
        rhythm: Rhythm | None = None,
    ) -> Self:
        """Columns of campaigns with predicted total `values` (dollars) and `work_h` (slot-hours).

        Untouched, in one chunk on one slot, submitted when released, and in a market without a rhythm, unless said
        otherwise. Scalars apply to all.

        Raises
        ------
        ValueError
            When work, chunks or slots are not positive, or a boost is outside 0.1-10.
        """
        n = len(campaigns)
        released = np.array([hours(c.released_at) for c in campaigns], dtype=float)

        def column(given: npt.ArrayLike | None, otherwise: Floats) -> Floats:
            return otherwise if given is None else np.broadcast_to(np.asarray(given, dtype=float), n).copy()

        work = column(work_h, released)
        columns = cls(
            curves=Curves.of(campaigns, column(values, released), rhythm),
            work_h=work,
            remaining_h=column(remaining_h, work),
            chunk_h=column(chunk_h, work),
            slots=column(slots, work),
            as_done=np.array([c.delivers == Delivers.AS_DONE for c in campaigns], dtype=bool),
            points=column(points, work),
            pinned=np.broadcast_to(np.asarray(pinned, dtype=bool), n).copy(),
            boost=column(boost, work),
            released_h=released,
            submitted_h=column(submitted_h, released),
        )
        for name, least, most in (
            ("work_h", np.nextafter(0, 1), np.inf),
            ("chunk_h", np.nextafter(0, 1), np.inf),
            ("slots", 1, np.inf),
            ("boost", LEAST_BOOST, MOST_BOOST),
        ):
            given = getattr(columns, name)
            wrong = ~((given >= least) & (given <= most))
            if wrong.any():
                at = int(np.argmax(wrong))
                raise ValueError(
                    f"{name} {given[at]} of campaign {campaigns[at].campaign_id!r} must be {least:g} to {most:g}"
                )
        return columns

    @property
    def needed_h(self) -> Floats:
        """p: slot-hours left, never less than one chunk (what is nearly done must not look infinitely pressing)."""
        return np.maximum(self.remaining_h, self.chunk_h)

    @property
    def delay_h(self) -> Floats:
        """d: hours from starting now to the next value, the end of all work or of one chunk."""
        return np.where(self.as_done, self.chunk_h, self.needed_h / self.slots)

    @property
    def ready_h(self) -> Floats:
        """When it can first run: released, and known here."""
        return np.maximum(self.released_h, self.submitted_h)

    @property
    def at_stake(self) -> Curves:
        """Curves of what is still to be won: recipients already served have paid."""
        if not self.as_done.any():
            return self.curves
        share = np.where(self.as_done, self.remaining_h / self.work_h, 1.0)
        return replace(self.curves, value=self.curves.value * share)

    def take(self, where: npt.NDArray[np.bool_] | Indices) -> Self:
        """The rows at some positions, or under a boolean mask."""
        chosen = np.flatnonzero(where) if where.dtype == np.bool_ else where
        kept: dict[str, Any] = {name: getattr(self, name)[chosen] for name in _PLAIN}
        return type(self)(curves=self.curves.take(chosen), **kept)

    def later(self, by_h: Floats) -> Self:
        """The same campaigns, each that many hours later in all its times."""
        curves = self.curves
        moved = {name: getattr(curves, name) + by_h for name in ("starts_h", "ends_h", "due_h")}
        return replace(
            self,
            curves=replace(curves, **moved),
            released_h=self.released_h + by_h,
            submitted_h=self.submitted_h + by_h,
        )

    def followed_by(self, others: Self) -> Self:
        """These rows, then the others; in the market of these."""
        kept: dict[str, Any] = {name: np.concatenate([getattr(self, name), getattr(others, name)]) for name in _PLAIN}
        return type(self)(curves=self.curves.followed_by(others.curves), **kept)

    def __len__(self) -> int:
        return len(self.work_h)


_PLAIN = tuple(f.name for f in fields(Columns) if f.name != "curves")
