"""What owners do to their campaigns, in a SQL database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from features.records import Campaign, Task
from serving.errors import CampaignConflict, CampaignUnknown, IllegalTransition
from serving.scheduling.states import LIVE, Event, State, after
from serving.scheduling.work import Backlog
from serving.stores.admission import (
    CAMPAIGN,
    check_boost,
    check_order,
    check_submission,
    check_tasks,
    content,
    new_tasks,
    revised,
)
from serving.stores.database import OnDatabase
from serving.stores.schema import campaigns, dependencies, tasks
from serving.stores.standings_sql import campaign_of


class SqlIntake(OnDatabase):
    """Keeps the promises of `Intake`."""

    def submit(self, campaign: Campaign, tasks: Sequence[Task], at: datetime) -> bool:
        """Keep a campaign with its tasks; see `Intake.submit`."""
        fingerprint = content(campaign, tasks)
        own = campaign.campaign_id
        with self._database.writing() as connection:
            known = connection.scalar(select(campaigns.c.content).where(campaigns.c.campaign_id == own))
            if known is not None:
                if known != fingerprint:
                    raise CampaignConflict(own)
                return False
            check_submission(campaign, tasks, lambda name: _after(connection, name))
            connection.execute(
                insert(campaigns).values(
                    campaign_id=own,
                    declared=CAMPAIGN.dump_json(campaign).decode(),
                    content=fingerprint,
                    state=State.SUBMITTED,
                    submitted_at=at,
                )
            )
            _keep_order(connection, campaign)
            _keep_tasks(connection, own, tasks, at)
        return True

    def backlog(self) -> Backlog:
        """Count what there is to do; see `Intake.backlog`."""
        columns = (func.count(), func.coalesce(func.sum(campaigns.c.queued), 0))
        with self._database.reading() as connection:
            there, queued = connection.execute(select(*columns).where(campaigns.c.state.in_(LIVE))).one()
            return Backlog(there, queued)

    def add_tasks(self, campaign_id: str, tasks: Sequence[Task], at: datetime) -> int:
        """Add tasks; see `Intake.add_tasks`."""
        with self._database.writing() as connection:
            state = _state(connection, campaign_id)
            if state not in LIVE:
                raise IllegalTransition(state, "take more tasks", ())
            there = _tasks_there(connection, campaign_id)
            fresh = new_tasks(tasks, there)
            check_tasks(campaign_id, fresh, there)
            _keep_tasks(connection, campaign_id, fresh, at)
        return len(fresh)

    def revise(
        self, campaign_id: str, facts: Mapping[str, Any], *, boost: float | None = None, pinned: bool | None = None
    ) -> None:
        """Change facts, boost or pin; see `Intake.revise`."""
        changes: dict[str, Any] = {"boost": boost, "pinned": pinned}
        changes = {name: value for name, value in changes.items() if value is not None}
        with self._database.writing() as connection:
            row = _row(connection, campaign_id)
            if State(row.state) not in LIVE:
                raise IllegalTransition(row.state, "change", ())
            if facts:
                campaign = revised(campaign_of(row), facts)
                check_order(campaign, lambda name: _after(connection, name))
                kept = json.dumps({**json.loads(row.facts), **facts})
                changes |= {"facts": kept, "revision": row.revision + 1, "estimated_at": None}
                connection.execute(delete(dependencies).where(dependencies.c.campaign_id == campaign_id))
                _keep_order(connection, campaign)
            if boost is not None:
                check_boost(boost)
            if changes:
                connection.execute(update(campaigns).where(campaigns.c.campaign_id == campaign_id).values(**changes))

    def apply(self, campaign_id: str, event: Event) -> None:
        """Pause, resume or cancel; see `Intake.apply`."""
        with self._database.writing() as connection:
            state = after(_state(connection, campaign_id), event)
            connection.execute(update(campaigns).where(campaigns.c.campaign_id == campaign_id).values(state=state))


def _row(connection: Connection, campaign_id: str) -> Row[Any]:
    row = connection.execute(select(campaigns).where(campaigns.c.campaign_id == campaign_id)).one_or_none()
    if row is None:
        raise CampaignUnknown(campaign_id)
    return row


def _state(connection: Connection, campaign_id: str) -> State:
    return State(_row(connection, campaign_id).state)


def _after(connection: Connection, campaign_id: str) -> list[str]:
    statement = select(dependencies.c.after_id).where(dependencies.c.campaign_id == campaign_id)
    return list(connection.scalars(statement))


def _keep_order(connection: Connection, campaign: Campaign) -> None:
    rows = [{"campaign_id": campaign.campaign_id, "after_id": name} for name in sorted(set(campaign.after))]
    if rows:
        connection.execute(insert(dependencies), rows)


def _tasks_there(connection: Connection, campaign_id: str) -> dict[str, Task]:
    columns = (tasks.c.task_id, tasks.c.handler, tasks.c.units, tasks.c.payload, tasks.c.after)
    rows = connection.execute(select(*columns).where(tasks.c.campaign_id == campaign_id)).mappings()
    return {row["task_id"]: Task(campaign_id=campaign_id, **{**row, "after": tuple(row["after"])}) for row in rows}


def _keep_tasks(connection: Connection, campaign_id: str, fresh: Sequence[Task], at: datetime) -> None:
    done = connection.scalars(
        select(tasks.c.task_id).where(tasks.c.campaign_id == campaign_id, tasks.c.state == "done")
    )
    finished = set(done)
    rows = [
        {**asdict(task), "state": "queued" if finished.issuperset(task.after) else "waiting", "enqueued_at": at}
        for task in fresh
    ]
    if rows:
        connection.execute(insert(tasks), rows)
    queued = sum(row["state"] == "queued" for row in rows)
    connection.execute(
        update(campaigns)
        .where(campaigns.c.campaign_id == campaign_id)
        .values(
            tasks=campaigns.c.tasks + len(rows),
            queued=campaigns.c.queued + queued,
            units=campaigns.c.units + sum(task.units for task in fresh),
        )
    )
