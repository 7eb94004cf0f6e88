"""The bundle: trees, what was known at their training moment, and what they say about themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Self

import lightgbm
import numpy as np
import numpy.typing as npt

from features.contract import FEATURE_NAMES
from features.curves import Floats
from features.matrix import Matrix
from features.records import Campaign, ValueLabel
from features.rhythm import Rhythm
from features.snapshot import Snapshot
from serving.model import storage
from serving.model.explanation import explained, reasons_of
from serving.model.fallback import Unanswerable, fallback_reasons
from serving.model.increment import above_baseline
from serving.model.matrix import explained_by_matrix, matrix_reasons
from serving.model.meta import Meta
from serving.model.pricing import Pricing
from serving.model.processing import ProcessingTimes
from serving.model.trees import THREADS, Trees
from serving.model.words import anyway, in_words
from serving.prediction import (
    NOBODY_BEGAN,
    UNTOUCHED,
    Card,
    Explanation,
    Headway,
    ModelIdentity,
    Prediction,
    Source,
)

_BASELINE = FEATURE_NAMES.index("target_baseline")


@dataclass(frozen=True)
class Bundle:
    """A model that scores raw campaigns anywhere.

    `matrix` answers for campaigns the trees cannot, in dollars through the bundle's own map;
    `snapshot_max_age_h` is how old the snapshot may be (hours) before it answers for all, None without limit.
    `processing` is None until enough runs were logged; the prior answers till then. `stands_in` says why it answers in
    the champion's place; None for the champion.
    """

    booster: lightgbm.Booster
    snapshot: Snapshot
    meta: Meta
    matrix: Matrix = field(default_factory=Matrix.default)
    snapshot_max_age_h: float | None = None
    processing: ProcessingTimes | None = None
    stands_in: str | None = None

    @classmethod
    def load(cls, directory: Path) -> Self:
        """A bundle from its directory.

        Raises
        ------
        BundleCorrupt
            When a file is missing, unreadable or not the one that was saved; it names the file.
        ContractMismatch
            When the model was trained on other feature definitions than this build computes.
        """
        booster, snapshot, meta, processing = storage.read(Path(directory))
        return cls(booster, snapshot, meta, processing=processing)

    def save(self, directory: Path) -> None:
        """Write `model.txt`, `snapshot.parquet`, `processing.json` if any, and `bundle.json` into a directory."""
        storage.write(Path(directory), self.booster, self.snapshot, self.meta, self.processing)

    def versioned(self, version: str) -> Self:
        """The same bundle, knowing its version in the registry."""
        return replace(self, meta=replace(self.meta, version=version))

    @cached_property
    def identity(self) -> ModelIdentity:
        """The bundle's name and version."""
        source: Source = "champion" if self.stands_in is None else "last_good"
        return ModelIdentity(name=self.meta.name, version=self.meta.version, source=source)

    @property
    def rhythm(self) -> Rhythm | None:
        """The market's rhythm as it was learned; None for an even one."""
        return self._pricing.rhythm

    @cached_property
    def _trees(self) -> Trees:
        return Trees(self.booster)

    @cached_property
    def _pricing(self) -> Pricing:
        return Pricing.of(self.meta)

    @cached_property
    def _incremental(self) -> bool:
        return self.meta.label is ValueLabel.INCREMENTAL

    def values_of(self, rows: Floats) -> Floats:
        """What the model says, in dollars, 0 at least: one entry a row of features in contract order.

        The trees predict gross revenue; for incremental value the expected baseline is taken off.
        """
        values: Floats = np.maximum(self._trees.predict(rows), 0.0)
        return above_baseline(values, rows[:, _BASELINE]) if self._incremental else values

    def card(self) -> Card:
        """Identity, contract, training window, scale, metrics and the snapshot's moment."""
        meta = self.meta
        return Card(
            **asdict(self.identity),
            reason=self.stands_in,
            contract=meta.contract,
            trained_at=meta.trained_at,
            training_window=meta.training_window,
            snapshot_at=self.snapshot.moment,
            objective=meta.objective,
            label=meta.label.value,
            horizon_h=meta.horizon_h,
            index_quantiles=meta.index_quantiles,
            rhythm=meta.rhythm,
            matrix_dollars=tuple(zip(meta.matrix_dollars.points, meta.matrix_dollars.dollars, strict=True)),
            features=meta.features,
            metrics=meta.metrics,
        )

    def predict(
        self, campaigns: Sequence[Campaign], at: datetime, progress: Mapping[str, Headway] = NOBODY_BEGAN
    ) -> list[Prediction]:
        """One prediction a campaign as of `at`, in the order asked."""
        if not campaigns:
            return []
        rows = self.snapshot.features(campaigns, at)
        why_not = self._why_not(rows, at)
        values = self._values(campaigns, rows, why_not)
        return self._answers(campaigns, values, at, why_not, progress)

    def intervals(self, campaigns: Sequence[Campaign], at: datetime, level: float = 0.8) -> Floats:
        """Dollars between which each campaign's value lies with probability `level`, shape (campaigns, 2).

        NaN where the matrix answers, and where the bundle learned no intervals: nothing is promised there.

        Raises
        ------
        ValueError
            When the bundle has intervals, but none of that level.
        """
        bounds = np.full((len(campaigns), 2), np.nan)
        if self.meta.intervals is None or not campaigns:
            return bounds
        rows = self.snapshot.features(campaigns, at)
        answered = np.array([reason is None for reason in self._why_not(rows, at)])
        bounds[answered] = np.column_stack(self.meta.intervals.between(self.values_of(rows[answered]), level))
        return bounds

    def work_left_h(
        self, campaigns: Sequence[Campaign], done: npt.ArrayLike = 0.0, spent_h: npt.ArrayLike = 0.0
    ) -> Floats:
        """Slot-hours that campaigns still need, p50 and p90, shape (campaigns, 2): from learned times, or the prior.

        Parameters
        ----------
        done : share of each campaign's work that is done, 0-1; all by default is still to do.
        spent_h : slot-hours that took; the prior does not look at it.
        """
        if self.processing is not None:
            return self.processing.left_h(campaigns, (0.5, 0.9), done, spent_h)
        return self.meta.seconds_per_unit_prior.left_h([c.work_units for c in campaigns], done)

    def explain(
        self, campaigns: Sequence[Campaign], at: datetime, progress: Mapping[str, Headway] = NOBODY_BEGAN
    ) -> list[Explanation]:
        """Predictions with reasons: per feature for the trees, per criterion where the matrix answered."""
        if not campaigns:
            return []
        rows = self.snapshot.features(campaigns, at)
        contributions = np.asarray(self.booster.predict(rows, pred_contrib=True, num_threads=THREADS), dtype=float)
        why_not = self._why_not(rows, at)
        answers = self._answers(campaigns, self._values(campaigns, rows, why_not), at, why_not, progress)
        return [
            explained_by_matrix(self.matrix, answer, campaign, row)
            if reason
            else explained(
                answer,
                reasons := reasons_of(FEATURE_NAMES, row, parts),
                (*self._taken_off(row), *in_words(reasons)),
                matrix_reasons(self.matrix, campaign, row),
            )
            for answer, reason, campaign, row, parts in zip(
                answers, why_not, campaigns, rows, contributions, strict=True
            )
        ]

    def _taken_off(self, row: Floats) -> tuple[str, ...]:
        """In words what lies between the gross value of the trees and what is answered; nothing for gross values."""
        return (anyway(float(np.nan_to_num(row[_BASELINE]))),) if self._incremental else ()

    def _why_not(self, rows: Floats, at: datetime) -> list[Unanswerable]:
        age_h, by_targets = self.snapshot.age_h(at), self.meta.by_targets
        return fallback_reasons(rows, age_h, self.snapshot_max_age_h, by_targets=by_targets)

    def _values(self, campaigns: Sequence[Campaign], rows: Floats, why_not: Sequence[Unanswerable]) -> Floats:
        """Dollars: from the trees, and from the matrix where they cannot answer."""
        values = self.values_of(rows)
        left = [i for i, reason in enumerate(why_not) if reason is not None]
        if left:
            points = self.matrix.points([campaigns[i] for i in left], rows[left])
            values[left] = self.meta.matrix_dollars.of(points)
        return values

    def _answers(
        self,
        campaigns: Sequence[Campaign],
        values: Floats,
        at: datetime,
        why_not: Sequence[Unanswerable],
        progress: Mapping[str, Headway],
    ) -> list[Prediction]:
        whole_h = left_h = self._left_h(campaigns, [UNTOUCHED] * len(campaigns))
        if progress:
            left_h = self._left_h(campaigns, [progress.get(c.campaign_id, UNTOUCHED) for c in campaigns])
        fallbacks = why_not if self.stands_in is None else [reason or self.stands_in for reason in why_not]
        return self._pricing.answers(campaigns, values, at, fallbacks, whole_h, left_h)

    def _left_h(self, campaigns: Sequence[Campaign], come: Sequence[Headway]) -> Sequence[Sequence[float]]:
        """`work_left_h` in plain numbers."""
        if self.processing is None and len(campaigns) == 1:
            return [self.meta.seconds_per_unit_prior.left_of_one_h(campaigns[0].work_units, come[0].done)]
        left: list[list[float]] = self.work_left_h(
            campaigns, [h.done for h in come], [h.spent_h for h in come]
        ).tolist()
        return left
