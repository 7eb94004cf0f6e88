"""How long a campaign's tasks lately took."""

from __future__ import annotations

from collections import OrderedDict

_WEIGHT = 0.2
"""Of the latest task: about the last ten are remembered."""
_MOST = 10_000
"""Campaigns remembered; those not seen for longest are forgotten first."""


class Pace:
    """A moving mean of the seconds that tasks held a slot, by campaign."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._mean: OrderedDict[str, float] = OrderedDict()

    def took(self, campaign_id: str, seconds: float) -> None:
        """Note one more task."""
        mean = self._mean.get(campaign_id)
        self._mean[campaign_id] = seconds if mean is None else mean + _WEIGHT * (seconds - mean)
        self._mean.move_to_end(campaign_id)
        if len(self._mean) > self._most:
            self._mean.popitem(last=False)

    def mean_s(self, campaign_id: str) -> float | None:
        """Seconds a task of the campaign lately took; None while none was seen, or none for long."""
        return self._mean.get(campaign_id)
