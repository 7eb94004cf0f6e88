"""Where campaigns stand, in a SQL database: read for the scheduler, and written by it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Row, bindparam, func, not_, or_, select, update

from features.records import Campaign
from serving.errors import CampaignUnknown
from serving.scheduling.states import LIVE, Event, State, after
from serving.scheduling.work import Estimate, Forecast, Move, Progress, Standing
from serving.stores.admission import CAMPAIGN
from serving.stores.database import Database, OnDatabase
from serving.stores.schema import Moment, campaigns, dependencies, tasks

_ENDS = (Event.FINISH, Event.FAIL)
_PROGRESS = tuple(Progress.__dataclass_fields__)


class SqlStandings(OnDatabase):
    """Keeps the promises of `Standings`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._parsed: dict[str, tuple[int, Campaign]] = {}

    def standing(self, campaign_id: str, at: datetime) -> Standing:
        """Where a campaign stands; see `Intake.standing`."""
        found = self._standings(campaigns.c.campaign_id == campaign_id, at)
        if not found:
            raise CampaignUnknown(campaign_id)
        return found[0]

    def live(self, at: datetime) -> list[Standing]:
        """Campaigns that may still lead to work; see `Standings.live`."""
        found = self._standings(campaigns.c.state.in_(sorted(LIVE)), at)
        self._parsed = {s.campaign_id: (s.revision, s.campaign) for s in found}
        return found

    def launched(self, at: datetime) -> list[Standing]:
        """Campaigns that are done; see `Log.launched`."""
        return self._standings(campaigns.c.state == State.DONE, at)

    def estimated(
        self, asked: Sequence[Standing], forecast: Forecast, scores: Sequence[float | None], at: datetime
    ) -> None:
        """Keep estimates and scores; see `Standings.estimated`."""
        rows = [
            {"own": s.campaign_id, "asked": s.revision, "estimate": asdict(estimate), "score": score}
            for s, estimate, score in zip(asked, forecast.estimates, scores, strict=True)
        ]
        statement = (
            update(campaigns)
            .where(campaigns.c.campaign_id == bindparam("own"), campaigns.c.revision == bindparam("asked"))
            .values(
                estimate=bindparam("estimate"),
                score=bindparam("score"),
                estimated_at=at,
                model_version=forecast.model_version,
                source=forecast.source,
            )
        )
        with self._database.writing() as connection:
            if rows:
                connection.execute(statement, rows)

    def move(self, moves: Iterable[Move]) -> int:
        """Carry out changes of state; see `Standings.move`."""
        rows = [
            {
                "own": move.campaign_id,
                "was": move.before,
                "is": after(move.before, move.event),
                "ends": move.event in _ENDS,
                "launched": move.launched_at,
            }
            for move in moves
        ]
        # Work added since the scheduler looked must not be lost.
        idle = campaigns.c.queued + campaigns.c.leased == 0
        statement = (
            update(campaigns)
            .where(
                campaigns.c.campaign_id == bindparam("own"),
                campaigns.c.state == bindparam("was"),
                or_(not_(bindparam("ends", type_=Boolean)), idle),
            )
            .values(
                state=bindparam("is"),
                launched_at=func.coalesce(bindparam("launched", type_=Moment), campaigns.c.launched_at),
            )
        )
        with self._database.writing() as connection:
            return connection.execute(statement, rows).rowcount if rows else 0

    def _standings(self, chosen: ColumnElement[bool], at: datetime) -> list[Standing]:
        """Standings of the chosen campaigns, all from one state of the database."""
        backs_off = (
            select(tasks.c.campaign_id, func.count(), func.min(tasks.c.not_before))
            .where(tasks.c.not_before.is_not(None), tasks.c.not_before > at)
            .group_by(tasks.c.campaign_id)
        )
        before = campaigns.alias("before")
        follows = (
            select(dependencies.c.campaign_id, dependencies.c.after_id, before.c.state)
            .join(campaigns, campaigns.c.campaign_id == dependencies.c.campaign_id)
            .outerjoin(before, before.c.campaign_id == dependencies.c.after_id)
            .where(chosen, or_(before.c.state.is_(None), before.c.state != State.DONE))
            .order_by(dependencies.c.after_id)
        )
        with self._database.reading() as connection:
            rows = connection.execute(select(campaigns).where(chosen).order_by(campaigns.c.number)).all()
            backing_off = {own: (count, retry) for own, count, retry in connection.execute(backs_off)}
            blocked: dict[str, list[tuple[str, State | None]]] = {}
            for own, predecessor, state in connection.execute(follows):
                blocked.setdefault(own, []).append((predecessor, None if state is None else State(state)))
        return [
            self._standing(row, backing_off.get(row.campaign_id, (0, None)), blocked.get(row.campaign_id, ()))
            for row in rows
        ]

    def _standing(
        self,
        row: Row[Any],
        backing_off: tuple[int, datetime | None],
        blocked_by: Iterable[tuple[str, State | None]],
    ) -> Standing:
        return Standing(
            campaign=self._campaign(row),
            state=State(row.state),
            submitted_at=row.submitted_at,
            revision=row.revision,
            boost=row.boost,
            pinned=row.pinned,
            estimate=None if row.estimate is None else Estimate(**row.estimate),
            estimated_at=row.estimated_at,
            model_version=row.model_version,
            source=row.source,
            score=row.score,
            preemptions=row.preemptions,
            progress=Progress(**{name: getattr(row, name) for name in _PROGRESS}),
            backing_off=backing_off[0],
            retry_at=backing_off[1],
            worked_at=row.worked_at,
            launched_at=row.launched_at,
            blocked_by=tuple(blocked_by),
        )

    def _campaign(self, row: Row[Any]) -> Campaign:
        """The campaign with its changed facts; parsing is what costs, so live ones are kept parsed."""
        revision, campaign = self._parsed.get(row.campaign_id, (None, None))
        if campaign is None or revision != row.revision:
            return campaign_of(row)
        return campaign


def campaign_of(row: Row[Any]) -> Campaign:
    """The campaign of a row, with the facts changed since it was declared."""
    return CAMPAIGN.validate_python({**json.loads(row.declared), **json.loads(row.facts)})
