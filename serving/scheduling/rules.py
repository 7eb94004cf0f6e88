"""What binds campaigns beside their worth: limits, caps, the reserve for those who wait long, guaranteed shares.

All of it is set by the operator. What a campaign is bound by follows from its facts alone: its `Terms`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

from annotated_types import Ge
from pydantic import ConfigDict, Field

from features.records import Campaign, Positive, Share

LimitKey = Annotated[str, Field(pattern="^(account|channel|kind|tag):.+")]
"""What a limit is for, see `keys_of`."""

Count = Annotated[int, Ge(1)]


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What the campaigns of one key may use together.

    Attributes
    ----------
    rate_per_s : units a second, over time; None for any.
    burst : units at once after a lull, a token bucket's size; a second's worth unless given.
    concurrency : tasks at once; None for any.
    """

    rate_per_s: Positive | None = None
    burst: Positive | None = None
    concurrency: Count | None = None

    __pydantic_config__ = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        if self.rate_per_s is None and self.concurrency is None:
            raise ValueError("rate_per_s, concurrency, or both are required of a limit")
        if self.burst is not None and self.rate_per_s is None:
            raise ValueError("burst is of use only with rate_per_s")

    @property
    def most(self) -> float:
        """Units in a full bucket; infinite without a rate."""
        if self.rate_per_s is None:
            return float("inf")
        return self.rate_per_s if self.burst is None else self.burst


@dataclass(frozen=True)
class Reserve:
    """A share of all slots serves those who wait longest, once they waited `max_wait_h` hours.

    Such a campaign starts within (overdue work ahead) / (share x slots), plus one chunk.
    """

    share: Share = 0.05
    max_wait_h: Positive = 48.0


@dataclass(frozen=True)
class Shares:
    """What each account is guaranteed of the slots while several want them; what it leaves idle others borrow.

    Attributes
    ----------
    total : share of the slots guaranteed to all accounts together, 0-1; the rest goes by rank alone.
    of : share of single accounts; those not named here share what is left of `total` evenly.
    """

    total: Share = 0.5
    of: Mapping[str, Share] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if sum(self.of.values()) > self.total:
            raise ValueError(
                f"shares of accounts add up to {sum(self.of.values()):g}, more than the total {self.total:g}"
            )

    def guaranteed(self, contending: Collection[str]) -> dict[str, float]:
        """Each contending account's share of the slots; a single one needs no guarantee."""
        if len(contending) < 2:
            return {}
        others = [account for account in contending if account not in self.of]
        left = self.total - sum(self.of.values())
        return {account: self.of.get(account, left / max(len(others), 1)) for account in contending}


@dataclass(frozen=True)
class Cap:
    """No target is addressed by more than `count` campaigns begun within any `window_h` hours."""

    count: Count
    window_h: Positive = 24.0


@dataclass(frozen=True)
class Rules:
    """All of it; by default there is no limit and no cap."""

    reserve: Reserve = Reserve()
    shares: Shares = field(default_factory=Shares)
    limits: Mapping[str, Limit] = field(default_factory=dict)
    cap: Cap | None = None

    @cached_property
    def rated(self) -> frozenset[str]:
        """Keys with a limit on their rate."""
        return frozenset(key for key, limit in self.limits.items() if limit.rate_per_s is not None)


NO_RULES = Rules(Reserve(share=0.0), Shares(total=0.0))
"""By rank alone, as in a backtest."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What binds one campaign.

    Attributes
    ----------
    limits : keys with a limit that it counts against.
    exclusive : keys that no two campaigns may hold.
    targets : what it addresses, where a cap counts that; sorted.
    """

    account: str
    limits: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @property
    def binding(self) -> bool:
        """Whether anything of it can ever hold the campaign."""
        return bool(self.limits or self.exclusive or self.targets)


def keys_of(campaign: Campaign) -> tuple[str, ...]:
    """The keys whose limits a campaign counts against: its account, channel, kind and tags."""
    own = (f"account:{campaign.account}", f"channel:{campaign.channel}", f"kind:{campaign.kind}")
    return (*own, *(f"tag:{tag}" for tag in dict.fromkeys(campaign.tags)))


def terms_of(campaign: Campaign, rules: Rules) -> Terms:
    """What binds a campaign under these rules."""
    return Terms(
        account=campaign.account,
        limits=tuple(key for key in keys_of(campaign) if key in rules.limits) if rules.limits else (),
        exclusive=tuple(dict.fromkeys(campaign.exclusive)),
        targets=tuple(sorted(campaign.targets)) if rules.cap is not None else (),
    )
