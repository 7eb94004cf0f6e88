"""The market's rhythm: an even one changes nothing, any other is the integral that it stands for."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from features.curves import hours
from features.rhythm import WEEK_H, Rhythm
from tests.queues import NOW, rhythm_of

EVEN = Rhythm(np.ones(WEEK_H))
MOMENTS = NOW + np.random.default_rng(0).uniform(-400, 400, 50)


def test_an_even_rhythm_is_the_clock() -> None:
    np.testing.assert_allclose(EVEN.elapsed(MOMENTS), MOMENTS, rtol=1e-15)
    np.testing.assert_allclose(EVEN.ahead(MOMENTS, 7.0), 7.0)
    np.testing.assert_array_equal(EVEN.rate(MOMENTS), 1.0)


def test_what_elapses_in_a_week_is_a_week() -> None:
    busy = rhythm_of(1)
    np.testing.assert_allclose(busy.elapsed(MOMENTS + WEEK_H) - busy.elapsed(MOMENTS), WEEK_H)


def test_what_elapses_between_two_moments_is_the_sum_of_the_rates_between() -> None:
    busy = rhythm_of(2)
    hourly = busy.rate(np.arange(NOW, NOW + 30))
    assert busy.elapsed(NOW + 30) - busy.elapsed(NOW) == pytest.approx(hourly.sum())
    assert busy.elapsed(NOW + 0.25) - busy.elapsed(NOW) == pytest.approx(hourly[0] / 4)


@pytest.mark.parametrize("horizon_h", [0.5, 12.0, 500.0])
def test_what_lies_ahead_is_the_discounted_integral_of_the_rates(horizon_h: float) -> None:
    busy = rhythm_of(3)
    for moment in MOMENTS[:3]:
        edges = [moment, *np.arange(np.floor(moment) + 1, moment + 40 * min(horizon_h, 100.0))]
        expected = sum(
            float(busy.rate(a)) * quad(lambda x: np.exp(-(x - moment) / horizon_h), a, b)[0]  # noqa: B023
            for a, b in pairwise(edges)
        )
        beyond = np.exp(-(edges[-1] - moment) / horizon_h) * busy.ahead(edges[-1], horizon_h)
        assert busy.ahead(moment, horizon_h) == pytest.approx(expected + beyond)


def test_the_first_rate_is_for_thursday_s_first_hour() -> None:
    rates = np.full(WEEK_H, 0.5)
    rates[0] += WEEK_H / 2
    thursday = datetime(2026, 11, 26, tzinfo=UTC)
    assert thursday.strftime("%A") == "Thursday"
    assert Rhythm(rates).rate(hours(thursday) + 0.9) == pytest.approx(84.5)


@pytest.mark.parametrize("rates", [np.ones(24), np.zeros(WEEK_H), np.full(WEEK_H, 2.0), np.full(WEEK_H, np.nan)])
def test_rates_that_are_no_rhythm_are_refused(rates: np.ndarray) -> None:
    with pytest.raises(ValueError, match="168 positive rates of mean 1"):
        Rhythm(rates)
