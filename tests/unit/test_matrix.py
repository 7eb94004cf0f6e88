"""The Campaign Prioritization Matrix: points, their parts, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from features.contract import FEATURE_NAMES
from features.matrix import Matrix, MatrixInvalid
from tests.worlds import campaign

TOML = Matrix.default()


def test_points_are_the_weighted_sum_of_the_criteria() -> None:
    one = campaign(urgency=0.8, planned_revenue=100.0, brand=1.0, targets={"a": 1000.0})
    parts = {c.name: c for c in TOML.breakdown(one)}
    assert parts["urgency"].points == pytest.approx(80)
    assert parts["revenue"].points == pytest.approx(50)
    assert parts["audience"].points == pytest.approx(45)
    assert sum(c.weight for c in parts.values()) == pytest.approx(1)
    assert TOML.points([one])[0] == pytest.approx(sum(c.weight * c.points for c in parts.values()))


def test_more_urgency_revenue_or_audience_never_costs_points() -> None:
    ladder = [
        campaign(urgency=u, planned_revenue=r, targets={"a": a})
        for u, r, a in [(0, 1, 10), (0.2, 1, 10), (0.2, 50, 10), (0.2, 50, 500), (1, 1e6, 1e8)]
    ]
    points = TOML.points(ladder)
    assert (np.diff(points) > 0).all()
    assert points.min() >= 0
    assert points.max() <= 100


def test_past_campaigns_of_the_kind_stand_in_for_a_planned_revenue() -> None:
    features = np.full((1, len(FEATURE_NAMES)), np.nan)
    features[0, FEATURE_NAMES.index("kind_mean_value")] = 1000.0
    assert TOML.points([campaign()], features) == TOML.points([campaign(planned_revenue=1000.0)])


def test_a_kind_has_weights_of_its_own() -> None:
    sale, mail = (campaign(kind=kind, urgency=1.0) for kind in ("flash_sale", "newsletter"))
    assert TOML.points([sale]) > TOML.points([mail])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("weights = [", "not TOML"),
        ("", r"\[weights.default\] is missing"),
        ("[weights.default]\nurgency = -1", "weights.default.urgency is -1: it must be a number of at least 0"),
        ("[weights.default]\nurgent = 1", "weights.default.urgent is no criterion: allowed are urgency"),
        ("[weights.default]\nurgency = 0", "at least one criterion must count"),
        ("[weights.default]\nurgency = 1", r"\[criteria.urgency\] is missing"),
        ("[weights.default]\nurgency = 1\n[criteria.urgency]\nscale = 'cubic'", "allowed are linear, log"),
        ("[weights.default]\nurgency = 1\n[criteria.urgency]\npoints = 3", r"needs points = \[\[value, points\]"),
    ],
)
def test_a_bad_matrix_is_refused_by_entry_and_value(text: str, says: str) -> None:
    with pytest.raises(MatrixInvalid, match=says):
        Matrix.from_toml(text)
