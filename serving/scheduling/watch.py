"""Keeps the roster and the books true to the store, reading only what changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from features.curves import hours
from serving.scheduling.books import Books
from serving.scheduling.ports import Store
from serving.scheduling.roster import Roster
from serving.scheduling.rules import terms_of
from serving.scheduling.work import Standing


class Watch:
    """What one scheduler has seen of the store.

    Attributes
    ----------
    roster : the live campaigns as last seen.
    books : what was used up by what was seen.
    """

    def __init__(self, store: Store, roster: Roster, books: Books) -> None:
        self._store, self.roster, self.books = store, roster, books
        self._mark = 0
        self._fresh: dict[str, Standing] = {}

    def start(self, at: datetime) -> None:
        """See everything anew, as at the start or when what was seen may be incomplete."""
        seen = self._store.live(at)
        there = {standing.campaign_id for standing in seen.standings}
        gone = [own for own in (*self.roster.row_of, *self.roster.stopping) if own not in there]
        self._mark = seen.mark
        self.take_in([*seen.standings, *(self._store.standing(campaign_id, at) for campaign_id in gone)], at)
        cap = self.books.rules.cap
        if cap is not None:
            self.books.begun.clear()
            for standing in self._store.begun(at - timedelta(hours=cap.window_h), at):
                self._address(standing)

    def look(self, at: datetime) -> None:
        """See what changed since, in the store or by time alone."""
        seen = self._store.changed(self._mark, at, also=self.roster.due(at))
        self._mark = max(self._mark, seen.mark)
        if seen.standings:
            self.take_in(seen.standings, at)

    def take_in(self, standings: Iterable[Standing], at: datetime) -> None:
        """Take in campaigns as they stand, with what they used up since they were last seen."""
        changed = list(standings)
        for standing in changed:
            self._book(standing)
        self.roster.update(changed, at)
        self._fresh |= {standing.campaign_id: standing for standing in changed}

    def fresh(self) -> list[Standing]:
        """Campaigns as last taken in, of those that were since this was asked before."""
        fresh, self._fresh = self._fresh, {}
        return list(fresh.values())

    def _book(self, standing: Standing) -> None:
        rules = self.books.rules
        if not rules.limits and rules.cap is None:
            return
        before = self.roster.seen(standing.campaign_id)
        if before is None:
            return
        if rules.limits:
            done = standing.progress.units_done - before.progress.units_done
            self.books.spend(terms_of(standing.campaign, rules).limits, max(done, 0.0))
        if before.begun_at is None and standing.begun_at is not None:
            self._address(standing)

    def _address(self, standing: Standing) -> None:
        if standing.begun_at is not None:
            self.books.addressed(terms_of(standing.campaign, self.books.rules).targets, hours(standing.begun_at))
