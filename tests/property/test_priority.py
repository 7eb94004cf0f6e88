"""The index for any curve: it is the integral that defines it, with its three limits."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import exp
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from features.curves import DEADLINE, HALF_LIFE, WINDOW, Curve, Curves, Floats, value_at
from features.rhythm import WEEK_H, Rhythm
from serving.priority import index, index_of_one
from tests.queues import rhythm_of

NOW = 490_000.0
"""Hours since the epoch, about today: closed forms must not lose their digits there."""


def of_hours(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most).map(lambda h: round(h, 3))


@st.composite
def a_curve(draw: Any, shapes: tuple[int, ...] = (WINDOW, DEADLINE, HALF_LIFE)) -> Curves:
    """One curve, with an end where its shape needs one and sometimes elsewhere."""
    shape = draw(st.sampled_from(shapes))
    starts = NOW + draw(of_hours(-60, 60))
    ends = starts + draw(of_hours(0.1, 200)) if shape == WINDOW or draw(st.booleans()) else np.inf
    row: tuple[float, ...] = (
        draw(st.floats(0, 1e6)),
        starts,
        ends,
        NOW + draw(of_hours(-60, 60)) if shape == DEADLINE else np.inf,
    )
    value, starts_h, ends_h, due_h = (np.array([number], dtype=float) for number in row)
    late, half = draw(st.floats(0, 1)), draw(of_hours(0.5, 100)) if shape == HALF_LIFE else np.inf
    return Curves(value, starts_h, ends_h, due_h, np.array([shape], dtype=np.int8), np.array([late]), np.array([half]))


works_h = of_hours(0.05, 30)
horizons_h = of_hours(0.2, 200)


def kinks(curve: Curves) -> list[float]:
    ends = (curve.starts_h[0], curve.ends_h[0], curve.due_h[0])
    return sorted(float(kink) for kink in ends if np.isfinite(kink))


def by_quadrature(curve: Curves, live_h: float, horizon_h: float) -> float:
    """E[V(a) - V(a+X)], integrated between the curve's kinks and far out."""
    here = float(value_at(curve, live_h)[0])

    def weighted(delay_h: float) -> float:
        return (here - float(value_at(curve, live_h + delay_h)[0])) * exp(-delay_h / horizon_h) / horizon_h

    ahead = [kink - live_h for kink in kinks(curve) if kink > live_h]
    far = max(ahead, default=0.0)
    edges = [0.0, *ahead, far + horizon_h, far + 6 * horizon_h, far + 40 * horizon_h]
    return float(sum(quad(weighted, low, high)[0] for low, high in pairwise(edges)))


def index_of(curve: Curves, work_h: float, horizon_h: float, moment_h: float = NOW) -> float:
    return float(index(curve, [work_h], [work_h], moment_h, horizon_h)[0])


def slope(curve: Curves, live_h: float, step_h: float = 1e-3) -> float:
    """-V' at a moment, from both sides."""
    before, after = value_at(curve, live_h - step_h), value_at(curve, live_h + step_h)
    return float((before - after)[0]) / (2 * step_h)


def off_kinks(curve: Curves, work_h: float) -> float:
    """This work, or a little more, so that its end has a slope: three kinks stand in the way of three steps at most."""
    return next(h for h in work_h + 0.03 * np.arange(4) if all(abs(kink - NOW - h) > 0.01 for kink in kinks(curve)))


@given(a_curve(shapes=(WINDOW,)), st.integers(0, 100), works_h, of_hours(1, 200))
def test_in_a_market_s_rhythm_too_it_is_the_integral(curve: Curves, seed: int, work_h: float, horizon_h: float) -> None:
    curve = replace(curve, rhythm=rhythm_of(seed))
    live_h, step_h = NOW + work_h, 0.01
    delays_h = step_h * (np.arange(max(curve.ends_h[0] - live_h, 1.0) // step_h + 1) + 0.5)
    later = value_at(curve.take(np.zeros(len(delays_h), dtype=int)), live_h + delays_h)
    here = float(value_at(curve, live_h)[0])
    weights = np.exp(-(delays_h - step_h / 2) / horizon_h) * -np.expm1(-step_h / horizon_h)
    expected = here * (1 - np.exp(-(delays_h[-1] + step_h / 2) / horizon_h)) - float(later @ weights)
    expected += here * np.exp(-(delays_h[-1] + step_h / 2) / horizon_h)  # all is lost beyond the end
    scale = 1 + float(curve.value[0])
    assert abs(index_of(curve, work_h, horizon_h) * work_h - expected) <= 2e-4 * scale


@given(a_curve(), works_h, horizons_h)
def test_an_even_rhythm_changes_no_index(curve: Curves, work_h: float, horizon_h: float) -> None:
    even = replace(curve, rhythm=Rhythm(np.ones(WEEK_H)))
    scale = 1 + float(curve.value[0]) / work_h
    assert abs(index_of(even, work_h, horizon_h) - index_of(curve, work_h, horizon_h)) <= 1e-9 * scale


@given(a_curve(), works_h, horizons_h)
def test_the_closed_form_is_the_integral(curve: Curves, work_h: float, horizon_h: float) -> None:
    expected = by_quadrature(curve, NOW + work_h, horizon_h) / work_h
    scale = 1 + float(curve.value[0]) / work_h
    assert abs(index_of(curve, work_h, horizon_h) - expected) <= 1e-6 * scale


@given(a_curve(shapes=(DEADLINE,)), works_h, horizons_h, of_hours(0, 60))
def test_a_deadline_is_apparent_tardiness_cost(curve: Curves, work_h: float, horizon_h: float, slack_h: float) -> None:
    endless = replace(curve, ends_h=np.array([np.inf]), due_h=np.array([NOW + work_h + slack_h]))
    slack_h = float(endless.due_h[0]) - NOW - work_h  # as the sum was rounded
    atc = float(curve.value[0]) * (1 - float(curve.late_fraction[0])) / work_h * exp(-slack_h / horizon_h)
    np.testing.assert_allclose(index_of(endless, work_h, horizon_h), atc, rtol=1e-9, atol=1e-12)


@given(a_curve(), works_h)
def test_a_short_horizon_is_the_generalised_c_mu_rule(curve: Curves, work_h: float) -> None:
    work_h = off_kinks(curve, work_h)
    live_h, horizon_h = NOW + work_h, 1e-4
    rate = index_of(curve, work_h, horizon_h) / horizon_h
    np.testing.assert_allclose(rate, slope(curve, live_h) / work_h, rtol=1e-3, atol=1e-4 * (1 + curve.value[0]))


@given(a_curve(), works_h)
def test_a_long_horizon_is_value_per_slot_hour(curve: Curves, work_h: float) -> None:
    at_stake = float((value_at(curve, NOW + work_h) - value_at(curve, NOW + 1e6))[0])
    np.testing.assert_allclose(index_of(curve, work_h, 1e9), at_stake / work_h, rtol=1e-5, atol=1e-9)


@given(a_curve(), works_h, horizons_h, st.floats(-500, 500))
def test_an_index_is_never_negative_and_never_above_what_is_at_stake(
    curve: Curves, work_h: float, horizon_h: float, after_h: float
) -> None:
    moment_h = NOW + after_h
    at_stake = float(value_at(curve, moment_h + work_h)[0]) / work_h
    assert 0 <= index_of(curve, work_h, horizon_h, moment_h) <= at_stake * (1 + 1e-9) + 1e-9


@given(a_curve(), works_h, horizons_h, st.floats(0.01, 100))
def test_an_index_is_proportional_to_value(curve: Curves, work_h: float, horizon_h: float, times: float) -> None:
    scaled = Curves(**{**vars(curve), "value": curve.value * times})
    np.testing.assert_allclose(
        index_of(scaled, work_h, horizon_h), times * index_of(curve, work_h, horizon_h), rtol=1e-9, atol=1e-300
    )


@given(st.lists(st.tuples(a_curve(), works_h), min_size=1, max_size=8), horizons_h)
def test_campaigns_do_not_depend_on_their_company(rows: list[tuple[Curves, float]], horizon_h: float) -> None:
    columns: dict[str, Floats] = {
        name: np.concatenate([getattr(curve, name) for curve, _ in rows])
        for name in vars(rows[0][0])
        if name != "rhythm"
    }
    works = [work for _, work in rows]
    together = index(Curves(**columns), works, works, NOW, horizon_h)  # type: ignore[arg-type]
    alone = [index_of(curve, work, horizon_h) for curve, work in rows]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def alone(curve: Curves) -> Curve:
    """The same curve in plain numbers."""
    columns = (curve.value, curve.starts_h, curve.ends_h, curve.due_h, curve.shape, curve.late_fraction)
    value, starts_h, ends_h, due_h, shape, late = (column.item() for column in columns)
    return Curve(value, starts_h, ends_h, due_h, shape, late, curve.half_life_h.item(), curve.rhythm)


@given(a_curve(), works_h, horizons_h, st.one_of(st.none(), st.integers(0, 99)))
def test_a_single_campaign_has_the_index_it_has_among_others(
    curve: Curves, work_h: float, horizon_h: float, seed: int | None
) -> None:
    curve = replace(curve, rhythm=None if seed is None else rhythm_of(seed))
    expected = index_of(curve, work_h, horizon_h)
    found = index_of_one(alone(curve), work_h, work_h, NOW, horizon_h)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
