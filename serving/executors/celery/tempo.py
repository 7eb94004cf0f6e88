"""How long tasks take that are seen only from afar, now and then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from serving.executors.pace import Pace


class Tempo:
    """The time that slots spent on a campaign, by the tasks of it that ended meanwhile: right on the whole.

    Of small tasks many begin and end between two looks, so that none of them could be timed by itself.

    Examples
    --------
    >>> tempo = Tempo()
    >>> tempo.passed(0.5, {"sale": 2}, {})
    >>> tempo.passed(0.5, {"sale": 2}, {"sale": 10})
    >>> tempo.mean_s("sale")
    0.2
    """

    def __init__(self) -> None:
        self._pace = Pace()
        self._spent_s: dict[str, float] = defaultdict(float)

    def passed(self, seconds: float, slots: Mapping[str, int], ended: Mapping[str, int]) -> None:
        """Note that so many slots worked for each campaign for a while, in which so many tasks of it ended."""
        for campaign_id, count in slots.items():
            self._spent_s[campaign_id] += seconds * count
        for campaign_id, count in ended.items():
            self._pace.took(campaign_id, self._spent_s.pop(campaign_id, 0.0) / count)
        self._spent_s = defaultdict(float, {name: spent for name, spent in self._spent_s.items() if name in slots})

    def mean_s(self, campaign_id: str) -> float | None:
        """See `Pace.mean_s`."""
        return self._pace.mean_s(campaign_id)
