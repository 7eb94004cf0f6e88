"""The records every room speaks of: campaigns, their tasks, and what was observed about them.

Plain frozen dataclasses. Types carry their allowed range as annotations, so one declaration validates
JSON at the edge (through pydantic) and documents the API; relations between fields are checked
wherever a record is made. All times are timezone-aware.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import AwareDatetime, ConfigDict, FiniteFloat, StringConstraints

PRINTABLE = r"^\P{Cc}*$"
"""What names hold: anything but control characters, which not every database keeps."""

PLAIN = r"^[A-Za-z0-9_][A-Za-z0-9_.:@+=,~-]*$"
"""What ids of campaigns and tasks hold: they stand in paths, headers and idempotency keys, joined by slashes."""

Identifier = Annotated[str, MinLen(1), MaxLen(200), StringConstraints(pattern=PRINTABLE)]
PlainIdentifier = Annotated[str, MinLen(1), MaxLen(200), StringConstraints(pattern=PLAIN)]
Share = Annotated[FiniteFloat, Ge(0), Le(1)]
MOST = 1e15
"""The largest amount taken: sums and products of a few such still are finite numbers, and no real one comes near."""

Positive = Annotated[FiniteFloat, Gt(0), Le(MOST)]
NonNegative = Annotated[FiniteFloat, Ge(0), Le(MOST)]
Tags = Annotated[tuple[Identifier, ...], MaxLen(100)]

STRICT = ConfigDict(extra="forbid")


class ValueShape(StrEnum):
    """How a campaign's value falls when it goes live late; see `features.curves`."""

    WINDOW = "window"
    DEADLINE = "deadline"
    HALF_LIFE = "half_life"


class Delivers(StrEnum):
    """Whether a campaign is worth something only when complete, or recipient by recipient."""

    AT_END = "at_end"
    AS_DONE = "as_done"


class OnFailure(StrEnum):
    """What a failed predecessor does to a campaign that waits for it."""

    HOLD = "hold"
    CANCEL = "cancel"


class ValueLabel(StrEnum):
    """What counts as a campaign's value: all that its targets earn, or what they earn beyond what they would anyway."""

    GROSS = "gross"
    INCREMENTAL = "incremental"


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """One marketing campaign as its owner declares it, before launch.

    `released_at`: work may start. `launch_by`: due, on time or late. `starts_at`: value starts to accrue
    (default `launch_by`, else `released_at`). `ends_at`: no value after. `work_units`: recipients,
    placements, pages. `targets`: planned exposures by segment, product or page. Money is in dollars.

    Raises
    ------
    ValueError
        When times have no offset or contradict each other, or `value_shape` lacks the field it needs.
    """

    campaign_id: PlainIdentifier
    account: Identifier
    kind: Identifier
    channel: Identifier
    released_at: AwareDatetime
    work_units: Positive
    launch_by: AwareDatetime | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    targets: dict[Identifier, NonNegative] = field(default_factory=dict)
    planned_revenue: NonNegative | None = None
    urgency: Share | None = None
    brand: Share | None = None
    tags: Tags = ()
    value_shape: ValueShape = ValueShape.WINDOW
    late_fraction: Share | None = None
    half_life_h: Positive | None = None
    delivers: Delivers = Delivers.AT_END
    exclusive: Tags = ()
    after: Tags = ()
    on_failure: OnFailure = OnFailure.HOLD
    holdout: Share | None = None

    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        for name in ("released_at", "launch_by", "starts_at", "ends_at"):
            time = getattr(self, name)
            if time is not None and time.utcoffset() is None:
                raise ValueError(f"{name} {time.isoformat()} has no offset: write it with one, such as +00:00")
        needed = {"window": "ends_at", "deadline": "launch_by", "half_life": "half_life_h"}[self.value_shape]
        if getattr(self, needed) is None:
            raise ValueError(
                f"{needed} is required when value_shape is '{self.value_shape}'"
                " (window needs ends_at, deadline needs launch_by, half_life needs half_life_h)"
            )
        if self.ends_at is not None and self.ends_at <= self.accrues_from:
            raise ValueError(
                f"ends_at {self.ends_at.isoformat()} must be later than starts_at {self.accrues_from.isoformat()}"
                " (starts_at defaults to launch_by, else released_at)"
            )
        if self.campaign_id in self.after:
            raise ValueError(f"after {self.campaign_id!r} names the campaign itself: a campaign cannot follow itself")

    @property
    def accrues_from(self) -> AwareDatetime:
        """When value starts to accrue: `starts_at`, else `launch_by`, else `released_at`."""
        return self.starts_at or self.launch_by or self.released_at

    def revised(self, **facts: Any) -> Campaign:
        """The same campaign with some facts changed, checked again."""
        return replace(self, **facts)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A piece of a campaign's work, run by one handler; split into chunks at the handler's checkpoints."""

    task_id: PlainIdentifier
    campaign_id: PlainIdentifier
    handler: Identifier
    units: Positive
    payload: dict[str, Any] = field(default_factory=dict)
    after: Tags = ()

    __pydantic_config__ = STRICT


class Metric(StrEnum):
    """What a KPI counts."""

    IMPRESSIONS = "impressions"
    DELIVERED = "delivered"
    OPENS = "opens"
    CLICKS = "clicks"
    CONVERSIONS = "conversions"
    REVENUE = "revenue"
    UNSUBSCRIBES = "unsubscribes"


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """An observed result of a campaign: what happened `at`, and when that was known."""

    campaign_id: Identifier
    at: AwareDatetime
    known_at: AwareDatetime
    metric: Metric
    value: FiniteFloat
    target_id: Identifier | None = None

    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if self.known_at < self.at:
            raise ValueError(
                f"known_at {self.known_at.isoformat()} must not be before at {self.at.isoformat()}:"
                " a result cannot be known before it happens"
            )


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A fact about the world around campaigns; `entity` is `kind:id`, such as `target:951590` or `market:us`."""

    entity: Identifier
    at: AwareDatetime
    known_at: AwareDatetime
    name: Identifier
    value: FiniteFloat
    source: Identifier = "manual"

    __pydantic_config__ = STRICT
