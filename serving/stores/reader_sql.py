"""Standings out of the rows of a SQL database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, or_, select

from features.records import Campaign
from serving.scheduling.progress import Progress
from serving.scheduling.states import LIVE, State
from serving.scheduling.work import Estimate, Standing
from serving.stores.batches import batches
from serving.stores.records import campaign_of
from serving.stores.schema import Moment, campaigns, declarations, dependencies, tasks

_PROGRESS = tuple(Progress.__dataclass_fields__)
ESTIMATE = tuple(name for name in Estimate.__dataclass_fields__ if name != "campaign_id")
"""Columns of a campaign's row that hold what was estimated of it."""
_OWN = (
    "submitted_at", "revision", "boost", "pinned", "estimated_at", "model_version", "source", "score", "preemptions",
    "backing_off", "retry_at", "begun_at", "ready_since", "worked_at", "launched_at",
)  # fmt: skip
"""What a standing has straight from its campaign's row."""


class Choice:
    """A choice of campaigns, with the statements that read what they stand at.

    Parameters
    ----------
    chosen : condition on the campaigns, whose parameters are given by name when they are read.
    """

    def __init__(self, chosen: ColumnElement[bool]) -> None:
        backs_off = (
            (tasks.c.campaign == campaigns.c.number)
            & tasks.c.not_before.is_not(None)
            & (tasks.c.not_before > bindparam("at", type_=Moment))
        )
        count = select(func.count()).select_from(tasks).where(backs_off).scalar_subquery()
        first = select(func.min(tasks.c.not_before)).where(backs_off).scalar_subquery()
        columns = (campaigns, count.label("backing_off"), first.label("retry_at"))
        self.rows = select(*columns).where(chosen)
        before = campaigns.alias("before")
        self.blocked_by = (
            select(dependencies.c.campaign_id, dependencies.c.after_id, before.c.state)
            .outerjoin(before, before.c.campaign_id == dependencies.c.after_id)
            .where(
                dependencies.c.campaign_id.in_(select(campaigns.c.campaign_id).where(chosen)),
                or_(before.c.state.is_(None), before.c.state != State.DONE),
            )
        )


class Reader:
    """Reads standings; what live campaigns declare is kept, as parsing it costs more than all the rest."""

    def __init__(self) -> None:
        self._parsed: dict[str, tuple[int, Campaign]] = {}

    def standings(self, connection: Connection, choice: Choice, at: datetime, **parameters: Any) -> list[Standing]:
        """The standings of the campaigns chosen, oldest submission first, from a transaction that sees one state."""
        rows = connection.execute(choice.rows, {"at": at, **parameters}).all()
        # Sorted here: asked to sort, SQLite goes through all campaigns there are rather than the index of the choice.
        rows = sorted(rows, key=lambda row: row.number)
        declared = self._campaigns(connection, rows)
        blocked_by: dict[str, list[tuple[str, State | None]]] = defaultdict(list)
        if any(campaign.after for campaign in declared.values()):
            # Sorted here as well: databases do not agree on the order of text.
            for own, predecessor, state in sorted(connection.execute(choice.blocked_by, parameters).tuples()):
                blocked_by[own].append((predecessor, None if state is None else State(state)))
        return [_standing(row, declared[row.number], blocked_by.get(row.campaign_id, ())) for row in rows]

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
            found |= {text.campaign: campaign_of(text.declared, text.facts) for text in texts}
        for row in rows:
            if row.state in LIVE:
                self._parsed[row.campaign_id] = (row.revision, found[row.number])
            else:
                self._parsed.pop(row.campaign_id, None)
        return found


def _standing(row: Row[Any], campaign: Campaign, blocked_by: Iterable[tuple[str, State | None]]) -> Standing:
    return Standing(
        campaign=campaign,
        state=State(row.state),
        estimate=_estimate(row),
        progress=Progress(**{name: getattr(row, name) for name in _PROGRESS}),
        blocked_by=tuple(blocked_by),
        **{name: getattr(row, name) for name in _OWN},
    )


def _estimate(row: Row[Any]) -> Estimate | None:
    if row.points is None:
        return None
    return Estimate(campaign_id=row.campaign_id, **{name: getattr(row, name) for name in ESTIMATE})
