"""How far values come out from what is predicted, from models that never saw them."""

from __future__ import annotations

import numpy as np

from features.curves import Floats
from serving.errors import HistoryEmpty
from serving.model import ValueIntervals
from training.estimators import Recipe, ValueModel
from training.split import Examples

LATEST = 0.4
"""Share of the examples, by time, that are predicted by models of what was known before them."""

BLOCKS = 4
"""Each of so many parts of them by a model of its own, about as fresh as the one that serves."""

LEAST = 200
"""With fewer examples, a part of them says nothing of the tails."""

MOST_TAUGHT, MOST_ASKED = 20_000, 20_000
"""Models of more rows, and tails of more campaigns, would be no surer; the latest are taken."""

WHOLLY_SHOWN = 0.9
"""Rows that showed less of their value would pass their own noise, scaled up, for that of values."""


def value_intervals(examples: Examples, recipe: Recipe | None = None) -> ValueIntervals | None:
    """The intervals of a model with this recipe; None while there is too little to tell."""
    predicted, actual = foreseen(examples, recipe)
    return ValueIntervals.of(predicted, actual) if len(predicted) >= LEAST else None


def foreseen(examples: Examples, recipe: Recipe | None = None) -> tuple[Floats, Floats]:
    """Dollars predicted and actual of the latest examples, by models that learned before each."""
    order = np.argsort(examples.moments.to_numpy(), kind="stable")
    latest = order[-min(int(LATEST * len(order)), MOST_ASKED) :] if len(order) else order
    predicted, actual = [np.zeros(0)], [np.zeros(0)]
    for rows in np.array_split(latest, BLOCKS):
        asked = examples.where(rows[examples.share[rows] >= WHOLLY_SHOWN])
        if not len(asked):
            continue
        known = examples.matured_by(asked.moments.min().to_pydatetime())
        taught = known.where(np.argsort(known.moments.to_numpy(), kind="stable")[-MOST_TAUGHT:])
        try:
            model = ValueModel(recipe).fit(taught.features, taught.value, taught.share)
        except HistoryEmpty:
            continue
        predicted.append(model.predict(asked.features))
        actual.append(np.maximum(asked.value, 0.0) / asked.share)
    return np.concatenate(predicted), np.concatenate(actual)
