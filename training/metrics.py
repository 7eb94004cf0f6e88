"""How well predicted dollars order and match what campaigns turned out to be worth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import mean_absolute_error, ndcg_score, r2_score

from features.curves import Floats


def spearman(truth: Floats, predicted: Floats) -> float:
    """Rank correlation, ties sharing their mean rank; 0 when either is constant, which orders nothing."""
    ranks = rankdata(truth), rankdata(predicted)
    if min(np.ptp(rank) for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def ndcg_at_10(truth: Floats, predicted: Floats, groups: npt.ArrayLike) -> float:
    """How much of the ten best's dollars, discounted by rank, the ten first of a group hold; mean over groups.

    Gains are linear in dollars, tied predictions share their gain, and losses count as nothing. Groups of a
    single campaign, or without a dollar, have no order to judge; NaN when no group has.
    """
    scores = []
    for rows in pd.Series(np.arange(len(truth))).groupby(np.asarray(groups)).indices.values():
        gains = np.maximum(truth[rows], 0.0)
        if len(rows) > 1 and gains.any():
            scores.append(float(ndcg_score([gains], [predicted[rows]], k=10)))
    return float(np.mean(scores)) if scores else float("nan")


def scores(truth: Floats, predicted: Floats, groups: npt.ArrayLike) -> dict[str, float]:
    """Every metric of one model: `spearman`, `ndcg_at_10` and `r2` (shares), `mae` (dollars)."""
    return {
        "spearman": spearman(truth, predicted),
        "ndcg_at_10": ndcg_at_10(truth, predicted, groups),
        "r2": float(r2_score(truth, predicted)),
        "mae": float(mean_absolute_error(truth, predicted)),
    }


def score_table(
    predictions: Mapping[str, Floats], truth: npt.ArrayLike, groups: npt.ArrayLike
) -> dict[str, dict[str, float]]:
    """Metrics by model, over all rows pooled; `groups` (such as weeks) are what campaigns compete within."""
    observed = np.asarray(truth, dtype=float)
    return {name: scores(observed, np.asarray(p, dtype=float), groups) for name, p in predictions.items()}


def calibration(truth: npt.ArrayLike, predicted: npt.ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Mean predicted and observed dollars by equal parts of the rows, in the order predicted.

    Returns
    -------
    One row a part, from the lowest predictions to the highest: `campaigns`, `predicted`, `observed`.
    """
    rows = pd.DataFrame({"predicted": np.asarray(predicted, float), "observed": np.asarray(truth, float)})
    part = (rows.predicted.rank(method="first") - 1) * bins // max(len(rows), 1)
    table = rows.groupby(part.astype(int)).agg(
        campaigns=("observed", "size"), predicted=("predicted", "mean"), observed=("observed", "mean")
    )
    return table.rename_axis("part").reset_index(drop=True)
