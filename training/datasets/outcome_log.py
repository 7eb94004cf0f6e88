"""The service's outcome log as history tables, and how far it reaches."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from pathlib import Path

from features.records import Metric
from features.schema import History
from serving import wiring
from serving.errors import HistoryEmpty
from serving.outcomes import history_of
from serving.settings import Settings
from serving.stores.sql import SqlStore
from training.labels import labels


def outcome_log(settings: Settings) -> History:
    """What the service logged: finished campaigns with the moment they went live, and their results.

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
        log = history_of(store, wiring.clock(settings, store).now())
    finally:
        store.close()
    finished = set(log.campaigns.campaign_id)
    if not finished:
        raise HistoryEmpty(settings.store_url, "finished campaign")
    if not (log.kpis.campaign_id.isin(finished) & (log.kpis.metric == Metric.REVENUE)).any():
        raise HistoryEmpty(settings.store_url, "revenue of a finished campaign")
    return log


def log_end(log: History) -> datetime:
    """The last moment the log knows anything of."""
    end: datetime = log.kpis.known_at.max().to_pydatetime()
    return end


def settled(log: History, until: datetime) -> History:
    """Only the campaigns whose results are complete by `until`; the others would teach what is not so."""
    known = set(labels(log, until=until).campaign_id)
    return History.of_tables(
        {
            table.name: rows[rows.campaign_id.isin(known)] if "campaign_id" in rows else rows
            for table in fields(log)
            for rows in [getattr(log, table.name)]
        }
    )


def joined_with_log(history: History, settings: Settings) -> History:
    """A history with what the service has logged since, where it has logged anything."""
    try:
        log = outcome_log(settings)
    except HistoryEmpty:
        return history
    return history.joined(settled(log, log_end(log)))
