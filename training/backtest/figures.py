"""The figures of a backtest: dollars, share of the gap to the bound, latency, on time, throughput."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf, isnan, nan
from typing import Any

import numpy as np

from features.curves import Floats
from training.backtest.intervals import share_of_gap
from training.backtest.playing import Outcome, Outcomes
from training.backtest.setting import Setting


@dataclass(frozen=True)
class PolicyResult:
    """One policy's figures; keys of the machine-readable result.

    Attributes
    ----------
    share_of_gap : (policy - FIFO) / (clairvoyant - FIFO), sums over weeks; `ci95` its interval.
    label : what values are, `gross` or `incremental`.
    value_usd : earned over all weeks, mean of the replicates.
    minus_expert : share of the gap beyond that of the expert's values under the same index, lookahead included.
    minus_expert_own : the same, beyond the expert's values at the lookahead that suits them best.
    latency_h, latency_p95_h : from release to completion; `top_tenth_`: of the tenth most valuable of each week.
    on_time : share of campaigns done within the simulated due time.
    throughput_per_h : campaigns done per hour until the last one is.
    replicates : how often each week was played under this policy.
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
    minus_expert_own: float = nan
    minus_expert_own_ci95: tuple[float, float] = (nan, nan)
    replicates: int = 0

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def results(outcomes: Outcomes, setting: Setting) -> list[PolicyResult]:
    """Figures of every policy, the greatest share first; needs `fifo`, `expert` and `clairvoyant` among them.

    `expert_same_h` is the expert's values under the learned index's lookahead, `expert` the same where it is not
    among them. A policy may have been played in fewer replicates, the first ones; it is then compared within those.
    With nothing to gain between FIFO and the bound, shares are NaN: look at the dollars.
    """
    found = [_result(name, outcome, outcomes, setting) for name, outcome in outcomes.of.items()]
    return sorted(found, key=lambda r: (inf if isnan(r.share_of_gap) else -r.share_of_gap, -r.value_usd))


def _result(name: str, outcome: Outcome, outcomes: Outcomes, setting: Setting) -> PolicyResult:
    replicates = outcome.value.shape[1]

    def earned(rival: str) -> Floats:
        return outcomes.of[rival].value[:, :replicates]

    gap = earned("clairvoyant") - earned("fifo")
    same = "expert_same_h" if "expert_same_h" in outcomes.of else "expert"
    share, beyond_same, beyond_own = (
        share_of_gap(outcome.value - earned(rival), gap) for rival in ("fifo", same, "expert")
    )
    top = outcome.latency_h[outcomes.top_tenth[:replicates]]
    return PolicyResult(
        policy=name,
        load=setting.load,
        release=setting.release.value,
        label=outcomes.label.value,
        preemptive=setting.preemptive,
        share_of_gap=share.estimate,
        ci95=(share.low, share.high),
        value_usd=float(outcome.value.sum(axis=0).mean()),
        minus_expert=beyond_same.estimate,
        minus_expert_ci95=(beyond_same.low, beyond_same.high),
        minus_expert_own=beyond_own.estimate,
        minus_expert_own_ci95=(beyond_own.low, beyond_own.high),
        latency_h=float(outcome.latency_h.mean()),
        latency_p95_h=float(np.quantile(outcome.latency_h, 0.95)),
        top_tenth_latency_h=float(top.mean()),
        top_tenth_p95_h=float(np.quantile(top, 0.95)),
        on_time=float(outcome.on_time.mean()),
        throughput_per_h=float(outcome.done.sum() / outcome.span_h.sum()),
        replicates=replicates,
    )
