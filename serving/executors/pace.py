"""How long tasks lately took."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

_OF_ONE, _OF_ALL = 10, 200
"""About so many of the latest tasks are remembered of a campaign, and of all campaigns."""
_MOST = 10_000
"""Campaigns remembered; those not seen for longest are forgotten first."""


@dataclass(slots=True)
class _Mean:
    """Of the first tasks it is plain, later a moving one."""

    over: int
    value_s: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        self.count = min(self.count + 1, self.over)
        self.value_s += (seconds - self.value_s) / self.count


class Pace:
    """Moving means of the seconds that tasks held a slot: by campaign, and of all."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._all = _Mean(_OF_ALL)
        self._means: OrderedDict[str, _Mean] = OrderedDict()

    def took(self, campaign_id: str, seconds: float) -> None:
        """Note one more task."""
        self._all.add(seconds)
        mean = self._means.get(campaign_id)
        if mean is None:
            mean = self._means[campaign_id] = _Mean(_OF_ONE)
            if len(self._means) > self._most:
                self._means.popitem(last=False)
        else:
            self._means.move_to_end(campaign_id)
        mean.add(seconds)

    def mean_s(self, campaign_id: str | None) -> float | None:
        """Seconds a task of a campaign lately took, or (None) of any; None while none was seen, or none for long."""
        mean = self._all if campaign_id is None else self._means.get(campaign_id)
        return mean.value_s if mean is not None and mean.count else None
