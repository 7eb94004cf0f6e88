"""Where every campaign stands, read anew only when something was written: the observers ask far more than they see."""

from __future__ import annotations

from serving.clock import Clock
from serving.scheduling.ports import Store
from serving.scheduling.states import LIVE
from serving.scheduling.work import Standing


class Mirror:
    """Reads the store itself, past all that may go wrong on the way to it.

    What backs off is told as of the last change.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._mark, self._stale = 0, False
        self._all: dict[str, Standing] = {}
        self._live: dict[str, Standing] = {}

    def written(self) -> None:
        """Note that something was written."""
        self._stale = True

    def standing(self, campaign_id: str) -> Standing | None:
        """Where a campaign stands; None for one never submitted."""
        self._read()
        return self._all.get(campaign_id)

    def live(self) -> dict[str, Standing]:
        """The campaigns that may still lead to work, by id."""
        self._read()
        return self._live

    def _read(self) -> None:
        if not self._stale:
            return
        seen = self._store.changed(self._mark, self._clock.now())
        self._mark, self._stale = seen.mark, False
        for standing in seen.standings:
            self._all[standing.campaign_id] = standing
            if standing.state in LIVE:
                self._live[standing.campaign_id] = standing
            else:
                self._live.pop(standing.campaign_id, None)
