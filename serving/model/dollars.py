"""The matrix in dollars: what answers when a bundle's trees or snapshot are lost, but not what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Self

from features.matrix import Matrix
from features.records import Campaign
from serving.model.matrix import all_explained_by_matrix
from serving.model.meta import Meta
from serving.model.pricing import Pricing
from serving.model.storage import read_meta
from serving.prediction import NOBODY_BEGAN, UNTOUCHED, Card, Explanation, Headway, ModelIdentity, Prediction


@dataclass(frozen=True)
class MatrixInDollars:
    """Matrix points as dollars, by a bundle's own map, so that they still get a curve, an index and a score.

    `reason` is why no bundle answers.
    """

    meta: Meta
    matrix: Matrix
    reason: str

    @classmethod
    def of(cls, directory: Path, matrix: Matrix, reason: str) -> Self:
        """By the map of a bundle of which nothing else is needed.

        Raises
        ------
        BundleCorrupt
            When even that cannot be read.
        """
        return cls(read_meta(directory)[0], matrix, reason)

    @property
    def identity(self) -> ModelIdentity:
        """The bundle whose map it is."""
        return ModelIdentity(name=self.meta.name, version=self.meta.version, source="matrix_in_dollars")

    @cached_property
    def _pricing(self) -> Pricing:
        return Pricing.of(self.meta)

    def predict(
        self, campaigns: Sequence[Campaign], at: datetime, progress: Mapping[str, Headway] = NOBODY_BEGAN
    ) -> list[Prediction]:
        """One labelled answer a campaign, in the order asked."""
        if not campaigns:
            return []
        prior, units = self.meta.seconds_per_unit_prior, [c.work_units for c in campaigns]
        whole_h = prior.left_h(units, 0.0).tolist()
        left_h = prior.left_h(units, [progress.get(c.campaign_id, UNTOUCHED).done for c in campaigns]).tolist()
        values = self.meta.matrix_dollars.of(self.matrix.points(campaigns))
        why = [f"{self.reason}; valued by the matrix"] * len(campaigns)
        return self._pricing.answers(campaigns, values, at, why, whole_h, left_h)

    def explain(
        self, campaigns: Sequence[Campaign], at: datetime, progress: Mapping[str, Headway] = NOBODY_BEGAN
    ) -> list[Explanation]:
        """The answers with each criterion's share of the points."""
        return all_explained_by_matrix(self.matrix, campaigns, self.predict(campaigns, at, progress))

    def card(self) -> Card:
        """Identity, why the matrix answers, and the scale it answers on."""
        meta = self.meta
        return Card(
            **asdict(self.identity),
            reason=self.reason,
            contract=meta.contract,
            horizon_h=meta.horizon_h,
            index_quantiles=meta.index_quantiles,
            rhythm=meta.rhythm,
        )
