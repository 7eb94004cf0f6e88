"""The hand-weighted matrix as a model: what answers when there is no bundle to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from features.curves import Floats
from features.matrix import Matrix
from features.records import Campaign
from serving.model.explanation import explained
from serving.model.meta import ProcessingPrior
from serving.model.words import in_points
from serving.prediction import (
    NOBODY_BEGAN,
    UNTOUCHED,
    Card,
    CurveParameters,
    Explanation,
    Headway,
    ModelIdentity,
    Prediction,
    ProcessingTime,
    Reason,
)

PRIOR_WITHOUT_MODEL = ProcessingPrior(setup_units=500, slot_hours_per_unit=1 / 360_000, sigma=0.25)
"""A hundred work units a second: a plain guess until a bundle brings a measured one."""


@dataclass(frozen=True)
class MatrixModel:
    """Orders campaigns by matrix points alone, and says why it had to.

    Points stand in for value, index and score alike, so that any consumer that sorts by one of them
    gets the matrix's order; they are not dollars, which is why `loss_per_hour` is None.
    """

    reason: str
    matrix: Matrix

    @property
    def identity(self) -> ModelIdentity:
        """The matrix, without a version."""
        return ModelIdentity(name="matrix", version=None, source="matrix")

    def predict(
        self,
        campaigns: Sequence[Campaign],
        at: datetime,  # noqa: ARG002 - the promise of `Model`
        progress: Mapping[str, Headway] = NOBODY_BEGAN,
    ) -> list[Prediction]:
        """One labelled answer a campaign, in the order asked."""
        points = self.matrix.points(campaigns, None)
        units = [c.work_units for c in campaigns]
        done = [progress.get(c.campaign_id, UNTOUCHED).done for c in campaigns]
        whole_h, left_h = (PRIOR_WITHOUT_MODEL.left_h(units, share).tolist() for share in (0.0, done))
        return [
            Prediction(
                campaign_id=campaign.campaign_id,
                score=float(point),
                index=float(point),
                value=float(point),
                curve=CurveParameters.of(campaign),
                loss_per_hour=None,
                processing_s=ProcessingTime.of_hours(*whole),
                left_s=ProcessingTime.of_hours(*left),
                fallback=f"{self.reason}; ordered by matrix points, not dollars",
            )
            for campaign, point, whole, left in zip(campaigns, points, whole_h, left_h, strict=True)
        ]

    def explain(
        self, campaigns: Sequence[Campaign], at: datetime, progress: Mapping[str, Headway] = NOBODY_BEGAN
    ) -> list[Explanation]:
        """The answers with each criterion's share of the points."""
        return all_explained_by_matrix(self.matrix, campaigns, self.predict(campaigns, at, progress))

    def card(self) -> Card:
        """Identity and why the matrix answers."""
        return Card(**asdict(self.identity), reason=self.reason)


def all_explained_by_matrix(
    matrix: Matrix, campaigns: Sequence[Campaign], answers: Sequence[Prediction]
) -> list[Explanation]:
    """Answers of the matrix alone, without features, each with its points as reasons."""
    return [
        explained_by_matrix(matrix, answer, campaign, None) for campaign, answer in zip(campaigns, answers, strict=True)
    ]


def explained_by_matrix(matrix: Matrix, answer: Prediction, campaign: Campaign, features: Floats | None) -> Explanation:
    """An answer of the matrix with its points as reasons."""
    points = matrix_reasons(matrix, campaign, features)
    return explained(answer, points, in_points(points), points)


def matrix_reasons(matrix: Matrix, campaign: Campaign, features: Floats | None) -> tuple[Reason, ...]:
    """What each criterion adds to a campaign's matrix points, largest first; they sum to the points."""
    reasons = [
        Reason(feature=criterion.name, value=criterion.points, contribution=criterion.weight * criterion.points)
        for criterion in matrix.breakdown(campaign, features)
    ]
    return tuple(sorted(reasons, key=lambda reason: -abs(reason.contribution)))
