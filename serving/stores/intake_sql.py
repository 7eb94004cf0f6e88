"""What owners do to their campaigns, in a SQL database."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, literal_column, select, update

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
from serving.stores.marks import mark_followers, next_mark
from serving.stores.prepared import Prepared
from serving.stores.records import campaign_of
from serving.stores.schema import campaigns, declarations, dependencies
from serving.stores.tasks_sql import keep_tasks, redriven, tasks_there

_BACKLOG = Prepared(
    select(func.count(), func.sum(campaigns.c.tasks - campaigns.c.done - campaigns.c.dead)).where(
        campaigns.c.state.in_([literal_column(f"'{state}'") for state in sorted(LIVE)])
    )
)


class SqlIntake(OnDatabase):
    """Keeps the promises of `Intake`."""

    def submit(self, campaign: Campaign, tasks: Sequence[Task], at: datetime) -> bool:
        """Keep a campaign with its tasks; see `Intake.submit`."""
        fingerprint = content(campaign, tasks)
        own = campaign.campaign_id
        with self._database.writing() as connection:
            known = connection.scalar(
                select(declarations.c.content).join(campaigns).where(campaigns.c.campaign_id == own)
            )
            if known is not None:
                if known != fingerprint:
                    raise CampaignConflict(own)
                return False
            check_submission(campaign, tasks, _order_around(connection, own))
            mark = next_mark(connection)
            row = {"campaign_id": own, "state": State.SUBMITTED, "submitted_at": at, "mark": mark}
            number = connection.execute(insert(campaigns).values(**row).returning(campaigns.c.number)).scalar_one()
            text = CAMPAIGN.dump_json(campaign).decode()
            connection.execute(insert(declarations).values(campaign=number, declared=text, content=fingerprint))
            _keep_order(connection, campaign)
            keep_tasks(connection, number, tasks, {}, at, mark)
            mark_followers(connection, [own], mark)
        return True

    def add_tasks(self, campaign_id: str, tasks: Sequence[Task], at: datetime) -> int:
        """Add tasks; see `Intake.add_tasks`."""
        with self._database.writing() as connection:
            row = _row(connection, campaign_id)
            if row.state not in LIVE:
                raise IllegalTransition(row.state, "take more tasks", ())
            there = tasks_there(connection, row, tasks)
            fresh = new_tasks(tasks, there)
            check_tasks(campaign_id, fresh, there)
            if fresh:
                keep_tasks(connection, row.number, fresh, there, at, next_mark(connection))
        return len(fresh)

    def revise(
        self, campaign_id: str, facts: Mapping[str, Any], *, boost: float | None = None, pinned: bool | None = None
    ) -> None:
        """Change facts, boost or pin; see `Intake.revise`."""
        changes: dict[str, Any] = {"boost": boost, "pinned": pinned}
        changes = {name: value for name, value in changes.items() if value is not None}
        with self._database.writing() as connection:
            row = _row(connection, campaign_id)
            if row.state not in LIVE:
                raise IllegalTransition(row.state, "change", ())
            if boost is not None:
                check_boost(boost)
            if facts:
                self._revise(connection, row, facts)
                changes |= {"revision": row.revision + 1, "estimated_at": None}
            if changes:
                own = campaigns.c.number == row.number
                connection.execute(update(campaigns).where(own).values(mark=next_mark(connection), **changes))

    def apply(self, campaign_id: str, event: Event) -> None:
        """Pause, resume or cancel; see `Intake.apply`."""
        with self._database.writing() as connection:
            row = _row(connection, campaign_id)
            _enter(connection, row, after(State(row.state), event))

    def redrive(self, campaign_id: str, task_ids: Collection[str] | None, at: datetime) -> int:
        """Put dead letters back in the queue; see `Intake.redrive`."""
        with self._database.writing() as connection:
            row = _row(connection, campaign_id)
            state = State(row.state)
            state = state if state in LIVE else after(state, Event.REDRIVE)
            count = redriven(connection, row, task_ids, at)
            if count:
                _enter(connection, row, state)
        return count

    def backlog(self) -> Backlog:
        """How much is there that is not over; see `Intake.backlog`."""
        with self._database.reading() as connection:
            ((count, open_tasks),) = _BACKLOG.all(connection, {})
        return Backlog(count, open_tasks or 0)

    def _revise(self, connection: Connection, row: Row[Any], facts: Mapping[str, Any]) -> None:
        text = connection.execute(select(declarations).where(declarations.c.campaign == row.number)).one()
        campaign = revised(campaign_of(text.declared, text.facts), facts)
        check_order(campaign, _order_around(connection, campaign.campaign_id))
        kept = json.dumps({**json.loads(text.facts), **facts})
        connection.execute(update(declarations).where(declarations.c.campaign == row.number).values(facts=kept))
        connection.execute(delete(dependencies).where(dependencies.c.campaign_id == row.campaign_id))
        _keep_order(connection, campaign)


def _row(connection: Connection, campaign_id: str) -> Row[Any]:
    row = connection.execute(select(campaigns).where(campaigns.c.campaign_id == campaign_id)).one_or_none()
    if row is None:
        raise CampaignUnknown(campaign_id)
    return row


def _enter(connection: Connection, row: Row[Any], state: State) -> None:
    """Put a campaign into a state, and tell its followers when it ends, or no longer has."""
    mark = next_mark(connection)
    connection.execute(update(campaigns).where(campaigns.c.number == row.number).values(state=state, mark=mark))
    if (state in LIVE) != (row.state in LIVE):
        mark_followers(connection, [row.campaign_id], mark)


def _order_around(connection: Connection, campaign_id: str) -> Callable[[str], Iterable[str]]:
    """What each campaign follows, as far as a circle through this one goes: none does while nobody follows it."""
    followed = select(dependencies.c.after_id).where(dependencies.c.after_id == campaign_id).limit(1)
    if connection.scalar(followed) is None:
        return lambda _: ()
    after = select(dependencies.c.after_id)
    return lambda name: connection.scalars(after.where(dependencies.c.campaign_id == name))


def _keep_order(connection: Connection, campaign: Campaign) -> None:
    rows = [{"campaign_id": campaign.campaign_id, "after_id": name} for name in sorted(set(campaign.after))]
    if rows:
        connection.execute(insert(dependencies), rows)
