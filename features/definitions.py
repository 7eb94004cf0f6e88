"""The declared features: for each its name, window, meaning, and the one function that computes it.

Aggregates are sums over what was known, kept per target, kind, channel or market; features combine them
with what the campaign plans. Training and serving differ only in where the aggregates are looked up.
Money is in dollars; NaN means "not known", which trees take as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from features.aggregates import BASELINE_WEEKS, MEMORIES
from features.curves import Floats
from features.planned import Column, Planned, ratio, where_any

WEEK_H = 168.0
PRIOR_WEIGHT = 0.5
"""How much the pooled rate counts beside a target's own history, in mean planned exposures per target."""


_MEMORIES, _WINDOWS = len(MEMORIES), len(BASELINE_WEEKS)
_FIRST = f"_{BASELINE_WEEKS[0]}w"

Compute = Callable[[Planned], Column]


def _targets(planned: Planned) -> Column:
    """How many targets each campaign addresses."""
    if planned.single:
        return float(len(planned.row))
    return np.bincount(planned.row, minlength=len(planned.moments_h)).astype(np.float64)


def _planned_exposures(planned: Planned) -> Column:
    return planned.per_campaign(planned.exposures[None])[0]


def expected_response(planned: Planned) -> list[Floats]:
    """Dollars expected from each planned target: its past rate per exposure times the planned exposures.

    One entry a planned target, by memory. A thin history is shrunk towards the pooled rate of the campaign's own
    targets, and that towards its channel's (an empirical-Bayes style ratio estimate).
    """
    past = planned.of_targets("target_revenue", 2 * _MEMORIES)  # revenue in all memories, then exposures
    sums = planned.per_campaign(past)
    prior = PRIOR_WEIGHT * ratio(planned.shared(_planned_exposures), planned.shared(_targets))
    expected = []
    for memory in range(_MEMORIES):
        revenue, exposures = past[memory], past[_MEMORIES + memory]
        channel = ratio(
            planned.of_campaigns("channel_revenue", memory), planned.of_campaigns("channel_exposures", memory)
        )
        pooled = ratio(sums[memory] + prior * channel, sums[_MEMORIES + memory] + prior)
        rate = ratio(revenue + planned.per_target(prior * pooled), exposures + planned.per_target(prior), least=prior)
        expected.append(rate * planned.exposures)
    return expected


def expected_baseline(planned: Planned) -> list[Floats]:
    """Dollars each planned target would earn over its planned exposures without the campaign, by window."""
    value = planned.of_targets(f"target_value{_FIRST}", _WINDOWS)
    expected = []
    for window in range(_WINDOWS):
        readings = planned.of_campaigns(f"market_readings{_FIRST}", window)
        expected.append(ratio(value[window], planned.per_target(readings)) * planned.exposures)
    return expected


def _expected(planned: Planned) -> Floats:
    """All that is expected of each target, a row each: what is summed up is so in one go."""
    return np.array([*expected_response(planned), *expected_baseline(planned)])


RESPONSE, BASELINE = 0, _MEMORIES
"""Where in `_expected` each begins; a memory or window later by one."""


def _totals(planned: Planned) -> Sequence[Column]:
    return planned.per_campaign(planned.shared(_expected))


def _total(place: int) -> Compute:
    """Sum over targets; a campaign without targets has no expectation."""
    return lambda planned: where_any(planned.shared(_targets), planned.shared(_totals)[place])


def _by_kind(memory: int) -> Compute:
    """Dollars expected if planned exposures earn what they did for campaigns of its kind in its channel.

    A target without a past says nothing itself: a grocery campaign in six has no other.
    """

    def by_kind(planned: Planned) -> Column:
        rate = ratio(
            planned.of_campaigns("kind_in_channel_revenue", memory),
            planned.of_campaigns("kind_in_channel_exposures", memory),
        )
        return where_any(planned.shared(_targets), rate * planned.shared(_planned_exposures))

    return by_kind


def _largest(place: int) -> Compute:
    return lambda planned: planned.largest(planned.shared(_expected)[place])


def _concentration(place: int) -> Compute:
    """Herfindahl index over targets: 1 when one target carries it all."""

    def concentration(planned: Planned) -> Column:
        amount, total = planned.shared(_expected)[place], planned.shared(_totals)[place]
        return ratio(planned.per_campaign((amount * amount)[None])[0], total * total)

    return concentration


def _kind_mean(suffix: str) -> Compute:
    return lambda planned: ratio(
        planned.of_campaigns(f"kind_revenue{suffix}"), planned.of_campaigns(f"kind_share{suffix}")
    )


def _fact(name: str) -> Compute:
    return lambda planned: planned.fact(name)


def _seen_share(planned: Planned) -> Column:
    seen = planned.exposures * (planned.of_targets("target_exposures")[0] > 0)
    return ratio(planned.per_campaign(seen[None])[0], planned.shared(_planned_exposures))


@dataclass(frozen=True)
class Feature:
    """One declared feature. `window` says how far back it looks."""

    name: str
    window: str
    meaning: str
    compute: Compute = field(repr=False, compare=False)
    dtype: str = "float64"


FEATURES: tuple[Feature, ...] = (
    Feature(
        "planned_response",
        "all",
        "past revenue per exposure of its targets x planned exposures",
        _total(RESPONSE),
    ),
    Feature(
        "planned_response_13w",
        "half-life 13 w",
        "the same, recent campaigns weigh more",
        _total(RESPONSE + 1),
    ),
    Feature(
        "planned_response_4w",
        "half-life 4 w",
        "the same, latest campaigns weigh most",
        _total(RESPONSE + 2),
    ),
    Feature(
        "kind_response",
        "all",
        "past revenue per exposure of its kind, whichever the targets, x planned exposures",
        _by_kind(0),
    ),
    Feature(
        "kind_response_13w",
        "half-life 13 w",
        "the same, recent campaigns weigh more",
        _by_kind(1),
    ),
    Feature(
        "kind_response_4w",
        "half-life 4 w",
        "the same, latest campaigns weigh most",
        _by_kind(2),
    ),
    Feature(
        "target_baseline",
        "8 w",
        "what its targets earn without a campaign, over the planned exposures",
        _total(BASELINE + 1),
    ),
    Feature("target_baseline_4w", "4 w", "the same over four weeks", _total(BASELINE)),
    Feature("target_baseline_26w", "26 w", "the same over half a year", _total(BASELINE + 2)),
    Feature(
        "best_target_response",
        "all",
        "planned response of its strongest target",
        _largest(RESPONSE),
    ),
    Feature("best_target_baseline", "8 w", "baseline of its strongest target", _largest(BASELINE + 1)),
    Feature(
        "response_concentration",
        "all",
        "how much few targets carry its planned response",
        _concentration(RESPONSE),
    ),
    Feature("baseline_concentration", "8 w", "how much few targets carry its baseline", _concentration(BASELINE + 1)),
    Feature("seen_share", "all", "share of its planned exposures on targets with a past", _seen_share),
    Feature("kind_mean_value", "all", "mean value of past campaigns of its kind", _kind_mean("")),
    Feature("kind_mean_value_13w", "half-life 13 w", "the same, recent campaigns weigh more", _kind_mean("_13w")),
    Feature("kind_mean_value_4w", "half-life 4 w", "the same, latest campaigns weigh most", _kind_mean("_4w")),
    Feature(
        "kind_mean_value_1w", "half-life 1 w", "about the value of the last campaign of its kind", _kind_mean("_1w")
    ),
    Feature(
        "kind_campaigns", "all", "how many campaigns of its kind are known", lambda p: p.of_campaigns("kind_launches")
    ),
    Feature(
        "weeks_since_kind",
        "all",
        "weeks since a campaign of its kind ended",
        lambda p: (p.moment_h - p.of_campaigns("kind_last_h")) / WEEK_H,
    ),
    Feature(
        "planned_exposures",
        "plan",
        "planned exposures over all targets",
        lambda p: where_any(p.shared(_targets), p.shared(_planned_exposures)),
    ),
    Feature("targets", "plan", "how many targets it addresses", lambda p: p.shared(_targets)),
    Feature("work_units", "plan", "units of work", _fact("work_units")),
    Feature("window_h", "plan", "hours in which it earns", _fact("window_h")),
    Feature("planned_revenue", "plan", "revenue its owner plans", _fact("planned_revenue")),
    Feature("urgency", "plan", "urgency its owner declares, 0-1", _fact("urgency")),
    Feature("brand", "plan", "brand weight its owner declares, 0-1", _fact("brand")),
)
