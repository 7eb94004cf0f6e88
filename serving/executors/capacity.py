"""How many slots an executor has, as the work that presses on it comes and goes."""

from __future__ import annotations

from datetime import datetime, timedelta


class Capacity:
    """A number of slots between two bounds: it grows at once with the tasks that could run, and shrinks after a while.

    Shrinking waits, so that a pause between two campaigns does not end processes that the second one needs.

    Parameters
    ----------
    least, most : bounds of the number of slots; equal for a fixed one.
    idle_s : seconds of the clock for which fewer must have been enough before slots are given up.

    Raises
    ------
    ValueError
        When the bounds are not 1 <= `least` <= `most`.

    Examples
    --------
    >>> noon = datetime.fromisoformat("2026-11-27T12:00:00+00:00")
    >>> capacity = Capacity(1, 8, idle_s=60)
    >>> capacity.fit(5, noon)
    5
    >>> capacity.fit(2, noon + timedelta(seconds=10)), capacity.fit(0, noon + timedelta(seconds=70))
    (5, 2)
    """

    def __init__(self, least: int, most: int, *, idle_s: float) -> None:
        if not 1 <= least <= most:
            raise ValueError(f"least {least!r} must be from 1 to most {most!r}: bounds of the number of slots")
        self._least, self._most, self._idle = least, most, timedelta(seconds=idle_s)
        self._slots = self._needed = least
        self._enough_since: datetime | None = None

    @property
    def slots(self) -> int:
        """How many there are now."""
        return self._slots

    def fit(self, tasks: int, at: datetime) -> int:
        """Make as many slots as `tasks` could use at a moment, within the bounds; return how many there are then."""
        needed = min(max(tasks, self._least), self._most)
        if needed >= self._slots:
            self._slots, self._enough_since = needed, None
        elif self._enough_since is None:
            self._needed, self._enough_since = needed, at
        else:
            self._needed = max(self._needed, needed)
            if at - self._enough_since >= self._idle:
                self._slots, self._enough_since = self._needed, None
        return self._slots
