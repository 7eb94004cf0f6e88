"""The declared features: for each its name, window, meaning, and the one function that computes it.

Aggregates are sums over what was known, kept per target, kind, channel or market; features combine them
with what the campaign plans. Training and serving differ only in where the aggregates are looked up.
Money is in dollars; NaN means "not known", which trees take as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from features.aggregates import BASELINE_WEEKS, MEMORIES
from features.curves import Floats
from features.planned import Planned, ratio

WEEK_H = 168.0
PRIOR_WEIGHT = 0.5
"""How much the pooled rate counts beside a target's own history, in mean planned exposures per target."""


def _targets(planned: Planned) -> Floats:
    """How many targets each campaign addresses."""
    return np.bincount(planned.row, minlength=len(planned.moments_h)).astype(np.float64)


def _planned_exposures(planned: Planned) -> Floats:
    return planned.per_campaign(planned.exposures)


def expected_response(planned: Planned) -> Floats:
    """Dollars expected from each planned target: its past rate per exposure times the planned exposures.

    Shape (memories, planned targets). A thin history is shrunk towards the pooled rate of the campaign's own targets,
    and that towards its channel's (an empirical-Bayes style ratio estimate).
    """
    past = planned.amounts("target_revenue", 2 * _MEMORIES)  # revenue, then exposures
    revenue, exposures = past[:_MEMORIES], past[_MEMORIES:]
    sums = planned.per_campaign(past)
    channel = ratio(planned.amounts("channel_revenue"), planned.amounts("channel_exposures"))
    prior = PRIOR_WEIGHT * ratio(planned.shared(_planned_exposures), planned.shared(_targets))
    pooled = ratio(sums[:_MEMORIES] + prior * channel, sums[_MEMORIES:] + prior)
    rate = ratio(revenue + planned.per_target(prior * pooled), exposures + planned.per_target(prior))
    return rate * planned.exposures


def expected_by_kind(planned: Planned) -> Floats:
    """Dollars expected from each planned target if exposures earn what they did for its kind in its channel.

    Shape (memories, planned targets). A target without a past says nothing itself: a grocery campaign in six has no
    other.
    """
    rate = ratio(planned.amounts("kind_in_channel_revenue"), planned.amounts("kind_in_channel_exposures"))
    return planned.per_target(rate) * planned.exposures


def expected_baseline(planned: Planned) -> Floats:
    """Dollars each planned target would earn over its planned exposures without the campaign.

    Shape (windows, planned targets).
    """
    first = f"_{BASELINE_WEEKS[0]}w"
    value = planned.amounts(f"target_value{first}", len(BASELINE_WEEKS))
    readings = planned.amounts(f"market_readings{first}", len(BASELINE_WEEKS))
    return ratio(value, planned.per_target(readings)) * planned.exposures


def _expected(planned: Planned) -> Floats:
    """All that is expected of each target, one after the other: what is summed up is so in one go."""
    return np.concatenate([expected_response(planned), expected_by_kind(planned), expected_baseline(planned)])


_MEMORIES = len(MEMORIES)
RESPONSE, BY_KIND, BASELINE = 0, _MEMORIES, 2 * _MEMORIES
"""Where in `_expected` each begins; a memory or window later by one."""


def _totals(planned: Planned) -> Floats:
    """Sums over targets; a campaign without targets has no expectation."""
    return _if_targets(planned, planned.per_campaign(planned.shared(_expected)))


def _largest(planned: Planned) -> Floats:
    return planned.largest(planned.shared(_expected))


def _concentrations(planned: Planned) -> Floats:
    """Herfindahl index over targets: 1 when one target carries it all."""
    amount = planned.shared(_expected)
    sums = planned.per_campaign(amount)
    return ratio(planned.per_campaign(amount * amount), sums * sums)


def _if_targets(planned: Planned, sums: Floats) -> Floats:
    targets = planned.shared(_targets)
    return sums if targets.all() else np.where(targets > 0, sums, np.nan)


def _kind_means(planned: Planned) -> Floats:
    return ratio(planned.amounts("kind_revenue"), planned.amounts("kind_share"))


def _kind_mean_1w(planned: Planned) -> Floats:
    return ratio(planned.amount("kind_revenue_1w"), planned.amount("kind_share_1w"))


Compute = Callable[[Planned], Floats]


def _fact(name: str) -> Compute:
    return lambda planned: planned.facts[name]


def _row(of: Compute, place: int) -> Compute:
    return lambda planned: planned.shared(of)[place]


def _seen_share(planned: Planned) -> Floats:
    seen = planned.amount("target_exposures") > 0
    return ratio(planned.per_campaign(planned.exposures * seen), planned.shared(_planned_exposures))


@dataclass(frozen=True)
class Feature:
    """One declared feature. `window` says how far back it looks."""

    name: str
    window: str
    meaning: str
    compute: Callable[[Planned], Floats] = field(repr=False, compare=False)
    dtype: str = "float64"


FEATURES: tuple[Feature, ...] = (
    Feature(
        "planned_response",
        "all",
        "past revenue per exposure of its targets x planned exposures",
        _row(_totals, RESPONSE),
    ),
    Feature(
        "planned_response_13w",
        "half-life 13 w",
        "the same, recent campaigns weigh more",
        _row(_totals, RESPONSE + 1),
    ),
    Feature(
        "planned_response_4w",
        "half-life 4 w",
        "the same, latest campaigns weigh most",
        _row(_totals, RESPONSE + 2),
    ),
    Feature(
        "kind_response",
        "all",
        "past revenue per exposure of its kind, whichever the targets, x planned exposures",
        _row(_totals, BY_KIND),
    ),
    Feature(
        "kind_response_13w",
        "half-life 13 w",
        "the same, recent campaigns weigh more",
        _row(_totals, BY_KIND + 1),
    ),
    Feature(
        "kind_response_4w",
        "half-life 4 w",
        "the same, latest campaigns weigh most",
        _row(_totals, BY_KIND + 2),
    ),
    Feature(
        "target_baseline",
        "8 w",
        "what its targets earn without a campaign, over the planned exposures",
        _row(_totals, BASELINE + 1),
    ),
    Feature("target_baseline_4w", "4 w", "the same over four weeks", _row(_totals, BASELINE)),
    Feature("target_baseline_26w", "26 w", "the same over half a year", _row(_totals, BASELINE + 2)),
    Feature(
        "best_target_response",
        "all",
        "planned response of its strongest target",
        _row(_largest, RESPONSE),
    ),
    Feature("best_target_baseline", "8 w", "baseline of its strongest target", _row(_largest, BASELINE + 1)),
    Feature(
        "response_concentration",
        "all",
        "how much few targets carry its planned response",
        _row(_concentrations, RESPONSE),
    ),
    Feature(
        "baseline_concentration", "8 w", "how much few targets carry its baseline", _row(_concentrations, BASELINE + 1)
    ),
    Feature("seen_share", "all", "share of its planned exposures on targets with a past", _seen_share),
    Feature("kind_mean_value", "all", "mean value of past campaigns of its kind", _row(_kind_means, 0)),
    Feature("kind_mean_value_13w", "half-life 13 w", "the same, recent campaigns weigh more", _row(_kind_means, 1)),
    Feature("kind_mean_value_4w", "half-life 4 w", "the same, latest campaigns weigh most", _row(_kind_means, 2)),
    Feature("kind_mean_value_1w", "half-life 1 w", "about the value of the last campaign of its kind", _kind_mean_1w),
    Feature("kind_campaigns", "all", "how many campaigns of its kind are known", lambda p: p.amount("kind_launches")),
    Feature(
        "weeks_since_kind",
        "all",
        "weeks since a campaign of its kind ended",
        lambda p: (p.moments_h - p.amount("kind_last_h")) / WEEK_H,
    ),
    Feature(
        "planned_exposures",
        "plan",
        "planned exposures over all targets",
        lambda p: np.where(p.shared(_targets) > 0, p.shared(_planned_exposures), np.nan),
    ),
    Feature("targets", "plan", "how many targets it addresses", lambda p: p.shared(_targets)),
    Feature("work_units", "plan", "units of work", _fact("work_units")),
    Feature("window_h", "plan", "hours in which it earns", _fact("window_h")),
    Feature("planned_revenue", "plan", "revenue its owner plans", _fact("planned_revenue")),
    Feature("urgency", "plan", "urgency its owner declares, 0-1", _fact("urgency")),
    Feature("brand", "plan", "brand weight its owner declares, 0-1", _fact("brand")),
)
