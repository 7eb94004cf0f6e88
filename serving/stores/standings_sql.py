"""Where campaigns stand, in a SQL database: read for the scheduler, and written by it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, bindparam, func, literal_column, or_, update

from serving.errors import CampaignUnknown
from serving.scheduling.states import LIVE, Event, State, after
from serving.scheduling.work import Forecast, Move, Seen, Standing
from serving.stores.batches import batches
from serving.stores.database import Database, OnDatabase
from serving.stores.marks import highest_mark, mark_followers, next_mark
from serving.stores.prepared import Prepared
from serving.stores.reader_sql import ESTIMATE, Choice, Reader
from serving.stores.schema import Moment, campaigns, micros

_ENDS = (Event.FINISH, Event.FAIL)

_NAMED = Choice(campaigns.c.campaign_id.in_(bindparam("names", expanding=True)))
_LIVE = Choice(or_(campaigns.c.state.in_(sorted(LIVE)), campaigns.c.leased > 0))
_CHANGED = Choice(campaigns.c.mark > bindparam("since"))
_DONE = Choice(campaigns.c.state == State.DONE)
_BEGUN = Choice(campaigns.c.begun_at > bindparam("since", type_=Moment))

_ESTIMATED = Prepared(
    update(campaigns).where(campaigns.c.campaign_id == bindparam("own"), campaigns.c.revision == bindparam("asked")),
    sets=(*ESTIMATE, "score", "estimated_at", "model_version", "source"),
)
_MOVED = Prepared(
    update(campaigns)
    .where(
        campaigns.c.campaign_id == bindparam("own"),
        campaigns.c.state == bindparam("was"),
        # Work added since the scheduler looked must not be lost.
        or_(
            bindparam("ends", type_=Integer) == literal_column("0"),
            campaigns.c.queued + campaigns.c.leased == literal_column("0"),
        ),
    )
    .values(
        ready_since=func.coalesce(bindparam("ready_at", type_=Moment), campaigns.c.ready_since),
        launched_at=func.coalesce(bindparam("launched", type_=Moment), campaigns.c.launched_at),
    ),
    sets=("state", "mark"),
)


class SqlStandings(OnDatabase):
    """Keeps the promises of `Standings`, and of the parts of `Log` that tell where campaigns stand."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._reader = Reader()

    def standing(self, campaign_id: str, at: datetime) -> Standing:
        """Where a campaign stands; see `Standings.standing`."""
        with self._database.reading() as connection:
            found = self._reader.standings(connection, _NAMED, at, names=[campaign_id])
        if not found:
            raise CampaignUnknown(campaign_id)
        return found[0]

    def live(self, at: datetime) -> Seen:
        """Campaigns that may still lead to work, or run still; see `Standings.live`."""
        with self._database.reading() as connection:
            # The mark first: what changes in between is then read twice rather than never.
            mark = highest_mark(connection)
            found = self._reader.standings(connection, _LIVE, at)
        self._reader.forget_all_but(standing.campaign_id for standing in found)
        return Seen(found, mark)

    def changed(self, since: int, at: datetime, also: Collection[str] = ()) -> Seen:
        """Campaigns that changed since a mark; see `Standings.changed`."""
        with self._database.reading() as connection:
            mark = highest_mark(connection)
            found = self._reader.standings(connection, _CHANGED, at, since=since) if mark > since else []
            seen = {standing.campaign_id for standing in found}
            for some in batches(sorted(set(also) - seen)):
                found += self._reader.standings(connection, _NAMED, at, names=some)
        return Seen(found, mark)

    def launched(self, at: datetime) -> list[Standing]:
        """Campaigns that are done; see `Log.launched`."""
        with self._database.reading() as connection:
            return self._reader.standings(connection, _DONE, at)

    def begun(self, since: datetime, at: datetime) -> list[Standing]:
        """Campaigns that got their first slot after a moment; see `Log.begun`."""
        with self._database.reading() as connection:
            found = self._reader.standings(connection, _BEGUN, at, since=since)
        return sorted(found, key=lambda standing: standing.begun_at or since)

    def estimated(
        self, asked: Sequence[Standing], forecast: Forecast, scores: Sequence[float | None], at: datetime
    ) -> None:
        """Keep estimates and scores; see `Standings.estimated`."""
        same = {"estimated_at": micros(at), "model_version": forecast.model_version, "source": forecast.source}
        rows = [
            {
                "own": standing.campaign_id,
                "asked": standing.revision,
                "score": score,
                **{name: getattr(estimate, name) for name in ESTIMATE},
                **same,
            }
            for standing, estimate, score in zip(asked, forecast.estimates, scores, strict=True)
        ]
        if rows:
            with self._database.writing() as connection:
                _ESTIMATED.many(connection, rows)

    def move(self, moves: Iterable[Move], at: datetime) -> int:
        """Carry out changes of state; see `Standings.move`."""
        due = list(moves)
        if not due:
            return 0
        with self._database.writing() as connection:
            mark = next_mark(connection)
            moved = _MOVED.many(connection, [_moved(move, at, mark) for move in due])
            over = {move.campaign_id for move in due if after(move.before, move.event) not in LIVE}
            mark_followers(connection, sorted(over), mark)
        return moved


def _moved(move: Move, at: datetime, mark: int) -> dict[str, Any]:
    state = after(move.before, move.event)
    return {
        "own": move.campaign_id,
        "was": move.before.value,
        "ends": int(move.event in _ENDS),
        "state": state.value,
        "ready_at": micros(at) if state is State.READY else None,
        "launched": None if move.launched_at is None else micros(move.launched_at),
        "mark": mark,
    }
