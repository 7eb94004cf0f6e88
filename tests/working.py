"""Generated runs of many campaigns, whose processing times are known as distributions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import numpy as np
import pandas as pd

from features.curves import Floats
from features.records import Campaign
from features.schema import History, campaigns_of
from tests.worlds import MONDAY

KINDS = ("newsletter", "flash_sale", "launch", "page")
SPEED = {"newsletter": 0.6, "flash_sale": 1.0, "launch": 1.7, "page": 1.1}
SCATTER = {"newsletter": 0.1, "flash_sale": 0.25, "launch": 0.5, "page": 0.2}
"""How fast a kind is worked off, and how much that varies: heteroscedastic, as real work is."""

HOURS_PER_UNIT = 0.004
SETUP_UNITS = 300.0
PARTS = 8


@dataclass(frozen=True)
class Worked:
    """Runs as history, and what each campaign took.

    Attributes
    ----------
    hours : slot-hours of each part, shape (campaigns, `PARTS`).
    """

    history: History
    campaigns: list[Campaign]
    hours: Floats


@cache
def worked(count: int, seed: int = 0) -> Worked:
    """Campaigns worked off in eight parts each; three quarters of the scatter is the campaign's, the rest each part's.

    Larger ones of the channel `sms` take longer than in proportion, and scatter more.
    """
    chance = np.random.default_rng(seed)
    kind, channel = chance.choice(KINDS, count), chance.choice(["mail", "sms"], count)
    units = chance.lognormal(6.5, 1.0, count).round() + 1
    large = (channel == "sms") & (units > 1000)
    scatter = np.array([SCATTER[k] for k in kind]) * np.where(large, 1.5, 1.0)
    median = HOURS_PER_UNIT * (SETUP_UNITS + units) * np.array([SPEED[k] for k in kind]) * np.where(large, 1.4, 1.0)
    own = np.exp(np.sqrt(0.75) * scatter * chance.standard_normal(count))
    of_parts = np.exp(0.5 * scatter[:, None] * chance.standard_normal((count, PARTS)))
    share = np.full((count, PARTS), 1.0) * units[:, None] / PARTS
    share[:, 0] += SETUP_UNITS
    hours = (median * own / (SETUP_UNITS + units))[:, None] * share * of_parts
    ends = np.cumsum(hours, axis=1)
    start = pd.to_datetime([MONDAY + timedelta(hours=2 * i) for i in range(count)]).as_unit("us")
    ids = [f"c{seed}-{i:05}" for i in range(count)]
    campaigns = pd.DataFrame(
        {
            "campaign_id": ids,
            "account": "acme",
            "kind": kind,
            "channel": channel,
            "released_at": start,
            "ends_at": start + pd.Timedelta(weeks=1),
            "work_units": units,
        }
    )
    row = np.repeat(np.arange(count), PARTS)
    at = start[row] + pd.to_timedelta(ends.ravel(), unit="h")
    runs = pd.DataFrame(
        {
            "campaign_id": np.array(ids)[row],
            "task_id": "t0",
            "chunk": np.tile(np.arange(PARTS, dtype=float), count),
            "started_at": at - pd.to_timedelta(hours.ravel(), unit="h"),
            "finished_at": at,
            "units": np.repeat(units / PARTS, PARTS),
            "attempts": 1.0,
            "outcome": "checkpoint",
        }
    )
    history = History.of_tables({"campaigns": campaigns, "runs": runs})
    return Worked(history, campaigns_of(history), hours)
