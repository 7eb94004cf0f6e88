"""Rules the value model must beat: each reads the same features, and most can be explained in one sentence.

All predict dollars if live in time and follow scikit-learn: `fit` validates, learned state ends in `_`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from features.curves import Floats
from serving.errors import HistoryEmpty
from training.estimators import LEAST_SHARE


class Estimator(Protocol):
    """Whatever predicts dollars from features."""

    def fit(self, features: pd.DataFrame, value: npt.ArrayLike, share: npt.ArrayLike | None = None) -> Self:
        """Learn from observed dollars and the share of value each campaign could show."""
        ...

    def predict(self, features: pd.DataFrame) -> Floats:
        """Dollars if live in time, one entry a row."""
        ...


class _Rule(ABC):
    """A rule that reads one or two features, and gives campaigns it knows nothing about the mean of the past.

    Attributes
    ----------
    mean_ : dollars of a past campaign had it been in time.
    """

    mean_: float

    def fit(self, features: pd.DataFrame, value: npt.ArrayLike, share: npt.ArrayLike | None = None) -> Self:
        """Learn what the rule cannot know by itself; ratios of sums, so that large campaigns count as such."""
        observed, left = _checked(value, share)
        self.mean_ = float(observed.sum() / left.sum())
        self._learn(features, observed, left)
        return self

    def predict(self, features: pd.DataFrame) -> Floats:
        """Dollars if live in time, one entry a row."""
        dollars = self._dollars(features)
        return np.where(np.isnan(dollars), self.mean_, dollars)

    def _learn(self, features: pd.DataFrame, observed: Floats, left: Floats) -> None:
        """Learn more than the mean, which is all that most rules need."""
        del features, observed, left

    @abstractmethod
    def _dollars(self, features: pd.DataFrame) -> Floats:
        """Dollars by the rule; NaN where it knows nothing."""


class KindMean(_Rule):
    """The mean of past campaigns of the kind."""

    def _dollars(self, features: pd.DataFrame) -> Floats:
        return features["kind_mean_value"].to_numpy(dtype=float)


class PlannedResponse(_Rule):
    """What its targets answered per exposure so far, times the planned exposures."""

    def _dollars(self, features: pd.DataFrame) -> Floats:
        return features["planned_response"].to_numpy(dtype=float)


class TargetBaseline(_Rule):
    """What its targets earn without a campaign, times the lift of past campaigns.

    Attributes
    ----------
    lift_ : dollars earned per dollar of baseline, over all past campaigns.
    """

    lift_: float

    def _learn(self, features: pd.DataFrame, observed: Floats, left: Floats) -> None:
        baseline = features["target_baseline"].to_numpy(dtype=float)
        known = ~np.isnan(baseline)
        expected = float((baseline[known] * left[known]).sum())
        # Without a baseline anywhere there is no lift to learn, and every campaign gets the mean.
        self.lift_ = float(observed[known].sum()) / expected if expected > 0 else np.nan

    def _dollars(self, features: pd.DataFrame) -> Floats:
        return self.lift_ * features["target_baseline"].to_numpy(dtype=float)


class ExpertRule(TargetBaseline):
    """The mean of planned response and lifted target baseline: what a good analyst would do in a spreadsheet."""

    def _dollars(self, features: pd.DataFrame) -> Floats:
        response, baseline = features["planned_response"].to_numpy(dtype=float), super()._dollars(features)
        # One of them alone is better than none.
        first, second = (
            np.where(np.isnan(response), baseline, response),
            np.where(np.isnan(baseline), response, baseline),
        )
        return (first + second) / 2


class ShrunkResponse(_Rule):
    """Planned response for the share of exposures on targets with a past, for the rest what its kind earns by exposure.

    The strongest rule known that needs no fitting, see docs/decisions/0004-the-value-model.md.
    """

    def _dollars(self, features: pd.DataFrame) -> Floats:
        names = ("planned_response", "kind_response", "seen_share")
        response, kind, seen = (features[name].to_numpy(dtype=float) for name in names)
        shrunk = kind + np.nan_to_num(seen * (response - kind))
        # A kind without a past has nothing to say.
        return np.where(np.isnan(kind), response, shrunk)


class RidgeOnLog:
    """Ridge regression of log dollars on log features; a linear model of elasticities.

    Attributes
    ----------
    pipeline_ : the fitted scikit-learn pipeline.
    highest_ : dollars; a linear model in logs is not trusted beyond twice what was ever seen.
    """

    pipeline_: TransformedTargetRegressor
    highest_: float

    def __init__(self, penalty: float = 10.0) -> None:
        self.penalty = penalty

    def fit(self, features: pd.DataFrame, value: npt.ArrayLike, share: npt.ArrayLike | None = None) -> Self:
        """Fit on what campaigns would have earned in time; a row weighs as much as it could show."""
        observed, left = _checked(value, share)
        kept = left >= LEAST_SHARE
        dollars = observed[kept] / left[kept]
        linear = make_pipeline(
            SimpleImputer(strategy="constant", fill_value=0.0, keep_empty_features=True),
            FunctionTransformer(_log),
            StandardScaler(),
            Ridge(self.penalty),
        )
        self.pipeline_ = TransformedTargetRegressor(linear, func=np.log1p, inverse_func=np.expm1, check_inverse=False)
        self.pipeline_.fit(features.to_numpy(), dollars, ridge__sample_weight=left[kept])
        self.highest_ = 2 * float(dollars.max())
        return self

    def predict(self, features: pd.DataFrame) -> Floats:
        """Dollars if live in time, one entry a row."""
        dollars: Floats = np.clip(self.pipeline_.predict(features.to_numpy()), 0.0, self.highest_)
        return dollars


BASELINES: dict[str, Callable[[], Estimator]] = {
    "kind_mean": KindMean,
    "planned_response": PlannedResponse,
    "target_baseline": TargetBaseline,
    "expert": ExpertRule,
    "shrunk_response": ShrunkResponse,
    "ridge": RidgeOnLog,
}
"""Every baseline by the name it has in results."""


def _log(amounts: Floats) -> Floats:
    logs: Floats = np.log1p(np.maximum(amounts, 0.0))
    return logs


def _checked(value: npt.ArrayLike, share: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """Observed dollars, nothing at least, and shares."""
    observed = np.maximum(np.asarray(value, dtype=float), 0.0)
    left = np.ones(len(observed)) if share is None else np.asarray(share, dtype=float)
    if not left.any():
        raise HistoryEmpty("given to a baseline", "campaign that went live in time to earn")
    return observed, left
