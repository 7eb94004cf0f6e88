"""The value model: dollars a campaign is worth if it goes live in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.curves import Floats
from features.records import ValueLabel
from serving.errors import HistoryEmpty

LEAST_SHARE = 0.1
"""Rows with less of their value left at launch are left out: they say more about our delay than about the campaign."""

_POWERS = {"poisson": (1.0, 1.0), "tweedie": (1.0, 2.0)}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the value model is fitted.

    The defaults were chosen on weeks 24-43 of The Complete Journey, where no other that was tried schedules
    measurably better; see docs/decisions/0004-the-value-model.md.

    Attributes
    ----------
    objective : `tweedie` or `poisson`; both have a log link and take zeros as they are.
    variance_power : the variance grows as mean ** variance_power; above 1 and below 2, for `tweedie`.
    leaves, rounds : size and number of trees; learning_rate : weight of each.
    rows, features : share of each that a tree sees.
    least_in_leaf : rows; l2 : penalty on leaf values.
    label : what the value of a campaign is taken to be, `gross` or `incremental`. Trees learn gross revenue either way;
        see `training.incremental`.
    threads : one by default: a few thousand rows gain nothing from more, and lose much where cores are shared.
    """

    objective: str = "tweedie"
    variance_power: float = 1.5
    leaves: int = 15
    rounds: int = 300
    learning_rate: float = 0.04
    rows: float = 0.8
    features: float = 0.6
    least_in_leaf: int = 30
    l2: float = 5.0
    label: str = ValueLabel.GROSS.value
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if self.label not in set(ValueLabel):
            raise ValueError(f"label is {self.label!r}: must be one of {', '.join(ValueLabel)}")
        if self.objective not in _POWERS:
            raise ValueError(f"objective is {self.objective!r}: must be one of {', '.join(_POWERS)}")
        if self.objective == "tweedie" and not 1 < self.variance_power < 2:
            raise ValueError(f"variance_power is {self.variance_power:g}: must be above 1 and below 2")

    @property
    def power(self) -> float:
        """The variance power of the objective: 1 is Poisson."""
        return self.variance_power if self.objective == "tweedie" else 1.0

    def parameters(self) -> dict[str, Any]:
        """LightGBM's parameters, by its own names."""
        power = {"tweedie_variance_power": self.variance_power} if self.objective == "tweedie" else {}
        return {
            "objective": self.objective,
            **power,
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "bagging_fraction": self.rows,
            "bagging_freq": 1,
            "feature_fraction": self.features,
            "min_data_in_leaf": self.least_in_leaf,
            "lambda_l2": self.l2,
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }


class ValueModel:
    """Boosted trees on features, fitted to observed revenue with the share of value that could be observed.

    With a log link, observed revenue has mean share x exp(f): an offset of log(share). A Tweedie deviance of
    power p obeys d(y, s m) = s^(2-p) d(y/s, m), so fitting y/s with weight s^(2-p) is the same fit. It is done
    so here because LightGBM leaves its starting score out of the saved model when it is given an offset:
    this way the saved trees alone predict the total value in time.

    Attributes
    ----------
    booster_ : the fitted trees.
    rows_ : how many campaigns they were fitted on.
    """

    booster_: lightgbm.Booster
    rows_: int

    def __init__(self, recipe: Recipe | None = None) -> None:
        self.recipe = recipe or Recipe()

    def fit(self, features: pd.DataFrame, value: npt.ArrayLike, share: npt.ArrayLike | None = None) -> Self:
        """Fit on past campaigns.

        Parameters
        ----------
        features : one row a campaign; NaN is taken as "not known".
        value : dollars observed; less than nothing (refunds) counts as nothing.
        share : of the value curve left at launch, 0-1; all 1 by default. Rows below `LEAST_SHARE` are left out.

        Raises
        ------
        HistoryEmpty
            When no row is left to learn from.
        """
        observed = np.maximum(np.asarray(value, dtype=float), 0.0)
        left = np.ones(len(observed)) if share is None else np.asarray(share, dtype=float)
        kept = left >= LEAST_SHARE
        if not kept.any() or not observed[kept].any():
            raise HistoryEmpty("given to the value model", "campaign with revenue that went live in time to earn it")
        data = lightgbm.Dataset(
            features[kept],
            label=observed[kept] / left[kept],
            weight=left[kept] ** (2 - self.recipe.power),
            free_raw_data=True,
        )
        self.booster_ = lightgbm.train(self.recipe.parameters(), data, num_boost_round=self.recipe.rounds)
        self.rows_ = int(kept.sum())
        return self

    def predict(self, features: pd.DataFrame) -> Floats:
        """Dollars if live in time, one entry a row; columns may come in any order."""
        rows = features[self.booster_.feature_name()].to_numpy(dtype=float)
        return np.asarray(self.booster_.predict(rows, num_threads=self.recipe.threads), dtype=float)
