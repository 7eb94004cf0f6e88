"""Standings out of the rows of a SQL database."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from features.records import Campaign
from serving.scheduling.states import LIVE, State
from serving.scheduling.work import Estimate, Progress, Standing
from serving.stores.admission import CAMPAIGN
from serving.stores.batches import batches
from serving.stores.schema import campaigns, declarations, dependencies, tasks

_PROGRESS = tuple(Progress.__dataclass_fields__)
_OWN = (
    "submitted_at", "revision", "boost", "pinned", "estimated_at", "model_version", "source", "score",
    "preemptions", "begun_at", "ready_since", "worked_at", "launched_at",
)  # fmt: skip
"""What a standing has straight from its campaign's row."""


class Reader:
    """Reads standings; what live campaigns declare is kept, as parsing it costs more than all the rest."""

    def __init__(self) -> None:
        self._parsed: dict[str, tuple[int, Campaign]] = {}

    def standings(self, connection: Connection, chosen: ColumnElement[bool], at: datetime) -> list[Standing]:
        """The standings of the campaigns chosen, oldest submission first, from a transaction that sees one state."""
        rows = connection.execute(select(campaigns).where(chosen).order_by(campaigns.c.number)).all()
        if not rows:
            return []
        declared = self._campaigns(connection, rows)
        backing_off = _backing_off(connection, chosen, at)
        blocked_by = _blocked_by(connection, chosen)
        standings = []
        for row in rows:
            count, retry_at = backing_off.get(row.number, (0, None))
            estimate = None if row.points is None else Estimate(
                campaign_id=row.campaign_id,
                value=row.value,
                points=row.points,
                p50_h=row.p50_h,
                p90_h=row.p90_h,
                fallback=row.fallback,
            )  # fmt: skip
            standing = Standing(
                campaign=declared[row.number],
                state=State(row.state),
                estimate=estimate,
                progress=Progress(**{name: getattr(row, name) for name in _PROGRESS}),
                backing_off=count,
                retry_at=retry_at,
                blocked_by=tuple(blocked_by.get(row.campaign_id, ())),
                **{name: getattr(row, name) for name in _OWN},
            )
            standings.append(standing)
        return standings

    def forget_all_but(self, campaign_ids: Iterable[str]) -> None:
        """Keep parsed only these."""
        parsed = self._parsed
        self._parsed = {own: parsed[own] for own in campaign_ids if own in parsed}

    def _campaigns(self, connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, Campaign]:
        """The campaigns of rows with their changed facts, by number."""
        found: dict[int, Campaign] = {}
        for row in rows:
            revision, campaign = self._parsed.get(row.campaign_id, (None, None))
            if campaign is not None and revision == row.revision:
                found[row.number] = campaign
        for some in batches(row.number for row in rows if row.number not in found):
            texts = connection.execute(select(declarations).where(declarations.c.campaign.in_(some)))
            found |= {text.campaign: declared(text) for text in texts}
        for row in rows:
            if row.state in LIVE:
                self._parsed[row.campaign_id] = (row.revision, found[row.number])
            else:
                self._parsed.pop(row.campaign_id, None)
        return found


def declared(text: Row[Any]) -> Campaign:
    """The campaign of a declaration, with the facts changed since."""
    return CAMPAIGN.validate_python({**json.loads(text.declared), **json.loads(text.facts)})


def _backing_off(
    connection: Connection, chosen: ColumnElement[bool], at: datetime
) -> dict[int, tuple[int, datetime | None]]:
    """How many tasks of each campaign back off, and until when the first of them does; by the campaign's number."""
    statement = (
        select(tasks.c.campaign, func.count(), func.min(tasks.c.not_before))
        .where(
            tasks.c.campaign.in_(select(campaigns.c.number).where(chosen)),
            tasks.c.not_before.is_not(None),
            tasks.c.not_before > at,
        )
        .group_by(tasks.c.campaign)
    )
    return {number: (count, retry_at) for number, count, retry_at in connection.execute(statement)}


def _blocked_by(connection: Connection, chosen: ColumnElement[bool]) -> dict[str, list[tuple[str, State | None]]]:
    """The predecessors of each campaign that are not done, by the campaign's id."""
    before = campaigns.alias("before")
    statement = (
        select(dependencies.c.campaign_id, dependencies.c.after_id, before.c.state)
        .outerjoin(before, before.c.campaign_id == dependencies.c.after_id)
        .where(
            dependencies.c.campaign_id.in_(select(campaigns.c.campaign_id).where(chosen)),
            or_(before.c.state.is_(None), before.c.state != State.DONE),
        )
        .order_by(dependencies.c.campaign_id, dependencies.c.after_id)
    )
    blocked: dict[str, list[tuple[str, State | None]]] = defaultdict(list)
    for own, predecessor, state in connection.execute(statement):
        blocked[own].append((predecessor, None if state is None else State(state)))
    return blocked
