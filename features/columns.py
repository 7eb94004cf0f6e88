"""Formulas written once, for one campaign and for many.

Of many campaigns a number is a column, an array with one entry a campaign. Of a single one it is a plain number, with
which Python is ten times as fast as NumPy with an array of one. These few functions take either, and answer alike.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Column = Floats | float
"""One entry a campaign, or the number of one."""

Truths = npt.NDArray[np.bool_] | bool
"""The same of what is so or not."""


def where_any(count: Column, column: Column) -> Column:
    """A column where there is anything to speak of; NaN elsewhere."""
    if isinstance(count, float):
        return column if count > 0 else math.nan
    return np.where(count > 0, column, np.nan)


def positive(column: Column) -> Column:
    """A column where it is more than 0; NaN elsewhere."""
    return where_any(column, column)


def ratio(numerator: Column, denominator: Column) -> Column:
    """Numerator over denominator; NaN where there is nothing to divide by."""
    if isinstance(denominator, float):
        return numerator / denominator if denominator > 0 else numerator * math.nan
    return numerator / positive(denominator)


def over(numerator: Column, denominator: Column) -> Column:
    """Numerator over denominator; over 0 it is infinite, or NaN, as it is in arrays."""
    if isinstance(denominator, float) and denominator == 0:
        return numerator * math.inf
    return numerator / denominator


def where(so: Truths, column: Column, otherwise: Column) -> Column:
    """One column where something is so, the other elsewhere."""
    if isinstance(so, bool):
        return column if so else otherwise
    return np.where(so, column, otherwise)


def larger(one: Column, other: Column) -> Column:
    """The larger of two, entry by entry; NaN where either is."""
    if isinstance(one, float) and isinstance(other, float):
        return one if one >= other or one != one else other  # noqa: PLR0124 - NaN is what differs from itself
    return np.maximum(one, other)


def smaller(one: Column, other: Column) -> Column:
    """The smaller of two, entry by entry; NaN where either is."""
    if isinstance(one, float) and isinstance(other, float):
        return one if one <= other or one != one else other  # noqa: PLR0124
    return np.minimum(one, other)


def exp(column: Column) -> Column:
    """E to the power of each entry, which is 0 at most in any formula here: more may be too large for a number."""
    return math.exp(column) if isinstance(column, float) else np.exp(column)


def expm1(column: Column) -> Column:
    """The same less 1, exact near 0."""
    return math.expm1(column) if isinstance(column, float) else np.expm1(column)
