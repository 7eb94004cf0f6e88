"""The prior of processing times: capacity is filled as asked, and noise neither adds nor takes work."""

from __future__ import annotations

import numpy as np
import pytest

from training.durations import prior, simulated_hours, slot_hours_per_unit


def test_the_week_s_work_fills_the_capacity_asked_for() -> None:
    work = np.array([100.0, 1500.0, 4000.0])
    per_unit = slot_hours_per_unit(work, workers=4, hours=72)
    assert (per_unit * (500 + work)).sum() == pytest.approx(4 * 72)


def test_noise_has_mean_one_and_the_prior_s_quantiles() -> None:
    known = prior([1000.0], workers=1, hours=10)
    taken = simulated_hours(known, np.full(200_000, 1000.0), np.random.default_rng(0))
    assert taken.mean() == pytest.approx(10, rel=0.01)
    assert np.median(taken) == pytest.approx(known.p50_h([1000.0])[0], rel=0.01)
    assert np.quantile(taken, 0.9) == pytest.approx(known.p90_h([1000.0])[0], rel=0.01)
    assert np.log(taken).std() == pytest.approx(0.25, rel=0.01)


@pytest.mark.parametrize(
    ("work", "workers", "hours", "complaint"),
    [
        ([], 4, 72.0, "work_units is empty"),
        ([1.0], 0, 72.0, "workers is 0 and hours 72"),
        ([1.0], 4, 0.0, "hours 0"),
        ([1.0], 4, float("nan"), "hours nan"),
    ],
)
def test_no_work_no_worker_and_no_time_are_refused(
    work: list[float], workers: int, hours: float, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        slot_hours_per_unit(work, workers, hours)
