"""Made-up logs whose true values are known, made fast as tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from features.schema import History
from tests.worlds import MONDAY

STEP_H = 6
STEPS = 28
TARGETS = 40


@dataclass(frozen=True)
class Planted:
    """A log, and what each of its campaigns is worth if live in time, in dollars."""

    history: History
    worth: pd.Series


def planted(weeks: int = 30, per_week: int = 15, late: float = 0.0, seed: int = 0) -> Planted:
    """Weekly campaigns over three of forty targets, of which a share `late` went live 1 to 5 days late.

    The same seed gives the same campaigns however many of them are late: lateness only hides revenue.
    """
    chance = np.random.default_rng(seed)
    n = weeks * per_week
    ids = [f"w{i // per_week:02}-{i % per_week:02}" for i in range(n)]
    starts = pd.to_datetime([MONDAY + timedelta(weeks=i // per_week) for i in range(n)]).as_unit("us")
    rate = chance.lognormal(1.0, 1.0, TARGETS)
    target = chance.permuted(np.tile(np.arange(TARGETS), (n, 1)), axis=1)[:, :3]
    exposures = chance.integers(1, 9, (n, 3)).astype(float)
    per_step = rate[target] * exposures / STEPS
    earned = per_step[:, :, None] * chance.uniform(0.5, 1.5, (n, 3, STEPS))
    delay_h = np.where(chance.random(n) < late, STEP_H * chance.integers(4, 21, n), 0)
    step_h = STEP_H * np.arange(STEPS)
    shown = np.broadcast_to((step_h >= delay_h[:, None])[:, None, :], earned.shape)
    row, column, step = np.nonzero(shown)
    at = starts[row] + pd.to_timedelta(step_h[step], unit="h")
    campaigns = pd.DataFrame(
        {
            "campaign_id": ids,
            "account": "shoes",
            "kind": [f"kind{i % 4}" for i in range(n)],
            "channel": "mail",
            "released_at": starts,
            "ends_at": starts + pd.Timedelta(weeks=1),
            "work_units": 100.0,
            "launched_at": starts + pd.to_timedelta(delay_h, unit="h"),
        }
    )
    targets = pd.DataFrame(
        {
            "campaign_id": np.repeat(ids, 3),
            "target_id": [f"p{t}" for t in target.ravel()],
            "planned_exposures": exposures.ravel(),
        }
    )
    kpis = pd.DataFrame(
        {
            "campaign_id": np.array(ids)[row],
            "target_id": [f"p{t}" for t in target[row, column]],
            "at": at,
            "known_at": at + pd.Timedelta(hours=1),
            "metric": "revenue",
            "value": earned[row, column, step],
        }
    )
    history = History.of_tables({"campaigns": campaigns, "targets": targets, "kpis": kpis})
    return Planted(history, pd.Series(STEPS * per_step.sum(axis=1), index=ids))
