"""The service's outcome log as history tables, and how far it reaches."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Self

from features.asof import known_by, later
from features.ledgers import window_ends
from features.records import Metric
from features.schema import History
from serving import crew
from serving.errors import HistoryEmpty
from serving.outcomes import history_of
from serving.settings import Settings
from serving.stores.sql import SqlStore
from training.labels import labels


@dataclass(frozen=True)
class OutcomeLog:
    """Finished campaigns with the moment they went live, and their results.

    Attributes
    ----------
    until : the last moment that the log knows anything of.
    """

    history: History
    until: datetime

    @classmethod
    def read_at(cls, history: History, moment: datetime) -> Self:
        """What was logged by a moment: it knows of the latest result, and of windows that were over by then."""
        campaigns = history.campaigns
        over = later(window_ends(campaigns), campaigns.launched_at).to_frame("over_at")
        known = max(history.kpis.known_at.max(), known_by(over, moment, "over_at").over_at.max())
        return cls(history, known.to_pydatetime())

    def settled_by(self, moment: datetime) -> History:
        """Only the campaigns whose results are complete by a moment; the others would teach what is not so."""
        known = set(labels(self.history, until=moment).campaign_id)
        return History.of_tables(
            {
                table.name: rows[rows.campaign_id.isin(known)] if "campaign_id" in rows else rows
                for table in fields(self.history)
                for rows in [getattr(self.history, table.name)]
            }
        )


def outcome_log(settings: Settings) -> OutcomeLog:
    """What the service logged so far.

    Raises
    ------
    HistoryEmpty
        When there is no log, no finished campaign in it, or none that brought revenue.
    """
    local = settings.store_url.removeprefix("sqlite:///")
    # Opening a database that is not there would make one.
    if local != settings.store_url and not Path(local).is_file():
        raise HistoryEmpty(settings.store_url, "outcome log")
    store = SqlStore(settings.store_url)
    try:
        moment = crew.clock(settings, store).now()
        log = history_of(store, moment)
    finally:
        store.close()
    finished = set(log.campaigns.campaign_id)
    if not finished:
        raise HistoryEmpty(settings.store_url, "finished campaign")
    if not (log.kpis.campaign_id.isin(finished) & (log.kpis.metric == Metric.REVENUE)).any():
        raise HistoryEmpty(settings.store_url, "revenue of a finished campaign")
    return OutcomeLog.read_at(log, moment)
