"""When a campaign will start and be done, as far as anybody can tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """Predicted moments: the middle one, and one that is past in one of ten cases.

    None where nobody can say: it is held by what has no date, or lies further ahead than is looked, or may never come.

    Attributes
    ----------
    p50, p90 : when it is done.
    start_p50, start_p90 : when it gets its first slot; when it got it, once it has.
    in_time : probability of being done by its `launch_by`; None without one.
    """

    p50: datetime | None
    p90: datetime | None
    start_p50: datetime | None
    start_p90: datetime | None
    in_time: float | None
