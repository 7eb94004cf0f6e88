"""The three ways a week's work is released, and what may be earned from it then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from serving.scheduling import policies
from tests.unit.test_backtest import a_week, true_value
from training.backtest import Contender, Release, Setting, clairvoyant, play_weeks

SETTING = Setting(workers=2, replicates=3)
MIXED = replace(SETTING, release=Release.MIXED_WINDOWS)
STAGGERED = replace(SETTING, release=Release.STAGGERED)


def test_together_all_is_released_at_the_start_and_earns_all_week() -> None:
    week = a_week()
    draw = week.draw(SETTING, 0)
    assert set(draw.released_h) == {week.start_h}
    np.testing.assert_allclose(draw.ends_h - draw.starts_h, 168)
    np.testing.assert_allclose(week.worth(draw), week.true_value)


def test_staggered_work_comes_within_a_day_and_a_half_either_side() -> None:
    week = a_week(n=40)
    draws = [week.draw(STAGGERED, replicate) for replicate in range(10)]
    after = np.concatenate([draw.released_h for draw in draws]) - week.start_h
    assert -36 <= after.min() < -30
    assert 30 < after.max() <= 36
    np.testing.assert_allclose(np.concatenate([draw.ends_h - draw.starts_h for draw in draws]), 168)


def test_mixed_windows_start_in_the_first_four_days_and_last_one_to_four() -> None:
    week = a_week(n=40)
    draws = [week.draw(MIXED, replicate) for replicate in range(10)]
    starts = np.concatenate([draw.starts_h for draw in draws])
    assert set(starts - week.start_h) == {0, 24, 48, 72}
    assert set(np.concatenate([draw.ends_h for draw in draws]) - starts) == {24, 48, 72, 96}
    early = starts - np.concatenate([draw.released_h for draw in draws])
    assert early.min() >= -6
    assert early.max() <= 24


def test_a_window_pays_what_falls_into_it_and_nothing_outside() -> None:
    week = a_week(n=40)
    draw = week.draw(MIXED, 0)
    expected = week.true_value * (draw.ends_h - draw.starts_h) / 168  # these campaigns earn evenly
    np.testing.assert_allclose(week.worth(draw), expected)
    np.testing.assert_allclose(week.paid(draw.ends_h, draw), 0)
    np.testing.assert_allclose(week.paid(np.full(40, np.inf), draw), 0)
    np.testing.assert_allclose(week.paid((draw.starts_h + draw.ends_h) / 2, draw), expected / 2)


@pytest.mark.parametrize("setting", [MIXED, STAGGERED])
def test_nothing_is_done_before_it_is_released(setting: Setting) -> None:
    outcome = play_weeks([a_week(n=40)], [Contender("value", true_value, policies.value)], setting).of["value"]
    assert outcome.latency_h.min() > 0


def test_a_week_may_be_played_under_another_load() -> None:
    heavier = replace(MIXED, load=1.5)
    week = a_week().under(heavier)
    mean_h = week.prior.slot_hours_per_unit * (week.prior.setup_units + week.units)
    assert mean_h.sum() == pytest.approx(1.5 * 2 * 96)


def test_who_may_interrupt_earns_no_less_with_foresight() -> None:
    weeks = [a_week(number, n=40).under(MIXED) for number in (1, 2)]
    interrupting = replace(MIXED, preemptive=True)
    kept, given = (
        play_weeks(weeks, [clairvoyant(weeks, setting)], setting).of["clairvoyant"] for setting in (MIXED, interrupting)
    )
    assert given.value.sum() >= 0.99 * kept.value.sum()
