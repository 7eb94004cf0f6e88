"""A week of real campaigns as a service would have logged it, without running one."""

from __future__ import annotations

from datetime import datetime, timedelta

from features.records import Task
from features.schema import History, campaigns_of
from serving.scheduling.states import Event, State
from serving.scheduling.work import Completed, Move, Want
from serving.stores.sql import SqlStore
from training.demo.week import results_of


def live_through(store: SqlStore, history: History, launched: dict[str, datetime]) -> None:
    """Submit campaigns, finish each at its moment, and report what they brought from then on."""
    for campaign in campaigns_of(history, launched):
        own, at = campaign.campaign_id, launched[campaign.campaign_id]
        store.submit(
            campaign,
            [Task(task_id="launch", campaign_id=own, handler="simulate", units=campaign.work_units)],
            campaign.released_at,
        )
        store.move([Move(campaign_id=own, before=State.SUBMITTED, event=Event.CLEAR)], campaign.released_at)
        (lease,) = store.claim([Want(own, 1)], "test", campaign.released_at, at + timedelta(hours=1))
        store.report([(lease, Completed())], at, at)
        store.move([Move(campaign_id=own, before=State.RUNNING, event=Event.FINISH, launched_at=at)], at)
    store.observed(results_of(history, launched))
