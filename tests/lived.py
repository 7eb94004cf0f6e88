"""A week of real campaigns as a service would have logged it, without running one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pandas as pd

from features.records import Kpi, Task
from features.schema import History, campaigns_of
from serving.scheduling.states import Event, State
from serving.scheduling.work import Completed, Move
from serving.stores.sql import SqlStore


def results_after(history: History, launched: Mapping[str, datetime]) -> pd.DataFrame:
    """The KPI rows of campaigns from the moment each went live on."""
    kpis = history.kpis[history.kpis.campaign_id.isin(launched)]
    return kpis[kpis["at"] >= kpis.campaign_id.map(dict(launched))]


def live_through(store: SqlStore, history: History, launched: Mapping[str, datetime]) -> None:
    """Submit campaigns, finish each at its moment, and report what they brought from then on."""
    for campaign in campaigns_of(history, launched):
        own, at = campaign.campaign_id, launched[campaign.campaign_id]
        store.submit(
            campaign,
            [Task(task_id="launch", campaign_id=own, handler="simulate", units=campaign.work_units)],
            campaign.released_at,
        )
        store.move([Move(campaign_id=own, before=State.SUBMITTED, event=Event.CLEAR)])
        (lease,) = store.claim([own], 1, "test", campaign.released_at, at + timedelta(hours=1))
        store.settle(lease, Completed(), at)
        store.move([Move(campaign_id=own, before=State.RUNNING, event=Event.FINISH, launched_at=at)])
    rows = results_after(history, launched).to_dict("records")
    store.observed(
        [Kpi(**{**r, "at": r["at"].to_pydatetime(), "known_at": r["known_at"].to_pydatetime()}) for r in rows]
    )
