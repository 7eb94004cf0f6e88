"""How much is taken in: bounds on what is queued at once, and on how fast one account submits.

State is in memory: after a restart every account may submit a minute's worth at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serving.errors import QueueFull, SubmittedTooFast, TooMuch
from serving.scheduling.work import Backlog

_MINUTE_S = 60.0
_UNKNOWN_S, _LEAST_S, _MOST_S = 30.0, 1.0, 600.0
"""What `Retry-After` says while no rate is known, and its range."""
_HAIR_S = 1e-3
"""Rounding of a minute's shares, which is no haste."""
_MANY = 1_000
"""Accounts remembered before those that owe nothing are forgotten."""


@dataclass(frozen=True)
class Bounds:
    """What is taken in at most.

    Attributes
    ----------
    queued_tasks, live_campaigns : at once, in the whole queue.
    submissions_per_min : new campaigns of one account a minute of the wall clock; None for any number.
    """

    queued_tasks: int
    live_campaigns: int
    submissions_per_min: float | None = None


class Admission:
    """Says whether there is room for more, and if not, when there probably will be.

    Parameters
    ----------
    pace : seconds of the clock per second of the wall clock, in which callers wait.
    """

    def __init__(self, bounds: Bounds, pace: float = 1.0) -> None:
        self.bounds = bounds
        self._pace = pace
        self._tasks, self._campaigns = Drain(), Drain()
        self._paid_until_s: dict[str, float] = {}
        self._many = _MANY

    def full(self, backlog: Backlog, at: datetime, *, campaigns: int, tasks: int) -> TooMuch | None:
        """Why so many more may not be queued now; None if they may."""
        now_s = self._wall_s(at)
        self._tasks.look(backlog.tasks, now_s)
        self._campaigns.look(backlog.campaigns, now_s)
        for bound, most, there, more, drain in (
            ("most_queued_tasks", self.bounds.queued_tasks, backlog.tasks, tasks, self._tasks),
            ("most_live_campaigns", self.bounds.live_campaigns, backlog.campaigns, campaigns, self._campaigns),
        ):
            if more and there + more > most:
                return QueueFull(bound, most, there, more, drain.wait_s(there + more - most))
        return None

    def hasty(self, account: str, at: datetime) -> TooMuch | None:
        """Why an account may not submit one more campaign now; None if it may."""
        per_min, now_s = self.bounds.submissions_per_min, self._wall_s(at)
        if per_min is None:
            return None
        # Each submission pays for its share of a minute; one minute may be paid for ahead.
        over_s = self._paid_s(account, now_s, per_min) - now_s - max(_MINUTE_S, _MINUTE_S / per_min)
        return SubmittedTooFast(account, per_min, over_s) if over_s > _HAIR_S else None

    def admitted(self, account: str, at: datetime, *, campaigns: int, tasks: int) -> None:
        """Count what was taken in."""
        self._tasks.added += tasks
        self._campaigns.added += campaigns
        per_min, now_s = self.bounds.submissions_per_min, self._wall_s(at)
        if campaigns and per_min is not None:
            self._paid_until_s[account] = self._paid_s(account, now_s, per_min)
            self._forget(now_s)

    def _paid_s(self, account: str, now_s: float, per_min: float) -> float:
        """Until when an account will have paid after one more submission."""
        return max(self._paid_until_s.get(account, now_s), now_s) + _MINUTE_S / per_min

    def _forget(self, now_s: float) -> None:
        if len(self._paid_until_s) > self._many:
            self._paid_until_s = {name: until for name, until in self._paid_until_s.items() if until > now_s}
            self._many = max(2 * len(self._paid_until_s), _MANY)

    def _wall_s(self, at: datetime) -> float:
        return at.timestamp() / self._pace


@dataclass
class Drain:
    """How fast a count goes down, from what is there when it is looked at and what was added meanwhile.

    Attributes
    ----------
    added : since the last look that counted.
    """

    added: int = 0
    _there: int = 0
    _since_s: float | None = None
    _per_s: float | None = None

    def look(self, there: int, now_s: float) -> None:
        """See how many there are; a look sooner than a second after the last counts for nothing."""
        if self._since_s is not None:
            seconds = now_s - self._since_s
            if seconds < _LEAST_S:
                return
            # What happened over a longer time says little about now.
            self._per_s = (self._there + self.added - there) / seconds if seconds < _MOST_S else None
        self._there, self._since_s, self.added = there, now_s, 0

    def wait_s(self, count: int) -> float:
        """Seconds until so many will probably be gone."""
        if self._per_s is None or self._per_s <= 0:
            return _UNKNOWN_S
        return min(max(count / self._per_s, _LEAST_S), _MOST_S)
