"""What the value model as a whole goes by: which features move its answers, and which way."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm
import numpy as np
import pandas as pd

from features.curves import Floats

GRID = 15
"""Points of a dependence curve: quantiles of the feature."""


def contributions(booster: lightgbm.Booster, features: pd.DataFrame) -> pd.Series:
    """Mean absolute contribution of each feature to the logarithm of dollars, over some campaigns; largest first.

    Unlike the gain of splits it is measured on campaigns that the model has not seen, in the unit of its answers.
    """
    names = booster.feature_name()
    parts = np.asarray(booster.predict(features[names].to_numpy(dtype=float), pred_contrib=True, num_threads=1))
    return pd.Series(np.abs(parts[:, :-1]).mean(axis=0), index=names).sort_values(ascending=False)


def partial_dependence(
    booster: lightgbm.Booster, features: pd.DataFrame, names: Sequence[str]
) -> dict[str, tuple[Floats, Floats]]:
    """Mean predicted dollars when all campaigns share one value of a feature and keep their others.

    Returns
    -------
    By feature its values (quantiles of those known, rising) and the mean dollars at each; one without any known
    value, or with a single one, is left out: nothing depends on it.
    """
    columns = booster.feature_name()
    rows = features[columns].to_numpy(dtype=float)
    curves = {}
    for name in names:
        own = rows[:, columns.index(name)]
        known = own[~np.isnan(own)]
        grid = np.unique(np.quantile(known, np.linspace(0.02, 0.98, GRID))) if len(known) else known
        if len(grid) > 1:
            curves[name] = (grid, np.array([_mean_at(booster, rows, columns.index(name), value) for value in grid]))
    return curves


def _mean_at(booster: lightgbm.Booster, rows: Floats, column: int, value: float) -> float:
    asked = rows.copy()
    asked[:, column] = value
    return float(np.mean(np.asarray(booster.predict(asked, num_threads=1))))
