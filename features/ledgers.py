"""History as ledgers: who earned what from how much exposure, and from when on that was known.

A campaign teaches only once its window is over, and only with the share of its value that was left when
it went live: revenue and expected exposure of a late launch shrink together, so its rates stay true.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

import numpy as np
import pandas as pd

from features.asof import Ledger, hours_of, later, no_later
from features.curves import LATE_FRACTION, SHAPES, Curves, Floats, share_left
from features.records import Metric, ValueShape
from features.schema import History

LABEL_HORIZON = timedelta(days=7)
"""How long results of a campaign without `ends_at` are collected after its value starts to accrue."""

BASELINE_SIGNAL = "baseline_rate"
"""Signal about a target: dollars it earns per exposure in a period without a campaign."""


class Entity(StrEnum):
    """What an aggregate is kept for, and how a planned campaign or target finds it."""

    TARGET = "target"
    TARGET_IN_CHANNEL = "target_in_channel"
    CHANNEL = "channel"
    KIND = "kind"
    KIND_IN_CHANNEL = "kind_in_channel"
    MARKET = "market"

    __hash__ = str.__hash__  # an enumeration's own is a Python function, and every look-up would call it


THE_MARKET = "market"


def accrues_from(campaigns: pd.DataFrame) -> pd.Series:
    """When each campaign's value starts to accrue: `starts_at`, else `launch_by`, else `released_at`."""
    return campaigns.starts_at.fillna(campaigns.launch_by).fillna(campaigns.released_at)


def window_ends(campaigns: pd.DataFrame) -> pd.Series:
    """When each campaign's results are complete, but for KPIs that come late."""
    return campaigns.ends_at.fillna(accrues_from(campaigns) + LABEL_HORIZON)


def curves_of(campaigns: pd.DataFrame) -> Curves:
    """The value curves of a campaigns table, with unit value."""
    codes, shapes = pd.factorize(campaigns.value_shape, use_na_sentinel=False)
    return Curves(
        value=np.ones(len(campaigns)),
        starts_h=hours_of(accrues_from(campaigns)),
        ends_h=_hours_or(campaigns.ends_at, np.inf),
        due_h=_hours_or(campaigns.launch_by, np.inf),
        shape=np.array([SHAPES.index(ValueShape(shape)) for shape in shapes], dtype=np.int8)[codes],
        late_fraction=campaigns.late_fraction.fillna(LATE_FRACTION).to_numpy(),
        half_life_h=campaigns.half_life_h.fillna(np.inf).to_numpy(),
    )


def _hours_or(times: pd.Series, missing: float) -> Floats:
    known = hours_of(times)
    return np.where(np.isnan(known), missing, known)


def launched_share(campaigns: pd.DataFrame) -> Floats:
    """Share of each campaign's value that was left when it went live; 1 where no launch is recorded."""
    return share_left(curves_of(campaigns), _hours_or(campaigns.launched_at, -np.inf))


def matured_results(history: History) -> pd.DataFrame:
    """Revenue inside each campaign's window: columns of kpis but for the metric, and of campaigns, with `matured_at`.

    `matured_at` is when a result counts: its campaign's window is over and it has become known.
    """
    campaigns = history.campaigns.assign(over_at=later(window_ends(history.campaigns), history.campaigns.launched_at))
    revenue = history.kpis.drop(columns="metric")[history.kpis.metric == Metric.REVENUE]
    rows = revenue.merge(campaigns[["campaign_id", "kind", "channel", "over_at"]], on="campaign_id")
    rows = rows[no_later(rows["at"], rows.over_at)]
    return rows.assign(matured_at=later(rows.known_at, rows.over_at))


def target_baselines(history: History) -> pd.DataFrame:
    """Signals of what targets earn without a campaign, with the `target_id` each is about."""
    signals = history.signals[history.signals.name == BASELINE_SIGNAL]
    signals = signals[signals.entity.str.startswith("target:")]
    return signals.assign(target_id=signals.entity.str.removeprefix("target:"))


def ledgers_of(history: History) -> dict[tuple[Entity, str], Ledger]:
    """Every ledger the declared aggregates read, by entity and name."""
    campaigns = history.campaigns
    plans = campaigns.assign(
        matured_at=later(window_ends(campaigns), campaigns.launched_at), share=launched_share(campaigns)
    )
    exposures = history.targets.merge(
        plans[["campaign_id", "kind", "channel", "matured_at", "share"]], on="campaign_id"
    )
    exposures = exposures.assign(exposures=exposures.planned_exposures * exposures.share)
    results = matured_results(history).rename(columns={"value": "revenue"})
    response = _together(
        [exposures, results[results.target_id.notna()]],
        ["target_id", "channel", "kind", "matured_at"],
        ["revenue", "exposures"],
    )
    outcome = _together([plans.assign(launches=1.0), results], ["kind", "matured_at"], ["revenue", "share", "launches"])
    signals = target_baselines(history)
    readings = signals.drop_duplicates("at")

    def responses_by(entity: pd.Series) -> Ledger:
        return Ledger.of(entity, response.matured_at, revenue=response.revenue, exposures=response.exposures)

    return {
        (Entity.TARGET_IN_CHANNEL, "responses"): responses_by(response.channel + "/" + response.target_id),
        (Entity.KIND_IN_CHANNEL, "responses"): responses_by(response.channel + "/" + response.kind),
        (Entity.CHANNEL, "responses"): responses_by(response.channel),
        (Entity.KIND, "outcomes"): Ledger.of(
            outcome.kind, outcome.matured_at, revenue=outcome.revenue, share=outcome.share, launches=outcome.launches
        ),
        (Entity.TARGET, "baseline"): Ledger.of(signals.target_id, signals.known_at, value=signals.value),
        (Entity.MARKET, "baseline"): Ledger.of(
            pd.Series(THE_MARKET, index=readings.index), readings.known_at, readings=np.ones(len(readings))
        ),
    }


def _together(parts: list[pd.DataFrame], labels: list[str], amounts: list[str]) -> pd.DataFrame:
    """The rows of all parts in these columns, and no others; 0 where a part has none of an amount."""
    rows = pd.concat([part.reindex(columns=[*labels, *amounts]) for part in parts], ignore_index=True)
    return rows.fillna(dict.fromkeys(amounts, 0.0))
