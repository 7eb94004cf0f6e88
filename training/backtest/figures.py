"""The figures of a backtest: dollars, share of the gap to the bound, latency, on time, throughput."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.backtest.intervals import Share, share_of_gap
from training.backtest.playing import Outcome, Outcomes
from training.backtest.setting import Setting


@dataclass(frozen=True)
class PolicyResult:
    """One policy's figures; keys of the machine-readable result.

    Attributes
    ----------
    share_of_gap : (policy - FIFO) / (clairvoyant - FIFO), sums over weeks; `ci95` its interval.
    value_usd : earned over all weeks, mean of the replicates.
    minus_expert : share of the gap beyond that of the expert's values under the same index.
    latency_h, latency_p95_h : from release to completion; `top_tenth_`: of the tenth most valuable of each week.
    on_time : share of campaigns done within the simulated due time.
    throughput_per_h : campaigns done per hour until the last one is.
    """

    policy: str
    load: float
    release: str
    label: str
    preemptive: bool
    share_of_gap: float
    ci95: tuple[float, float]
    value_usd: float
    minus_expert: float
    minus_expert_ci95: tuple[float, float]
    latency_h: float
    latency_p95_h: float
    top_tenth_latency_h: float
    top_tenth_p95_h: float
    on_time: float
    throughput_per_h: float

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def results(outcomes: Outcomes, setting: Setting) -> list[PolicyResult]:
    """Figures of every policy, most valuable first; needs `fifo`, `expert` and `clairvoyant` among them.

    With nothing to gain between FIFO and the bound, shares are NaN: look at the dollars.
    """
    fifo, expert, best = (outcomes.of[name].value for name in ("fifo", "expert", "clairvoyant"))
    found = [
        _result(
            name,
            outcome,
            outcomes,
            setting,
            share_of_gap(outcome.value - fifo, best - fifo),
            share_of_gap(outcome.value - expert, best - fifo),
        )
        for name, outcome in outcomes.of.items()
    ]
    return sorted(found, key=lambda result: -result.value_usd)


def _result(
    name: str, outcome: Outcome, outcomes: Outcomes, setting: Setting, share: Share, beyond_expert: Share
) -> PolicyResult:
    top = outcome.latency_h[outcomes.top_tenth]
    return PolicyResult(
        policy=name,
        load=setting.load,
        release=setting.release.value,
        label="gross",
        preemptive=setting.preemptive,
        share_of_gap=share.estimate,
        ci95=(share.low, share.high),
        value_usd=float(outcome.value.sum(axis=0).mean()),
        minus_expert=beyond_expert.estimate,
        minus_expert_ci95=(beyond_expert.low, beyond_expert.high),
        latency_h=float(outcome.latency_h.mean()),
        latency_p95_h=float(np.quantile(outcome.latency_h, 0.95)),
        top_tenth_latency_h=float(top.mean()),
        top_tenth_p95_h=float(np.quantile(top, 0.95)),
        on_time=float(outcome.on_time.mean()),
        throughput_per_h=float(outcome.done.sum() / outcome.span_h.sum()),
    )
