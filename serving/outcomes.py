"""The outcome log as history: what was launched when, what it brought, and what it took."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from features.schema import History
from serving.scheduling.ports import Log


def history_of(store: Log, at: datetime) -> History:
    """The history that a store has seen by `at`, ready to be joined with older ones.

    Campaigns are those that are done, with the moment they were: one launched late showed only what was left of its
    value by then. Those that expired, failed or were cancelled never went live, and teach nothing of their worth.
    """
    done = store.launched(at)
    launched = {s.campaign_id: s.launched_at for s in done if s.launched_at is not None}
    declared = History.of_records([s.campaign for s in done], launched=launched)
    logged = {name: pd.DataFrame(store.rows(name)) for name in ("kpis", "signals", "runs")}
    return History.of_tables({"campaigns": declared.campaigns, "targets": declared.targets, **logged})
