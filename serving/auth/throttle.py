"""How fast each of many may come: so many a minute, of which a minute's worth at once."""

from __future__ import annotations

_MINUTE_S = 60.0
_HAIR_S = 1e-3
"""Rounding of a minute's shares, which is no haste."""
_MANY = 1_000
"""Names remembered before those that owe nothing are forgotten."""


class PerMinute:
    """Each time costs its share of a minute, and one minute may be owed (the generic cell rate algorithm).

    State is in memory: after a restart everybody may come a minute's worth of times at once.
    """

    def __init__(self, per_min: float) -> None:
        self.per_min = per_min
        self._paid_until_s: dict[str, float] = {}
        self._many = _MANY

    def over_s(self, who: str, now_s: float) -> float:
        """Seconds until they may come once more; 0 if they may now."""
        over_s = self._paid_s(who, now_s) - now_s - max(_MINUTE_S, _MINUTE_S / self.per_min)
        return over_s if over_s > _HAIR_S else 0.0

    def count(self, who: str, now_s: float) -> None:
        """Count that they came."""
        self._paid_until_s[who] = self._paid_s(who, now_s)
        if len(self._paid_until_s) > self._many:
            self._paid_until_s = {name: until for name, until in self._paid_until_s.items() if until > now_s}
            self._many = max(2 * len(self._paid_until_s), _MANY)

    def _paid_s(self, who: str, now_s: float) -> float:
        """Until when they will have paid after coming once more."""
        return max(self._paid_until_s.get(who, now_s), now_s) + _MINUTE_S / self.per_min
