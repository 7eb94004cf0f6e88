"""The declared features: for each its name, window, meaning, and the one function that computes it.

Aggregates are sums over what was known, kept per target, kind, channel or market; features combine them
with what the campaign plans. Training and serving differ only in where the aggregates are looked up.
Money is in dollars; NaN means "not known", which trees take as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np

from features.curves import Floats, Indices
from features.ledgers import Entity

WEEK_H = 168.0
PRIOR_WEIGHT = 0.5
"""How much the pooled rate counts beside a target's own history, in mean planned exposures per target."""


def weeks(count: float) -> timedelta:
    """A duration of some weeks."""
    return timedelta(weeks=count)


MEMORIES: Mapping[str, timedelta | None] = {"": None, "_13w": weeks(13), "_4w": weeks(4)}
"""Half-lives that amounts are remembered with, by suffix."""

BASELINE_WEEKS = (4, 8, 26)
"""Windows of what targets earn without a campaign."""


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
    return [
        Aggregate(f"{prefix}_{amount}{suffix}", entity, ledger, amount, half_life=half_life)
        for amount in amounts
        for suffix, half_life in MEMORIES.items()
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
        for n in BASELINE_WEEKS
    ),
)


_PLACES: dict[str, tuple[Entity, int]] = {
    aggregate.name: (entity, place)
    for entity in Entity
    for place, aggregate in enumerate(a for a in AGGREGATES if a.entity == entity)
}
"""Where an aggregate stands among its entity's; those of one amount in several memories or windows follow each other."""

Computed = TypeVar("Computed")


@dataclass(frozen=True, eq=False)
class Planned:
    """Planned campaigns with what was known about them, as columns.

    Attributes
    ----------
    moments_h : the moment asked about, one a campaign, hours since the epoch.
    facts : declared numbers, one entry a campaign, NaN where not declared.
    row : position of its campaign, one entry a planned target; rising.
    exposures : planned exposures, one entry a planned target.
    known : by entity its aggregates as declared, shape (aggregates, planned targets) for target entities, else
        (aggregates, campaigns).
    """

    moments_h: Floats
    facts: Mapping[str, Floats]
    row: Indices
    exposures: Floats
    known: Mapping[Entity, Floats] = field(default_factory=dict)
    _shared: dict[Callable[[Planned], Any], Any] = field(default_factory=dict, init=False, repr=False)

    def shared(self, compute: Callable[[Planned], Computed]) -> Computed:
        """What several features are made of, computed once."""
        if compute not in self._shared:
            self._shared[compute] = compute(self)
        found: Computed = self._shared[compute]
        return found

    def amount(self, name: str) -> Floats:
        """One aggregate, one entry a planned target or campaign."""
        entity, place = _PLACES[name]
        column: Floats = self.known[entity][place]
        return column

    def amounts(self, first: str, count: int = len(MEMORIES)) -> Floats:
        """An aggregate and those declared after it, a row each: one amount in all its memories, or windows."""
        entity, place = _PLACES[first]
        rows: Floats = self.known[entity][place : place + count]
        return rows

    def per_campaign(self, amount: Floats) -> Floats:
        """Sum over each campaign's targets, along the last axis; 0 where it has none."""
        return self._over_targets(np.add, amount, 0.0)

    def largest(self, amount: Floats) -> Floats:
        """Largest known over each campaign's targets; NaN where none is."""
        return self._over_targets(np.fmax, amount, np.nan)

    def per_target(self, amount: Floats) -> Floats:
        """What campaigns have, for each of their targets, along the last axis."""
        # One campaign's numbers go with all targets as they are.
        return amount if len(self.moments_h) == 1 else amount[..., self.row]

    def _over_targets(self, operation: np.ufunc, amount: Floats, of_none: float) -> Floats:
        if len(self.moments_h) == 1 and len(self.row):
            over: Floats = operation.reduce(amount, axis=-1, keepdims=True)
            return over
        begins, filled = self.shared(_segments)
        if filled is None:
            each: Floats = operation.reduceat(amount, begins, axis=-1)
            return each
        spread = np.full((*amount.shape[:-1], len(self.moments_h)), of_none)
        if len(begins):
            spread[..., filled] = operation.reduceat(amount, begins, axis=-1)
        return spread


def _segments(planned: Planned) -> tuple[Indices, Indices | None]:
    """Where each campaign's targets begin, and which campaigns have any; None when all have."""
    counts = np.bincount(planned.row, minlength=len(planned.moments_h))
    filled = np.flatnonzero(counts)
    begins = (np.cumsum(counts) - counts)[filled]
    return begins, None if len(filled) == len(counts) else filled


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Numerator over denominator; NaN where there is nothing to divide by."""
    quotient: Floats = np.divide(numerator, np.where(denominator > 0, denominator, np.nan))
    return quotient


def _targets(planned: Planned) -> Floats:
    """How many targets each campaign addresses."""
    return planned.per_campaign(np.ones(len(planned.row)))


def _planned_exposures(planned: Planned) -> Floats:
    return planned.per_campaign(planned.exposures)


def expected_response(planned: Planned) -> Floats:
    """Dollars expected from each planned target: its past rate per exposure times the planned exposures.

    Shape (memories, planned targets). A thin history is shrunk towards the pooled rate of the campaign's own targets,
    and that towards its channel's (an empirical-Bayes style ratio estimate).
    """
    revenue, exposures = planned.amounts("target_revenue"), planned.amounts("target_exposures")
    channel = ratio(planned.amounts("channel_revenue"), planned.amounts("channel_exposures"))
    prior = PRIOR_WEIGHT * ratio(planned.shared(_planned_exposures), planned.shared(_targets))
    pooled = ratio(planned.per_campaign(revenue) + prior * channel, planned.per_campaign(exposures) + prior)
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


Stack = Callable[[Planned], Floats]
"""A row for each memory or window, an entry for each target or campaign."""


def _total(of: Stack) -> Stack:
    def total(planned: Planned) -> Floats:
        """Sum over targets; a campaign without targets has no expectation."""
        sums, targets = planned.per_campaign(planned.shared(of)), planned.shared(_targets)
        return sums if targets.all() else np.where(targets > 0, sums, np.nan)

    return total


def _concentration(of: Stack, place: int) -> Stack:
    def concentration(planned: Planned) -> Floats:
        """Herfindahl index over targets: 1 when one target carries it all."""
        amount = planned.shared(of)[place]
        return ratio(planned.per_campaign(amount * amount), planned.per_campaign(amount) ** 2)

    return concentration


def _largest(of: Stack, place: int) -> Stack:
    return lambda planned: planned.largest(planned.shared(of)[place])


def _kind_means(planned: Planned) -> Floats:
    return ratio(planned.amounts("kind_revenue"), planned.amounts("kind_share"))


def _kind_mean_1w(planned: Planned) -> Floats:
    return ratio(planned.amount("kind_revenue_1w"), planned.amount("kind_share_1w"))


def _fact(name: str) -> Stack:
    return lambda planned: planned.facts[name]


def _place(of: Stack, place: int) -> Stack:
    return lambda planned: planned.shared(of)[place]


def _seen_share(planned: Planned) -> Floats:
    seen = planned.amount("target_exposures") > 0
    return ratio(planned.per_campaign(planned.exposures * seen), planned.shared(_planned_exposures))


_responses, _responses_by_kind, _baselines = (
    _total(expected) for expected in (expected_response, expected_by_kind, expected_baseline)
)


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
        _place(_responses, 0),
    ),
    Feature(
        "planned_response_13w",
        "half-life 13 w",
        "the same, recent campaigns weigh more",
        _place(_responses, 1),
    ),
    Feature(
        "planned_response_4w",
        "half-life 4 w",
        "the same, latest campaigns weigh most",
        _place(_responses, 2),
    ),
    Feature(
        "kind_response",
        "all",
        "past revenue per exposure of its kind, whichever the targets, x planned exposures",
        _place(_responses_by_kind, 0),
    ),
    Feature(
        "kind_response_13w",
        "half-life 13 w",
        "the same, recent campaigns weigh more",
        _place(_responses_by_kind, 1),
    ),
    Feature(
        "kind_response_4w",
        "half-life 4 w",
        "the same, latest campaigns weigh most",
        _place(_responses_by_kind, 2),
    ),
    Feature(
        "target_baseline",
        "8 w",
        "what its targets earn without a campaign, over the planned exposures",
        _place(_baselines, 1),
    ),
    Feature("target_baseline_4w", "4 w", "the same over four weeks", _place(_baselines, 0)),
    Feature("target_baseline_26w", "26 w", "the same over half a year", _place(_baselines, 2)),
    Feature(
        "best_target_response",
        "all",
        "planned response of its strongest target",
        _largest(expected_response, 0),
    ),
    Feature("best_target_baseline", "8 w", "baseline of its strongest target", _largest(expected_baseline, 1)),
    Feature(
        "response_concentration",
        "all",
        "how much few targets carry its planned response",
        _concentration(expected_response, 0),
    ),
    Feature("baseline_concentration", "8 w", "how much few targets carry its baseline", _concentration(expected_baseline, 1)),
    Feature("seen_share", "all", "share of its planned exposures on targets with a past", _seen_share),
    Feature("kind_mean_value", "all", "mean value of past campaigns of its kind", _place(_kind_means, 0)),
    Feature("kind_mean_value_13w", "half-life 13 w", "the same, recent campaigns weigh more", _place(_kind_means, 1)),
    Feature("kind_mean_value_4w", "half-life 4 w", "the same, latest campaigns weigh most", _place(_kind_means, 2)),
    Feature(
        "kind_mean_value_1w", "half-life 1 w", "about the value of the last campaign of its kind", _kind_mean_1w
    ),
    Feature("kind_campaigns", "all", "how many campaigns of its kind are known", lambda p: p.amount("kind_launches")),
    Feature(
        "weeks_since_kind",
        "all",
        "weeks since a campaign of its kind ended",
        lambda p: (p.moments_h - p.amount("kind_last_h")) / WEEK_H,
    ),
    Feature("planned_exposures", "plan", "planned exposures over all targets", lambda p: np.where(p.shared(_targets) > 0, p.shared(_planned_exposures), np.nan)),
    Feature("targets", "plan", "how many targets it addresses", lambda p: p.shared(_targets)),
    Feature("work_units", "plan", "units of work", _fact("work_units")),
    Feature("window_h", "plan", "hours in which it earns", _fact("window_h")),
    Feature("planned_revenue", "plan", "revenue its owner plans", _fact("planned_revenue")),
    Feature("urgency", "plan", "urgency its owner declares, 0-1", _fact("urgency")),
    Feature("brand", "plan", "brand weight its owner declares, 0-1", _fact("brand")),
)
