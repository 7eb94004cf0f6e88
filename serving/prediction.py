"""What a model answers about a campaign: its value, how it falls, and how urgent that makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, Protocol, Self

from pydantic import AwareDatetime

from features.curves import LATE_FRACTION
from features.records import STRICT, Campaign, NonNegative, Share, ValueShape

Source = Literal["champion", "last_good", "remembered", "matrix_in_dollars", "matrix"]
"""What answers: the registry's champion; the bundle that last served well, in its place; what either last said,
while the API is away; the hand-weighted matrix in dollars, by a bundle's own map; or the matrix alone, whose points
order and are no dollars."""


@dataclass(frozen=True, kw_only=True)
class ModelIdentity:
    """Which model answered, or stood in for it."""

    name: str
    version: str | None
    source: Source


@dataclass(frozen=True, kw_only=True)
class CurveParameters:
    """The shape of a campaign's value over its launch time, and the parameters that shape uses."""

    shape: ValueShape
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None = None
    launch_by: AwareDatetime | None = None
    late_fraction: float | None = None
    half_life_h: float | None = None

    @classmethod
    def of(cls, campaign: Campaign) -> Self:
        """The curve a campaign declares; parameters of other shapes are left out."""
        deadline = campaign.value_shape is ValueShape.DEADLINE
        late = LATE_FRACTION if campaign.late_fraction is None else campaign.late_fraction
        return cls(
            shape=campaign.value_shape,
            starts_at=campaign.accrues_from,
            ends_at=campaign.ends_at,
            launch_by=campaign.launch_by if deadline else None,
            late_fraction=late if deadline else None,
            half_life_h=campaign.half_life_h if campaign.value_shape is ValueShape.HALF_LIFE else None,
        )


@dataclass(frozen=True, kw_only=True)
class Headway:
    """How far a campaign's work has come.

    Attributes
    ----------
    done : share of its work that is done.
    spent_h : slot-hours that took; 0 where that is not known, and then its pace is not judged.
    """

    done: Share
    spent_h: NonNegative = 0.0

    __pydantic_config__ = STRICT


UNTOUCHED = Headway(done=0.0)
NOBODY_BEGAN: Mapping[str, Headway] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class ProcessingTime:
    """Predicted processing, in slot-seconds."""

    p50: float
    p90: float

    @classmethod
    def of_hours(cls, p50_h: float, p90_h: float) -> Self:
        """The same from slot-hours."""
        return cls(p50=p50_h * 3600, p90=p90_h * 3600)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One campaign's answer.

    Attributes
    ----------
    score : 0-100, share of past contenders that pressed less.
    index : $ lost per slot-hour of capacity if deferred.
    value : $ if live by `curve.starts_at`.
    loss_per_hour : $ lost per hour of waiting; None where no value in dollars is known.
    processing_s : of the whole campaign; index and score are those of all work still to do.
    left_s : still needed after the progress that was told; all of it where none was.
    fallback : None, or why the matrix, or another bundle, answered instead of the champion.
    """

    campaign_id: str
    score: float
    index: float
    value: float
    curve: CurveParameters
    loss_per_hour: float | None
    processing_s: ProcessingTime
    left_s: ProcessingTime
    fallback: str | None


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What one feature adds to the model's raw output; `value` is None where it is unknown."""

    feature: str
    value: float | None
    contribution: float


@dataclass(frozen=True, kw_only=True)
class Explanation(Prediction):
    """A prediction with its reasons.

    Attributes
    ----------
    reasons : largest first; they sum to the model's raw output.
    plain : the largest of them in words.
    matrix : what the hand-weighted matrix would say: each criterion's points of the hundred, for comparison.
    """

    reasons: tuple[Reason, ...]
    plain: tuple[str, ...] = ()
    matrix: tuple[Reason, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Card(ModelIdentity):
    """What `GET /model` shows; of the matrix, only why it answers.

    Attributes
    ----------
    contract : fingerprint of the feature definitions.
    training_window : first and last moment the training data cover.
    snapshot_at : moment of the facts behind every answer.
    refused : why the registry's champion does not serve here, where another model does in its place.
    registry : why the registry cannot be asked at present.
    label : whether values are gross revenue or incremental, above what targets earn without the campaign.
    horizon_h, index_quantiles : the scale that turns values into indices and scores; see `serving.priority`.
    matrix_dollars : matrix points and the dollars they stand for, rising; what a fallback is valued by.
    rhythm : in which the value of windows accrues, see `features.rhythm.Rhythm`; empty for evenly.
    """

    reason: str | None = None
    refused: str | None = None
    registry: str | None = None
    contract: str | None = None
    trained_at: AwareDatetime | None = None
    training_window: tuple[AwareDatetime, AwareDatetime] | None = None
    snapshot_at: AwareDatetime | None = None
    objective: str | None = None
    label: str | None = None
    horizon_h: float | None = None
    index_quantiles: tuple[float, ...] = ()
    rhythm: tuple[float, ...] = ()
    matrix_dollars: tuple[tuple[float, float], ...] = ()
    features: tuple[str, ...] = ()
    metrics: dict[str, float | dict[str, float]] = field(default_factory=dict)


class Model(Protocol):
    """Answers for campaigns at a moment, in the order asked; without state or side effects.

    `progress` tells by id how far work on them has come; what it does not name has not begun.
    """

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        ...

    def predict(
        self, campaigns: Sequence[Campaign], at: datetime, progress: Mapping[str, Headway] = NOBODY_BEGAN
    ) -> list[Prediction]:
        """One prediction a campaign."""
        ...

    def explain(
        self, campaigns: Sequence[Campaign], at: datetime, progress: Mapping[str, Headway] = NOBODY_BEGAN
    ) -> list[Explanation]:
        """One explained prediction a campaign."""
        ...

    def card(self) -> Card:
        """What `GET /model` shows."""
        ...
