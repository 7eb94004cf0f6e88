"""The declared features: for each its name, window, meaning, and the one function that computes it.

Aggregates are sums over what was known, kept per target, kind, channel or market; features combine them
with what the campaign plans. Training and serving differ only in where the aggregates are looked up.
Money is in dollars; NaN means "not known", which trees take as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from features.curves import Floats, Indices
from features.ledgers import Entity

WEEK_H = 168.0
PRIOR_WEIGHT = 0.5
"""How much the pooled rate counts beside a target's own history, in mean planned exposures per target."""


def weeks(count: float) -> timedelta:
    """A duration of some weeks."""
    return timedelta(weeks=count)


@dataclass(frozen=True)
class Aggregate:
    """A sum over the facts known about an entity; `amount` None asks when the latest was known (hours)."""

    name: str
    entity: Entity
    ledger: str
    amount: str | None
    window: timedelta | None = None
    half_life: timedelta | None = None


def _per_memory(prefix: str, entity: Entity, ledger: str, amounts: tuple[str, ...]) -> list[Aggregate]:
    memories = {"": None, "_13w": weeks(13), "_4w": weeks(4)}
    return [
        Aggregate(f"{prefix}_{amount}{suffix}", entity, ledger, amount, half_life=half_life)
        for amount in amounts
        for suffix, half_life in memories.items()
    ]


AGGREGATES: tuple[Aggregate, ...] = (
    *_per_memory("target", Entity.TARGET_IN_CHANNEL, "responses", ("revenue", "exposures")),
    *_per_memory("kind_in_channel", Entity.KIND_IN_CHANNEL, "responses", ("revenue", "exposures")),
    *_per_memory("channel", Entity.CHANNEL, "responses", ("revenue", "exposures")),
    *_per_memory("kind", Entity.KIND, "outcomes", ("revenue", "share")),
    Aggregate("kind_revenue_1w", Entity.KIND, "outcomes", "revenue", half_life=weeks(1)),
    Aggregate("kind_share_1w", Entity.KIND, "outcomes", "share", half_life=weeks(1)),
    Aggregate("kind_launches", Entity.KIND, "outcomes", "launches"),
    Aggregate("kind_last_h", Entity.KIND, "outcomes", None),
    *(
        Aggregate(f"{entity}_{amount}_{n}w", entity, "baseline", amount, window=weeks(n))
        for entity, amount in ((Entity.TARGET, "value"), (Entity.MARKET, "readings"))
        for n in (4, 8, 26)
    ),
)


@dataclass(frozen=True)
class Planned:
    """Planned campaigns with what was known about them, as columns.

    Attributes
    ----------
    moments_h : the moment asked about, one a campaign, hours since the epoch.
    facts : declared numbers, one entry a campaign, NaN where not declared.
    row : position of its campaign, one entry a planned target.
    exposures : planned exposures, one entry a planned target.
    known : aggregates by name; one entry a planned target for target entities, else one a campaign.
    """

    moments_h: Floats
    facts: Mapping[str, Floats]
    row: Indices
    exposures: Floats
    known: Mapping[str, Floats] = field(default_factory=dict)

    def per_campaign(self, amount: Floats) -> Floats:
        """Sum over each campaign's targets."""
        sums: Floats = np.bincount(self.row, amount, minlength=len(self.moments_h)).astype(np.float64)
        return sums

    def largest(self, amount: Floats) -> Floats:
        """Largest known over each campaign's targets; NaN where none is."""
        largest = np.full(len(self.moments_h), -np.inf)
        np.maximum.at(largest, self.row, np.where(np.isnan(amount), -np.inf, amount))
        return np.where(np.isneginf(largest), np.nan, largest)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Numerator over denominator; NaN where there is nothing to divide by."""
    quotient: Floats = np.divide(
        numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator > 0
    )
    return quotient


def expected_response(planned: Planned, memory: str = "") -> Floats:
    """Dollars expected from each planned target: its past rate per exposure times the planned exposures.

    A thin history is shrunk towards the pooled rate of the campaign's own targets, and that towards its
    channel's (an empirical-Bayes style ratio estimate).
    """
    revenue, exposures = planned.known[f"target_revenue{memory}"], planned.known[f"target_exposures{memory}"]
    channel = ratio(planned.known[f"channel_revenue{memory}"], planned.known[f"channel_exposures{memory}"])
    targets = planned.per_campaign(np.ones(len(planned.row)))
    prior = PRIOR_WEIGHT * ratio(planned.per_campaign(planned.exposures), targets)
    pooled = ratio(planned.per_campaign(revenue) + prior * channel, planned.per_campaign(exposures) + prior)
    rate = ratio(revenue + (prior * pooled)[planned.row], exposures + prior[planned.row])
    return rate * planned.exposures


def expected_by_kind(planned: Planned, memory: str = "") -> Floats:
    """Dollars expected from each planned target if exposures earn what they did for its kind in its channel.

    A target without a past says nothing itself: a grocery campaign in six has no other.
    """
    rate = ratio(planned.known[f"kind_in_channel_revenue{memory}"], planned.known[f"kind_in_channel_exposures{memory}"])
    return rate[planned.row] * planned.exposures


def expected_baseline(planned: Planned, n_weeks: int) -> Floats:
    """Dollars each planned target would earn over its planned exposures without the campaign."""
    readings = planned.known[f"market_readings_{n_weeks}w"][planned.row]
    return ratio(planned.known[f"target_value_{n_weeks}w"], readings) * planned.exposures


def _total(of: Callable[[Planned], Floats]) -> Callable[[Planned], Floats]:
    def total(planned: Planned) -> Floats:
        """Sum over targets; a campaign without targets has no expectation."""
        targets = planned.per_campaign(np.ones(len(planned.row)))
        return np.where(targets > 0, planned.per_campaign(of(planned)), np.nan)

    return total


def _concentration(of: Callable[[Planned], Floats]) -> Callable[[Planned], Floats]:
    def concentration(planned: Planned) -> Floats:
        """Herfindahl index over targets: 1 when one target carries it all."""
        amount = of(planned)
        return ratio(planned.per_campaign(amount**2), planned.per_campaign(amount) ** 2)

    return concentration


def _kind_mean(memory: str) -> Callable[[Planned], Floats]:
    return lambda planned: ratio(planned.known[f"kind_revenue{memory}"], planned.known[f"kind_share{memory}"])


def _fact(name: str) -> Callable[[Planned], Floats]:
    return lambda planned: planned.facts[name]


def _seen_share(planned: Planned) -> Floats:
    seen = planned.known["target_exposures"] > 0
    return ratio(planned.per_campaign(planned.exposures * seen), planned.per_campaign(planned.exposures))


@dataclass(frozen=True)
class Feature:
    """One declared feature. `window` says how far back it looks."""

    name: str
    window: str
    meaning: str
    compute: Callable[[Planned], Floats] = field(repr=False, compare=False)
    dtype: str = "float64"


def _baseline(planned: Planned) -> Floats:
    return expected_baseline(planned, 8)


FEATURES: tuple[Feature, ...] = (
    Feature(
        "planned_response",
        "all",
        "past revenue per exposure of its targets x planned exposures",
        _total(expected_response),
    ),
    Feature(
        "planned_response_13w",
        "half-life 13 w",
        "the same, recent campaigns weigh more",
        _total(lambda p: expected_response(p, "_13w")),
    ),
    Feature(
        "planned_response_4w",
        "half-life 4 w",
        "the same, latest campaigns weigh most",
        _total(lambda p: expected_response(p, "_4w")),
    ),
    Feature(
        "kind_response",
        "all",
        "past revenue per exposure of its kind, whichever the targets, x planned exposures",
        _total(expected_by_kind),
    ),
    Feature(
        "kind_response_13w",
        "half-life 13 w",
        "the same, recent campaigns weigh more",
        _total(lambda p: expected_by_kind(p, "_13w")),
    ),
    Feature(
        "kind_response_4w",
        "half-life 4 w",
        "the same, latest campaigns weigh most",
        _total(lambda p: expected_by_kind(p, "_4w")),
    ),
    Feature(
        "target_baseline",
        "8 w",
        "what its targets earn without a campaign, over the planned exposures",
        _total(_baseline),
    ),
    Feature("target_baseline_4w", "4 w", "the same over four weeks", _total(lambda p: expected_baseline(p, 4))),
    Feature("target_baseline_26w", "26 w", "the same over half a year", _total(lambda p: expected_baseline(p, 26))),
    Feature(
        "best_target_response",
        "all",
        "planned response of its strongest target",
        lambda p: p.largest(expected_response(p)),
    ),
    Feature("best_target_baseline", "8 w", "baseline of its strongest target", lambda p: p.largest(_baseline(p))),
    Feature(
        "response_concentration",
        "all",
        "how much few targets carry its planned response",
        _concentration(expected_response),
    ),
    Feature("baseline_concentration", "8 w", "how much few targets carry its baseline", _concentration(_baseline)),
    Feature("seen_share", "all", "share of its planned exposures on targets with a past", _seen_share),
    Feature("kind_mean_value", "all", "mean value of past campaigns of its kind", _kind_mean("")),
    Feature("kind_mean_value_13w", "half-life 13 w", "the same, recent campaigns weigh more", _kind_mean("_13w")),
    Feature("kind_mean_value_4w", "half-life 4 w", "the same, latest campaigns weigh most", _kind_mean("_4w")),
    Feature(
        "kind_mean_value_1w", "half-life 1 w", "about the value of the last campaign of its kind", _kind_mean("_1w")
    ),
    Feature("kind_campaigns", "all", "how many campaigns of its kind are known", lambda p: p.known["kind_launches"]),
    Feature(
        "weeks_since_kind",
        "all",
        "weeks since a campaign of its kind ended",
        lambda p: (p.moments_h - p.known["kind_last_h"]) / WEEK_H,
    ),
    Feature("planned_exposures", "plan", "planned exposures over all targets", _total(lambda p: p.exposures)),
    Feature("targets", "plan", "how many targets it addresses", lambda p: p.per_campaign(np.ones(len(p.row)))),
    Feature("work_units", "plan", "units of work", _fact("work_units")),
    Feature("window_h", "plan", "hours in which it earns", _fact("window_h")),
    Feature("planned_revenue", "plan", "revenue its owner plans", _fact("planned_revenue")),
    Feature("urgency", "plan", "urgency its owner declares, 0-1", _fact("urgency")),
    Feature("brand", "plan", "brand weight its owner declares, 0-1", _fact("brand")),
)
