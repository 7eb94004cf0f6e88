"""Value curves: V(tau), what a campaign is still worth when it goes live at tau.

Here rather than beside the priority, because features need them too: a campaign that we launched
late showed only the share of its value that was left, and its history must be read with that share.

Times are hours since the epoch, values dollars; one array entry a campaign.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from features.records import Campaign, ValueShape
from features.rhythm import Rhythm

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

LATE_FRACTION = 0.2
"""Share of value left after a missed `launch_by`, unless the campaign says otherwise."""

SHAPES = tuple(ValueShape)
WINDOW, DEADLINE, HALF_LIFE = (SHAPES.index(s) for s in (ValueShape.WINDOW, ValueShape.DEADLINE, ValueShape.HALF_LIFE))


def hours(moment: datetime | None, missing: float = np.inf) -> float:
    """Hours since the epoch; `missing` where there is no moment."""
    return missing if moment is None else moment.timestamp() / 3600


@dataclass(frozen=True)
class Curves:
    """The value curves of several campaigns, as columns.

    Attributes
    ----------
    value : dollars if live by `starts_h`.
    starts_h, ends_h, due_h : hours since the epoch; infinite where the campaign has none.
    shape : index into `SHAPES`.
    late_fraction : share of value left after `due_h`, for deadlines.
    half_life_h : hours, for half-lives.
    rhythm : of the market, in which the value of windows accrues; None for evenly.
    """

    value: Floats
    starts_h: Floats
    ends_h: Floats
    due_h: Floats
    shape: npt.NDArray[np.int8]
    late_fraction: Floats
    half_life_h: Floats
    rhythm: Rhythm | None = None

    @classmethod
    def of(cls, campaigns: Iterable[Campaign], values: Sequence[float] | Floats, rhythm: Rhythm | None = None) -> Self:
        """Curves of campaigns with predicted total `values`, in the same order."""
        rows = [_told(c) for c in campaigns]
        starts, ends, due, shape, late, half = np.array(rows, dtype=float).reshape(-1, 6).T.copy()
        return cls(np.asarray(values, dtype=float), starts, ends, due, shape.astype(np.int8), late, half, rhythm)

    def take(self, where: npt.ArrayLike) -> Self:
        """The curves at some positions, or under a boolean mask."""
        chosen = np.asarray(where)
        return replace(self, **{name: getattr(self, name)[chosen] for name in _COLUMNS})

    def followed_by(self, others: Self) -> Self:
        """These curves, then the others; in the market of these."""
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(others, name)]) for name in _COLUMNS
        }
        return replace(self, **joined)

    def __len__(self) -> int:
        return len(self.value)


class Curve(NamedTuple):
    """The value curve of a single campaign, in plain numbers: see `Curves`, whose columns these are."""

    value: float
    starts_h: float
    ends_h: float
    due_h: float
    shape: int
    late_fraction: float
    half_life_h: float
    rhythm: Rhythm | None = None

    @classmethod
    def of(cls, campaign: Campaign, value: float, rhythm: Rhythm | None = None) -> Self:
        """The curve of a campaign with a predicted total `value`."""
        return cls(value, *_told(campaign), rhythm)


def _told(campaign: Campaign) -> tuple[float, float, float, int, float, float]:
    """What a campaign declares of its curve: start, end and due hour, shape, late fraction and half-life."""
    late, half_life_h = campaign.late_fraction, campaign.half_life_h
    return (
        hours(campaign.accrues_from),
        hours(campaign.ends_at),
        hours(campaign.launch_by),
        SHAPES.index(campaign.value_shape),
        LATE_FRACTION if late is None else float(late),
        float(half_life_h) if half_life_h else np.inf,
    )


_COLUMNS = tuple(f.name for f in fields(Curves) if f.name != "rhythm")


def share_left(curves: Curves, live_h: npt.ArrayLike) -> Floats:
    """Share of each campaign's value left when it goes live at `live_h`: 1 in time, 0 from its end on.

    `window` falls from start to end as the market's rhythm says, or else evenly, `deadline` drops to
    its late fraction after `launch_by`, `half_life` halves every `half_life_h` after its start. What never goes live
    (infinite `live_h`) has nothing left.
    """
    live = np.asarray(live_h, dtype=float)
    late_by = np.maximum(live - curves.starts_h, 0.0)
    with np.errstate(invalid="ignore"):  # infinite parameters of other shapes, and of what never goes live
        if curves.rhythm is None:
            window = 1 - late_by / (curves.ends_h - curves.starts_h)
        else:
            late, starts, ends = (curves.rhythm.elapsed(h) for h in (live, curves.starts_h, curves.ends_h))
            window = 1 - np.maximum(late - starts, 0.0) / (ends - starts)
        half_life = np.exp2(-late_by / curves.half_life_h)
    deadline = np.where(live <= curves.due_h, 1.0, curves.late_fraction)
    left = np.choose(curves.shape, [window, deadline, half_life])
    return np.where(live < curves.ends_h, np.clip(left, 0.0, 1.0), 0.0)


def value_at(curves: Curves, live_h: npt.ArrayLike) -> Floats:
    """V(tau) in dollars when each campaign goes live at `live_h`."""
    return curves.value * share_left(curves, live_h)
