"""Reasons in plain words, for whoever has to agree with an order of work."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from features.definitions import FEATURES
from serving.model.explanation import EXPECTED_VALUE
from serving.prediction import Reason

_FELT = 0.02
"""Contributions below this move the value by less than 2 %: nobody wants to read of them."""


def meanings() -> dict[str, str]:
    """What each feature means, by name; `the same, ...` is spelled out, since reasons are read out of order."""
    told: dict[str, str] = {}
    whole = ""
    for feature in FEATURES:
        continued = feature.meaning.removeprefix("the same").lstrip(", ")
        if continued == feature.meaning:
            whole = feature.meaning
        told[feature.name] = whole if continued == feature.meaning else f"{whole} ({continued})"
    return told


def in_words(reasons: Sequence[Reason], most: int = 6) -> tuple[str, ...]:
    """Reasons of the trees, whose contributions are logarithms of dollars, as factors of the value; largest first.

    >>> in_words([Reason(feature="targets", value=3.0, contribution=0.84)])
    ('how many targets it addresses (3): raises the value 2.3x',)
    """
    known = meanings()
    felt = [reason for reason in reasons if abs(reason.contribution) >= _FELT]
    return tuple(_factor(reason, known) for reason in felt[:most])


def anyway(baseline: float) -> str:
    """What was taken off the gross value that the factors explain.

    >>> anyway(120.0)
    'its targets would earn $120 without it, which is taken off'
    """
    return f"its targets would earn ${baseline:,.0f} without it, which is taken off"


def in_points(reasons: Sequence[Reason]) -> tuple[str, ...]:
    """Reasons of the matrix, as points of its hundred.

    >>> in_points([Reason(feature="urgency", value=60.0, contribution=24.0)])
    ('urgency: 24 of 100 points',)
    """
    return tuple(f"{reason.feature}: {reason.contribution:.0f} of 100 points" for reason in reasons)


def _factor(reason: Reason, known: dict[str, str]) -> str:
    factor = exp(reason.contribution)
    if reason.feature == EXPECTED_VALUE:
        return f"a typical campaign to start from: ${factor:,.0f}"
    moved = f"raises the value {factor:.2g}x" if factor >= 1 else f"lowers the value to {100 * factor:.0f} %"
    value = "unknown" if reason.value is None else _plainly(reason.value)
    return f"{known.get(reason.feature, reason.feature.replace('_', ' '))} ({value}): {moved}"


def _plainly(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2g}"
