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
from features.columns import Column, positive, ratio, where_any
from features.curves import Floats
from features.planned import Planned

WEEK_H = 168.0
PRIOR_WEIGHT = 0.5
"""How much the pooled rate counts beside a target's own history, in mean planned exposures per target."""


_MEMORIES, _WINDOWS = len(MEMORIES), len(BASELINE_WEEKS)
_VALUE, _READINGS = (f"{amount}_{BASELINE_WEEKS[0]}w" for amount in ("target_value", "market_readings"))

Compute = Callable[[Planned], Column]


def _targets(planned: Planned) -> Column:
    """How many targets each campaign addresses."""
    if planned.single:
        return float(len(planned.exposures))
    return np.bincount(planned.row, minlength=planned.count).astype(np.float64)


def _planned_exposures(planned: Planned) -> Column:
    return planned.per_campaign(planned.exposures[None])[0]


def response_rates(planned: Planned) -> Floats:
    """Dollars per exposure expected of each planned target, from its past: a row a memory, one entry a planned target.

    A thin history is shrunk towards the pooled rate of the campaign's own targets, and that towards its channel's (an
    empirical-Bayes style ratio estimate).
    """
    past = planned.of_targets("target_revenue", 2 * _MEMORIES)  # revenue in all memories, then exposures
    sums = planned.per_campaign(past)
    prior = PRIOR_WEIGHT * ratio(planned.shared(_planned_exposures), planned.shared(_targets))
    more = []  # revenue that the prior adds to each target's own, by memory
    for memory in range(_MEMORIES):
        channel = ratio(
            planned.of_campaigns("channel_revenue", memory), planned.of_campaigns("channel_exposures", memory)
        )
        more.append(prior * ratio(sums[memory] + prior * channel, sums[_MEMORIES + memory] + prior))
    revenue = past[:_MEMORIES] + planned.per_target(more)
    if isinstance(prior, float) and prior > 0:
        return revenue / (past[_MEMORIES:] + prior)  # which is more than 0 then, and need not be looked at
    return revenue / positive(past[_MEMORIES:] + planned.per_target([prior]))


def baseline_rates(planned: Planned) -> Floats:
    """Dollars per exposure that each planned target earns without a campaign, a row a window."""
    readings = [positive(planned.of_campaigns(_READINGS, window)) for window in range(_WINDOWS)]
    return planned.of_targets(_VALUE, _WINDOWS) / planned.per_target(readings)


def _expected(planned: Planned) -> Floats:
    """What planned exposures are expected to bring, target by target, a row each: what is summed up is so in one go."""
    seen = planned.of_targets("target_exposures") > 0  # and how many exposures are on targets with a past
    rates: Floats = np.concatenate((response_rates(planned), baseline_rates(planned), seen), dtype=float)
    return rates * planned.exposures


RESPONSE, BASELINE, SEEN = 0, _MEMORIES, _MEMORIES + _WINDOWS
"""Where in `_expected` each begins; a memory or window later by one."""


def _totals(planned: Planned) -> Sequence[Column]:
    """Sums over targets; a campaign without targets has no expectation."""
    return planned.per_campaign(planned.shared(_expected), of_none=np.nan)


def _squares(planned: Planned) -> Sequence[Column]:
    amounts = planned.shared(_expected)
    return planned.per_campaign(amounts * amounts)


def _largest_of(planned: Planned) -> Sequence[Column]:
    return planned.largest(planned.shared(_expected))


def _total(place: int) -> Compute:
    return lambda planned: planned.shared(_totals)[place]


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
    return lambda planned: planned.shared(_largest_of)[place]


def _concentration(place: int) -> Compute:
    """Herfindahl index over targets: 1 when one target carries it all."""

    def concentration(planned: Planned) -> Column:
        total = planned.shared(_totals)[place]
        return ratio(planned.shared(_squares)[place], total * total)

    return concentration


def _kind_mean(suffix: str) -> Compute:
    revenue, share = f"kind_revenue{suffix}", f"kind_share{suffix}"
    return lambda planned: ratio(planned.of_campaigns(revenue), planned.of_campaigns(share))


def _fact(name: str) -> Compute:
    return lambda planned: planned.fact(name)


def _seen_share(planned: Planned) -> Column:
    return ratio(planned.shared(_totals)[SEEN], planned.shared(_planned_exposures))


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
