"""Small made-up pasts with known truth, for tests of features and learning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np

from features.records import Campaign, Kpi, Metric, Signal
from features.schema import History

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """Weekly window campaigns over a few targets, their revenue, and weekly baselines of the targets."""

    campaigns: list[Campaign]
    kpis: list[Kpi]
    signals: list[Signal]
    launched: dict[str, datetime]

    @cached_property
    def history(self) -> History:
        return History.of_records(self.campaigns, self.kpis, self.signals, self.launched)


def campaign(campaign_id: str = "spring-sale", **facts: object) -> Campaign:
    """One valid campaign; facts replace the defaults."""
    usual: dict[str, object] = {
        "account": "shoes",
        "kind": "flash_sale",
        "channel": "mail",
        "released_at": MONDAY,
        "ends_at": MONDAY + timedelta(days=7),
        "work_units": 100.0,
    }
    return Campaign(campaign_id=campaign_id, **{**usual, **facts})  # type: ignore[arg-type]


def small_world(seed: int = 0, weeks: int = 8, per_week: int = 5, late: float = 0.0) -> World:
    """A world of `weeks` x `per_week` campaigns; a share `late` of them went live late and earned only after."""
    chance = np.random.default_rng(seed)
    campaigns, kpis, signals, launched = [], [], [], {}
    worth = chance.exponential(5.0, 20)
    for week in range(weeks):
        start = MONDAY + timedelta(weeks=week)
        for n in range(per_week):
            targets = {f"p{t}": float(chance.integers(1, 9)) for t in chance.choice(20, 3, replace=False)}
            planned = campaign(
                f"w{week}-{n}",
                kind=f"kind{n % 3}",
                channel=("mail", "push")[n % 2],
                released_at=start,
                ends_at=start + timedelta(days=7),
                targets=targets,
            )
            delay = timedelta(hours=float(chance.integers(24, 120))) if chance.random() < late else timedelta()
            campaigns.append(planned)
            launched[planned.campaign_id] = start + delay
            for target, exposures in targets.items():
                rate = worth[int(target[1:])] * exposures / 28
                for quarter_day in range(28):
                    at = start + timedelta(hours=6 * quarter_day)
                    if at < start + delay:
                        continue
                    known_at = at + timedelta(hours=float(chance.integers(0, 30)))
                    value = float(rate * chance.uniform(0.5, 1.5))
                    kpis.append(
                        Kpi(
                            campaign_id=planned.campaign_id,
                            target_id=target,
                            at=at,
                            known_at=known_at,
                            metric=Metric.REVENUE,
                            value=value,
                        )
                    )
        signals += [
            Signal(entity=f"target:p{t}", at=start, known_at=start, name="baseline_rate", value=float(worth[t] / 3))
            for t in range(15)
        ]
    return World(campaigns, kpis, signals, launched)
