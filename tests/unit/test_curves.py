"""Value curves: what is left at a moment, for each shape, before, inside and after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from features.curves import Curves, hours, share_left, value_at
from tests.worlds import MONDAY, campaign


@pytest.mark.parametrize(
    ("facts", "left_after_h"),
    [
        ({"ends_at": MONDAY + timedelta(hours=40)}, {-5: 1, 0: 1, 10: 0.75, 39: 1 / 40, 40: 0, 99: 0}),
        (
            {"value_shape": "deadline", "launch_by": MONDAY + timedelta(hours=10), "ends_at": None},
            {0: 1, 10: 1, 10.01: 0.2, 1000: 0.2},
        ),
        (
            {
                "value_shape": "deadline",
                "launch_by": MONDAY + timedelta(hours=10),
                "late_fraction": 0.5,
                "ends_at": MONDAY + timedelta(hours=20),
            },
            {10: 1, 15: 0.5, 20: 0},
        ),
        ({"value_shape": "half_life", "half_life_h": 5.0, "ends_at": None}, {-1: 1, 0: 1, 5: 0.5, 15: 0.125}),
    ],
)
def test_the_share_left(facts: dict[str, Any], left_after_h: dict[float, float]) -> None:
    live = hours(MONDAY) + np.array(list(left_after_h))
    curves = Curves.of([campaign(**facts)] * len(live), np.full(len(live), 200.0))
    np.testing.assert_allclose(share_left(curves, live), list(left_after_h.values()), atol=1e-9)
    np.testing.assert_allclose(value_at(curves, live), 200 * np.array(list(left_after_h.values())), atol=1e-6)
