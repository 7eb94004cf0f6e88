"""Held-out weeks, played: what is paid, what is drawn by chance, and what the figures mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from features.builder import build_features
from features.curves import hours
from features.records import Campaign, Kpi, Metric
from features.rhythm import Rhythm
from features.schema import History
from serving.scheduling import policies
from serving.scheduling.columns import Columns
from tests.queues import rhythm_of
from tests.worlds import MONDAY, campaign
from training.backtest import (
    Contender,
    Outcomes,
    PlayedWeek,
    Release,
    Setting,
    best_horizon,
    clairvoyant,
    contenders,
    contested_indices,
    play_weeks,
    results,
    share_of_gap,
)
from training.datasets.truth import HourlyValue
from training.durations import prior

SETTING = Setting(workers=2, replicates=3)
STARTS = MONDAY


def a_week(number: int = 1, n: int = 20, setting: Setting = SETTING) -> PlayedWeek:
    """A week of campaigns of very different worth, each of which earns evenly over its seven days."""
    chance = np.random.default_rng(number)
    campaigns = [campaign(f"c{i}", work_units=float(chance.integers(100, 2000))) for i in range(n)]
    worth = chance.lognormal(3, 1.5, n)
    kpis = [
        Kpi(
            campaign_id=c.campaign_id,
            at=STARTS + timedelta(hours=hour),
            known_at=STARTS + timedelta(hours=hour + 1),
            metric=Metric.REVENUE,
            value=float(total / 168),
        )
        for c, total in zip(campaigns, worth, strict=True)
        for hour in range(168)
    ]
    truth = HourlyValue.of(History.of_records(campaigns, kpis))
    return PlayedWeek(
        week=number,
        start_h=hours(STARTS),
        campaigns=campaigns,
        features=build_features(History.empty(), campaigns, STARTS),
        points=np.zeros(n),
        prior=prior([c.work_units for c in campaigns], setting.workers, setting.fill_h * setting.load),
        truth=truth,
        rows=truth.rows([c.campaign_id for c in campaigns]),
    )


def true_value(week: PlayedWeek) -> np.ndarray:
    return week.true_value


def a_guess(week: PlayedWeek) -> np.ndarray:
    """The right value, give or take a factor of two."""
    return week.true_value * np.random.default_rng(0).lognormal(0, 0.7, len(week.campaigns))


@pytest.fixture(scope="module")
def weeks() -> list[PlayedWeek]:
    return [a_week(number) for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def outcomes(weeks: list[PlayedWeek]) -> Outcomes:
    return play_weeks(weeks, [*contenders(true_value, 24, a_guess, 24, a_guess), clairvoyant(weeks, SETTING)], SETTING)


@pytest.mark.parametrize("even", [False, True])
def test_orders_look_at_the_market_s_rhythm_unless_they_take_value_to_accrue_evenly(even: bool):
    week = replace(a_week(), rhythm=rhythm_of(1))
    seen: set[Rhythm | None] = set()

    def watching(columns: Columns, moment_h: float) -> np.ndarray:
        seen.add(columns.curves.rhythm)
        return policies.fifo(columns, moment_h)

    play_weeks([week], [Contender("watching", true_value, watching, even=even)], SETTING)
    assert seen == {None if even else week.rhythm}


def test_a_window_is_expected_to_hold_what_the_rhythm_puts_into_it():
    week, rhythm = a_week(), rhythm_of(2)
    draw = week.draw(replace(SETTING, release=Release.MIXED_WINDOWS), 0)
    shares = week.window_share(draw, rhythm)
    first = rhythm.rate(np.arange(draw.starts_h[0], draw.ends_h[0])).sum()
    assert shares[0] == pytest.approx(first / 168)
    np.testing.assert_allclose(week.window_share(draw, Rhythm(np.ones(168))), week.window_share(draw), rtol=1e-9)


def test_a_campaign_is_paid_from_its_completion_on(weeks: list[PlayedWeek]):
    week = weeks[0]
    n = len(week.campaigns)
    np.testing.assert_allclose(week.paid(np.full(n, week.start_h - 5)), week.true_value)
    np.testing.assert_allclose(week.paid(np.full(n, week.start_h + 84)), week.true_value / 2)
    np.testing.assert_allclose(week.paid(np.full(n, np.inf)), 0)


def test_the_work_of_a_week_fills_the_workers_as_the_load_says():
    for load in (0.5, 1.5):
        setting = replace(SETTING, load=load)
        week = a_week(setting=setting)
        mean_h = week.prior.slot_hours_per_unit * (week.prior.setup_units + week.units)
        assert mean_h.sum() == pytest.approx(load * setting.workers * setting.fill_h)


def test_noise_is_the_same_for_every_policy_and_new_in_every_replicate(weeks: list[PlayedWeek]):
    week = weeks[0]
    np.testing.assert_array_equal(week.draw(SETTING, 1).actual_h, week.draw(SETTING, 1).actual_h)
    assert (week.draw(SETTING, 1).actual_h != week.draw(SETTING, 2).actual_h).all()
    twins = [Contender(name, a_guess, policies.index(12)) for name in ("one", "other")]
    played = play_weeks(weeks, twins, SETTING)
    np.testing.assert_array_equal(played.of["one"].value, played.of["other"].value)


def test_noise_on_processing_times_has_mean_one():
    week = a_week()
    mean_h = week.prior.slot_hours_per_unit * (week.prior.setup_units + week.units)
    noise = np.array([week.draw(SETTING, replicate).actual_h / mean_h for replicate in range(200)])
    assert noise.mean() == pytest.approx(1, abs=0.02)
    assert np.log(noise).std() == pytest.approx(0.25, abs=0.02)


def test_first_come_first_served_follows_a_new_order_of_arrival_in_every_replicate(outcomes: Outcomes):
    latency = outcomes.of["fifo"].latency_h
    order = np.argsort(latency[:, :20], axis=1)
    assert not (order[0] == order[1]).all()


def test_true_values_beat_a_guess_and_a_guess_beats_arrival(outcomes: Outcomes):
    earned = {name: outcome.value.sum() for name, outcome in outcomes.of.items()}
    assert earned["clairvoyant"] >= 0.99 * earned["index"]
    assert earned["index"] > earned["expert"] > earned["fifo"]


def test_shortest_first_has_the_least_mean_latency(outcomes: Outcomes):
    mean = {name: outcome.latency_h.mean() for name, outcome in outcomes.of.items()}
    assert min(mean, key=mean.__getitem__) == "spt"


def test_orders_without_values_do_not_break_ties_by_value(weeks: list[PlayedWeek]):
    # All points are equal, so the matrix has nothing but ties, and can only follow the order of arrival.
    played = play_weeks(weeks, contenders(true_value, 24, a_guess, 24, a_guess), SETTING)
    np.testing.assert_array_equal(played.of["matrix"].value, played.of["fifo"].value)


def test_figures_are_measured_between_first_come_and_the_bound(outcomes: Outcomes):
    by_policy = {result.policy: result for result in results(outcomes, SETTING)}
    assert by_policy["fifo"].share_of_gap == 0
    assert by_policy["clairvoyant"].share_of_gap == 1
    assert by_policy["expert"].minus_expert == 0
    learned = by_policy["index"]
    assert learned.minus_expert == pytest.approx(learned.share_of_gap - by_policy["expert"].share_of_gap)
    assert learned.ci95[0] <= learned.share_of_gap <= learned.ci95[1]
    assert learned.value_usd == pytest.approx(outcomes.of["index"].value.sum() / SETTING.replicates)
    assert 0 < learned.top_tenth_latency_h < learned.latency_h < learned.latency_p95_h
    assert learned.throughput_per_h == pytest.approx(20 / outcomes.of["index"].span_h.mean(), rel=0.02)


def test_the_machine_readable_result_has_the_documented_keys(outcomes: Outcomes):
    document = results(outcomes, SETTING)[0].document()
    documented = "policy load release label preemptive share_of_gap ci95 value_usd minus_expert minus_expert_ci95"
    assert set(f"{documented} top_tenth_latency_h on_time".split()) <= set(document)
    assert (document["release"], document["label"], document["preemptive"]) == ("together", "gross", False)


def test_the_most_valuable_tenth_is_counted_in_each_week(weeks: list[PlayedWeek], outcomes: Outcomes):
    marked = outcomes.top_tenth[0].reshape(len(weeks), -1)
    assert (marked.sum(axis=1) == 2).all()
    for week, top in zip(weeks, marked, strict=True):
        assert week.true_value[top].min() > week.true_value[~top].max()


def test_on_time_is_within_a_day_of_the_start(outcomes: Outcomes):
    for outcome in outcomes.of.values():
        np.testing.assert_array_equal(outcome.on_time, outcome.latency_h <= SETTING.due_h)


def test_a_campaign_that_never_ran_counts_as_late_and_unpaid():
    setting = Setting(workers=1, load=8, replicates=1, expire=True)
    week = a_week(setting=setting)
    outcome = play_weeks([week], contenders(true_value, 24, a_guess, 24, a_guess)[:1], setting).of["index"]
    assert outcome.done[0, 0] < len(week.campaigns)
    assert outcome.latency_h.max() == pytest.approx(168, abs=40)
    assert np.isfinite(outcome.latency_h).all()
    assert not outcome.on_time.all()


def test_every_dispatch_contributes_the_indices_of_those_ready(weeks: list[PlayedWeek]):
    one = replace(SETTING, replicates=1)
    seen = contested_indices(weeks[:1], contenders(true_value, 24, a_guess, 24, a_guess)[0], one)
    n = len(weeks[0].campaigns)
    # Both workers are filled from the first ranking; each later dispatch ranks those still waiting.
    assert len(seen) == n + sum(range(1, n - 1))
    assert (seen >= 0).all()


def test_the_chosen_lookahead_is_the_one_that_earns_most(weeks: list[PlayedWeek]):
    chosen = best_horizon(weeks, a_guess, SETTING)
    tried = {
        h: play_weeks(weeks, [Contender("h", a_guess, policies.index(h))], SETTING).of["h"].value
        for h in (3.0, 6.0, 12.0, 24.0, 48.0)
    }
    assert tried[chosen].sum() == max(value.sum() for value in tried.values())


def test_progress_tells_of_each_contender(weeks: list[PlayedWeek]):
    told: list[tuple[str, float]] = []
    play_weeks(
        weeks[:1],
        contenders(true_value, 24, a_guess, 24, a_guess),
        SETTING,
        lambda stage, share: told.append((stage, share)),
    )
    assert told[0] == ("playing index", 0.0)
    assert len(told) == 7


def test_shares_are_ratios_of_sums_not_means_of_ratios():
    gap = np.array([[100.0], [1.0]])
    gained = np.array([[50.0], [1.0]])
    assert share_of_gap(gained, gap).estimate == pytest.approx(51 / 101)


def test_an_interval_is_as_wide_as_the_weeks_differ():
    gap = np.full((9, 8), 100.0)
    steady = share_of_gap(np.full((9, 8), 90.0), gap)
    shaky = share_of_gap(np.repeat(np.linspace(50, 130, 9), 8).reshape(9, 8), gap)
    assert (steady.low, steady.high) == (0.9, 0.9)
    assert shaky.estimate == pytest.approx(0.9)
    assert shaky.high - shaky.low > 0.2


def test_where_nothing_is_to_be_gained_there_is_no_share():
    share = share_of_gap(np.zeros((2, 2)), np.zeros((2, 2)))
    assert np.isnan([share.estimate, share.low, share.high]).all()


@pytest.mark.parametrize(("name", "value"), [("workers", 0), ("replicates", 0), ("load", 0.0), ("load", np.inf)])
def test_a_setting_that_cannot_be_played_is_refused_by_name(name: str, value: float):
    with pytest.raises(ValueError, match=name):
        Setting(**{name: value})


def test_the_order_of_work_is_told_nothing_of_actual_times(weeks: list[PlayedWeek]):
    seen: list[Columns] = []

    def watching(columns: Columns, moment_h: float) -> np.ndarray:
        seen.append(columns)
        return policies.fifo(columns, moment_h)

    week: PlayedWeek = weeks[0]
    play_weeks([week], [Contender("watching", true_value, watching)], replace(SETTING, replicates=1))
    campaigns: list[Campaign] = list(week.campaigns)
    np.testing.assert_allclose(seen[0].work_h, week.prior.p50_h([c.work_units for c in campaigns]))
