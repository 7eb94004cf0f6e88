"""What surrounds the plays of a backtest: bound, sweeps, figures of unequal replicates, tables and pictures."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.unit.test_backtest import a_guess, a_week, true_value
from training.backtest import Outcomes, PlayedWeek, Release, Setting, clairvoyant, play_weeks, report, results
from training.backtest.bound import upper_bound
from training.backtest.contenders import everyone, planner
from training.backtest.rolling import Believed
from training.backtest.study import HEADLINES, LOADS, TUNING_WEEKS, Plan, Study
from training.backtest.sweeps import EMPHASES, SIGMAS, noise_sweep, trade_off

SETTING = Setting(workers=2, replicates=3)
MIXED = replace(SETTING, release=Release.MIXED_WINDOWS, load=1.5)


@pytest.fixture(scope="module")
def weeks() -> list[PlayedWeek]:
    return [a_week(number) for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def outcomes(weeks: list[PlayedWeek]) -> Outcomes:
    return play_weeks(weeks, [*everyone(true_value, 24, a_guess, 24, a_guess), clairvoyant(weeks, SETTING)], SETTING)


@pytest.fixture(scope="module")
def believed(weeks: list[PlayedWeek]) -> Believed:
    return Believed({w.week: true_value(w) for w in weeks}, {w.week: a_guess(w) for w in weeks}, {})


@pytest.mark.parametrize("setting", [SETTING, MIXED])
def test_no_order_exceeds_the_bound_which_does_not_exceed_all_there_is(setting: Setting) -> None:
    week = a_week(n=30).under(setting)
    rivals = [
        *everyone(true_value, 24, a_guess, 24, a_guess),
        clairvoyant([week], setting),
        planner(true_value, 24, setting),
    ]
    played = play_weeks([week], rivals, setting)
    for replicate in range(setting.replicates):
        draw = week.draw(setting, replicate)
        bound = upper_bound(week, draw, setting)
        assert max(outcome.value[0, replicate] for outcome in played.of.values()) <= bound * (1 + 1e-9)
        assert bound <= week.worth(draw).sum()


def test_the_bound_is_close_where_there_is_room_for_everyone() -> None:
    setting = replace(SETTING, load=0.05)
    week = a_week(n=10).under(setting)
    draw = week.draw(setting, 0)
    best = play_weeks([week], [clairvoyant([week], setting)], replace(setting, replicates=1)).of["clairvoyant"]
    assert upper_bound(week, draw, setting) == pytest.approx(best.value[0, 0], rel=0.02)


def test_the_better_the_values_the_more_they_capture(
    weeks: list[PlayedWeek], believed: Believed, outcomes: Outcomes
) -> None:
    points = noise_sweep(weeks, believed, 24, SETTING, outcomes)
    blurred = [point for point in points if point.values == "noise"]
    assert [point.sigma for point in blurred] == list(SIGMAS)
    assert blurred[0].spearman == pytest.approx(1)
    assert blurred[0].share_of_gap > blurred[-1].share_of_gap
    assert np.corrcoef([p.spearman for p in blurred], [p.share_of_gap for p in blurred])[0, 1] > 0.8
    named = {point.values: point for point in points if point.sigma is None}
    assert named["model"].share_of_gap == pytest.approx(blurred[0].share_of_gap)
    assert named["expert"].spearman < named["model"].spearman


def test_emphasis_spares_the_most_valuable_and_begins_with_the_index(
    weeks: list[PlayedWeek], outcomes: Outcomes
) -> None:
    points = trade_off(weeks, true_value, 24, SETTING, outcomes)
    index = {result.policy: result for result in results(outcomes, SETTING)}["index"]
    assert [point.emphasis for point in points] == list(EMPHASES)
    assert points[0].share_of_gap == pytest.approx(index.share_of_gap)
    assert points[0].top_tenth_latency_h == pytest.approx(index.top_tenth_latency_h)
    assert points[5].top_tenth_latency_h < points[0].top_tenth_latency_h


def test_a_policy_played_less_often_is_compared_within_its_own_replicates(
    weeks: list[PlayedWeek], outcomes: Outcomes
) -> None:
    once = play_weeks(weeks, everyone(true_value, 24, a_guess, 24, a_guess)[:1], replace(SETTING, replicates=1))
    again = outcomes.joined(replace(once, of={"index_once": once.of["index"]}))
    found = {result.policy: result for result in results(again, SETTING)}["index_once"]
    first = {name: outcomes.of[name].value[:, :1].sum() for name in ("index", "fifo", "clairvoyant")}
    assert found.replicates == 1
    assert found.share_of_gap == pytest.approx(
        (first["index"] - first["fifo"]) / (first["clairvoyant"] - first["fifo"])
    )


def test_figures_of_some_weeks_are_those_of_playing_them_alone(weeks: list[PlayedWeek], outcomes: Outcomes) -> None:
    alone = play_weeks(
        weeks[1:], [*everyone(true_value, 24, a_guess, 24, a_guess), clairvoyant(weeks, SETTING)], SETTING
    )
    assert results(outcomes.within([2, 3]), SETTING) == results(alone, SETTING)


def test_the_difference_to_the_expert_is_between_values_alone(weeks: list[PlayedWeek]) -> None:
    rivals = [*everyone(true_value, 24, a_guess, 3, a_guess), clairvoyant(weeks, MIXED)]
    found = {result.policy: result for result in results(play_weeks(weeks, rivals, MIXED), MIXED)}
    same, own = found["expert_same_h"], found["expert"]
    assert same.minus_expert == own.minus_expert_own == 0
    assert found["index"].minus_expert == pytest.approx(found["index"].share_of_gap - same.share_of_gap)
    assert found["index"].minus_expert_own == pytest.approx(found["index"].share_of_gap - own.share_of_gap)


def test_the_usual_plan_plays_all_loads_and_releases_and_the_headlines_with_preemption() -> None:
    plan = Plan.usual(range(24, 53), 8)
    plain = [setting for setting in plan.settings if not setting.preemptive]
    assert {(s.load, s.release) for s in plain} == {(load, release) for load in LOADS for release in Release}
    preemptive = [setting for setting in plan.settings if setting.preemptive]
    assert [(s.load, s.release) for s in preemptive] == [(s.load, s.release) for s in HEADLINES]


def test_a_quick_plan_sees_no_week_beyond_those_that_all_is_chosen_on() -> None:
    plan = Plan.quick()
    assert {*plan.weeks, *plan.tuning_weeks} <= set(TUNING_WEEKS)
    assert max(Plan.usual(range(44, 53), 1).tuning_weeks) < 44


@pytest.fixture(scope="module")
def study(weeks: list[PlayedWeek], believed: Believed, outcomes: Outcomes) -> Study:
    return Study(
        (1, 2, 3),
        [],
        results(outcomes, SETTING),
        noise_sweep(weeks, believed, 24, SETTING, outcomes),
        trade_off(weeks, true_value, 24, SETTING, outcomes),
    )


def test_a_table_names_every_policy_within_eighty_columns(study: Study) -> None:
    out = StringIO()
    for table in report.tables(study):
        Console(file=out, width=80).print(table)
    lines = out.getvalue().splitlines()
    assert "simulated workers" in lines[1]
    for result in study.results:
        assert len([line for line in lines if line.startswith(f"{report.NAMES[result.policy]} ")]) == 1
    assert not any("…" in line for line in lines)


def test_where_next_to_nothing_is_to_be_won_no_ratio_is_shown(study: Study) -> None:
    flat = [replace(result, value_usd=100 + result.share_of_gap) for result in study.results]
    assert report.tiny(flat)
    out = StringIO()
    Console(file=out, width=80).print(*report.tables(replace(study, results=flat)))
    assert "dollars say more" in out.getvalue()
    assert "1.000" not in out.getvalue()


def test_pictures_are_drawn_of_what_was_swept(study: Study, tmp_path: Path) -> None:
    assert set(report.pictures(study, tmp_path)) == {"policies", "noise", "trade_off"}
    assert set(report.pictures(replace(study, noise=[], trade_off=[]), tmp_path)) == {"policies"}
    assert all(path.stat().st_size > 10_000 for path in tmp_path.glob("*.png"))


def test_metrics_for_the_record_are_numbers_all(study: Study) -> None:
    nothing = [replace(result, share_of_gap=float("nan")) for result in study.results]
    figures = report.metrics(nothing)
    assert "index.share_of_gap" not in figures
    assert figures["index.value_usd"] > 0
    assert not np.isnan(list(figures.values())).any()
