"""How much is taken in: bounds on what is queued at once, and on how fast one account submits.

State is in memory: after a restart every account may submit a minute's worth at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import inf

from serving.auth.throttle import PerMinute
from serving.errors import QueueFull, SubmittedTooFast, TooMuch
from serving.scheduling.work import Backlog

_UNKNOWN_S, _LEAST_S, _MOST_S = 30.0, 1.0, 600.0
"""What `Retry-After` says while no rate is known, and its range."""


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
    backlog : counts what there is; asked at most once a second, and before anything is refused.
    pace : seconds of the clock per second of the wall clock, in which callers wait.
    """

    def __init__(self, bounds: Bounds, backlog: Callable[[], Backlog], pace: float = 1.0) -> None:
        self.bounds = bounds
        self._backlog, self._pace = backlog, pace
        self._tasks, self._campaigns = Drain(), Drain()
        self._counted_s = -inf
        per_min = bounds.submissions_per_min
        self._paces = None if per_min is None else PerMinute(per_min)

    def full(self, at: datetime, *, campaigns: int, tasks: int) -> TooMuch | None:
        """Why so many more may not be queued now; None if they may."""
        now_s = self._wall_s(at)
        if now_s - self._counted_s >= _LEAST_S or self._over(campaigns, tasks) is not None:
            self._count(now_s)
        return self._over(campaigns, tasks)

    def hasty(self, account: str, at: datetime) -> TooMuch | None:
        """Why an account may not submit one more campaign now; None if it may."""
        if self._paces is None:
            return None
        over_s = self._paces.over_s(account, self._wall_s(at))
        return SubmittedTooFast(account, self._paces.per_min, over_s) if over_s > 0 else None

    def admitted(self, account: str, at: datetime, *, campaigns: int, tasks: int) -> None:
        """Count what was taken in."""
        self._tasks.add(tasks)
        self._campaigns.add(campaigns)
        if campaigns and self._paces is not None:
            self._paces.count(account, self._wall_s(at))

    def _over(self, campaigns: int, tasks: int) -> TooMuch | None:
        for bound, most, there, more in (
            ("most_queued_tasks", self.bounds.queued_tasks, self._tasks, tasks),
            ("most_live_campaigns", self.bounds.live_campaigns, self._campaigns, campaigns),
        ):
            if more and there.count + more > most:
                return QueueFull(bound, most, there.count, more, there.wait_s(there.count + more - most))
        return None

    def _count(self, now_s: float) -> None:
        backlog = self._backlog()
        self._tasks.read(backlog.tasks, now_s)
        self._campaigns.read(backlog.campaigns, now_s)
        self._counted_s = now_s

    def _wall_s(self, at: datetime) -> float:
        return at.timestamp() / self._pace


@dataclass
class Drain:
    """A count that work makes go down, and how fast it lately did.

    Attributes
    ----------
    count : as last read, and what was added since.
    """

    count: int = 0
    _added: int = 0
    _began: tuple[float, int] | None = None
    _per_s: float | None = None

    def add(self, more: int) -> None:
        """Count what comes in."""
        self.count += more
        self._added += more

    def read(self, there: int, now_s: float) -> None:
        """Take over how many there are; how fast they go is judged over a second at least."""
        self.count = there
        if self._began is not None:
            since_s, before = self._began
            seconds = now_s - since_s
            if seconds < _LEAST_S:
                return
            # What happened over a longer time says little about now.
            self._per_s = (before + self._added - there) / seconds if seconds < _MOST_S else None
        self._began, self._added = (now_s, there), 0

    def wait_s(self, count: int) -> float:
        """Seconds until so many will probably be gone."""
        if self._per_s is None or self._per_s <= 0:
            return _UNKNOWN_S
        return min(max(count / self._per_s, _LEAST_S), _MOST_S)
