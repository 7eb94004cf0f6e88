"""The Campaign Prioritization Matrix: points by hand-set weights, for where nothing has been learned.

It is the baseline every model must beat, the cold start, and the fallback when no model answers.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Self

import numpy as np

from features.contract import FEATURE_NAMES
from features.curves import Floats
from features.plans import declared
from features.records import Campaign

CRITERIA = ("urgency", "revenue", "audience", "market", "brand")
_KIND_MEAN = FEATURE_NAMES.index("kind_mean_value")
_SCALES: dict[str, Callable[[Floats], Floats]] = {
    "linear": lambda x: x,
    "log": lambda x: np.log(np.maximum(x, 1e-9)),
}


class MatrixInvalid(ValueError):
    """A matrix file that does not say what a matrix must; the message names the entry and what is allowed."""


@dataclass(frozen=True)
class Criterion:
    """One criterion's part in a campaign's points: `weight` sums to 1 over criteria, `points` is 0-100."""

    name: str
    weight: float
    points: float


@dataclass(frozen=True)
class _Ruler:
    """From a criterion's value to points: straight lines between pairs, on a linear or log scale."""

    scale: str
    at: Floats
    points: Floats
    unknown: float

    def of(self, values: Floats) -> Floats:
        scaled = _SCALES[self.scale]
        points = np.interp(scaled(values), scaled(self.at), self.points)
        return np.where(np.isnan(values), self.unknown, points)


@dataclass(frozen=True)
class Matrix:
    """Weights per campaign kind and a ruler per criterion; 0-100 points a campaign."""

    weights: Mapping[str, Floats]
    rulers: Mapping[str, _Ruler]

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a matrix.

        Raises
        ------
        MatrixInvalid
            Naming the entry, its value and what is allowed.
        """
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise MatrixInvalid(f"the matrix is not TOML: {error}") from error
        weights = {kind: _weights(kind, row) for kind, row in document.get("weights", {}).items()}
        if "default" not in weights:
            raise MatrixInvalid("[weights.default] is missing: it serves every kind without weights of its own")
        criteria = document.get("criteria", {})
        return cls(weights, {name: _ruler(name, criteria.get(name)) for name in CRITERIA})

    @classmethod
    def default(cls) -> Self:
        """The matrix that ships with the package."""
        return cls.from_toml(resources.files("features").joinpath("matrix.toml").read_text())

    def points(self, campaigns: Sequence[Campaign], features: Floats | None = None) -> Floats:
        """Points of campaigns, 0-100, larger first.

        Parameters
        ----------
        features : their rows in contract order, shape (campaigns, features); None when there is no snapshot.
        """
        weights = np.array([self._weights_of(c.kind) for c in campaigns]).reshape(-1, len(CRITERIA))
        return np.asarray((weights * self._per_criterion(campaigns, features)).sum(axis=1))

    def breakdown(self, campaign: Campaign, features: Floats | None = None) -> list[Criterion]:
        """One campaign's criteria with weights and points; their weighted sum is `points`."""
        rows = None if features is None else np.reshape(features, (1, -1))
        points = self._per_criterion([campaign], rows)[0]
        weights = self._weights_of(campaign.kind)
        return [Criterion(n, float(w), float(p)) for n, w, p in zip(CRITERIA, weights, points, strict=True)]

    def _weights_of(self, kind: str) -> Floats:
        return self.weights.get(kind, self.weights["default"])

    def _per_criterion(self, campaigns: Sequence[Campaign], features: Floats | None) -> Floats:
        kind_mean = np.full(len(campaigns), np.nan) if features is None else features[:, _KIND_MEAN]
        planned = declared(campaigns, "planned_revenue")
        values = {
            "urgency": declared(campaigns, "urgency"),
            "revenue": np.where(np.isnan(planned), kind_mean, planned),
            "audience": np.array([sum(c.targets.values()) or c.work_units for c in campaigns], dtype=float),
            "market": np.full(len(campaigns), np.nan),
            "brand": declared(campaigns, "brand"),
        }
        return np.column_stack([self.rulers[name].of(values[name]) for name in CRITERIA])


def _weights(kind: str, row: Mapping[str, Any]) -> Floats:
    unknown = sorted(set(row) - set(CRITERIA))
    if unknown:
        raise MatrixInvalid(f"weights.{kind}.{unknown[0]} is no criterion: allowed are {', '.join(CRITERIA)}")
    weights = np.zeros(len(CRITERIA))
    for position, name in enumerate(CRITERIA):
        weight = row.get(name, 0.0)
        if not isinstance(weight, int | float) or not 0 <= weight < np.inf:
            raise MatrixInvalid(f"weights.{kind}.{name} is {weight!r}: it must be a number of at least 0")
        weights[position] = weight
    if weights.sum() == 0:
        raise MatrixInvalid(f"weights.{kind} are all 0: at least one criterion must count")
    normalised: Floats = weights / weights.sum()
    return normalised


def _ruler(name: str, entry: Mapping[str, Any] | None) -> _Ruler:
    if entry is None:
        raise MatrixInvalid(f"[criteria.{name}] is missing: each of {', '.join(CRITERIA)} needs its points")
    scale = entry.get("scale", "linear")
    if scale not in _SCALES:
        raise MatrixInvalid(f"criteria.{name}.scale is {scale!r}: allowed are {', '.join(_SCALES)}")
    try:
        at, points = np.array(entry["points"], dtype=float).reshape(-1, 2).T
        unknown = float(entry["unknown"])
    except (KeyError, TypeError, ValueError) as error:
        raise MatrixInvalid(f"criteria.{name} needs points = [[value, points], ...] and unknown = points") from error
    if (np.diff(at) <= 0).any() or points.min() < 0 or points.max() > 100 or not 0 <= unknown <= 100:
        raise MatrixInvalid(f"criteria.{name}: values must rise and points lie in 0-100")
    return _Ruler(scale, at, points, unknown)
