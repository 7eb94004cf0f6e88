"""Features: nothing from the future, one path for one campaign or many, and an independent second opinion."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from features.builder import build_features
from features.contract import FEATURE_NAMES
from features.records import Kpi, Metric, Signal
from features.schema import History
from features.snapshot import Snapshot
from tests.worlds import MONDAY, World, campaign, small_world


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(seed=3, late=0.3)


def test_a_batch_equals_one_by_one_on_history_cut_at_each_moment(world: World) -> None:
    moments = [c.released_at for c in world.campaigns]
    batch = build_features(world.history, world.campaigns, moments)
    for one, moment in zip(world.campaigns, moments, strict=True):
        alone = build_features(world.history.known_by(moment), [one], moment)
        np.testing.assert_allclose(alone.loc[one.campaign_id], batch.loc[one.campaign_id], rtol=1e-9)


def test_a_snapshot_answers_what_the_builder_computes_at_its_moment(world: World) -> None:
    for days in (0, 9, 20, 45, 80):
        moment = MONDAY + timedelta(days=days)
        built = build_features(world.history, world.campaigns, moment)
        served = Snapshot.of(world.history, moment).features(world.campaigns, moment)
        np.testing.assert_allclose(served, built, rtol=1e-9)
        assert served.flags.c_contiguous


def test_a_snapshot_survives_parquet_exactly(world: World, tmp_path: Path) -> None:
    moment = MONDAY + timedelta(weeks=4)
    snapshot = Snapshot.of(world.history, moment)
    snapshot.to_table().to_parquet(tmp_path / "snapshot.parquet")
    again = Snapshot.from_table(pd.read_parquet(tmp_path / "snapshot.parquet"))
    assert again.moment == snapshot.moment
    assert again.age_h(moment + timedelta(hours=5)) == pytest.approx(5)
    asked = [*world.campaigns, campaign("new", kind="never seen", targets={"never seen": 4.0})]
    np.testing.assert_array_equal(again.features(asked, moment), snapshot.features(asked, moment))


def test_a_snapshot_finds_targets_of_channels_whose_names_hold_slashes_and_of_others(world: World) -> None:
    renamed = [
        c.revised(channel="mail/eu", targets={f"s/{t}": e for t, e in c.targets.items()}) for c in world.campaigns
    ]
    kpis = [replace(kpi, target_id=kpi.target_id and f"s/{kpi.target_id}") for kpi in world.kpis]
    history = World(renamed, kpis, world.signals, world.launched).history
    moment = MONDAY + timedelta(weeks=6)
    elsewhere = [c.revised(campaign_id=f"{c.campaign_id}-sms", channel="sms") for c in world.campaigns[:9]]
    asked = [*renamed, *elsewhere, *world.campaigns[:9]]
    snapshot = Snapshot.of(history, moment)
    for served in (snapshot, Snapshot.from_table(snapshot.to_table())):
        np.testing.assert_allclose(served.features(asked, moment), build_features(history, asked, moment), rtol=1e-9)
        alone = np.concatenate([served.features([one], moment) for one in asked])
        np.testing.assert_allclose(alone, served.features(asked, moment), rtol=1e-9)


def test_facts_of_the_future_change_nothing(world: World) -> None:
    moment = MONDAY + timedelta(weeks=5)
    now = [c for c in world.campaigns if c.released_at == moment]
    before = build_features(world.history, now, moment)
    just_after = moment + timedelta(microseconds=1)
    wild = World(
        world.campaigns,
        [*world.kpis]
        + [
            Kpi(campaign_id=c.campaign_id, target_id=t, at=c.released_at, known_at=just_after, metric=m, value=1e6)
            for c in world.campaigns
            for t in c.targets
            for m in (Metric.REVENUE, Metric.CLICKS)
            if c.released_at < moment
        ],
        [
            *world.signals,
            Signal(entity="target:p1", at=MONDAY, known_at=just_after, name="baseline_rate", value=1e6),
        ],
        world.launched,
    )
    pd.testing.assert_frame_equal(build_features(wild.history, now, moment), before)


def test_a_fact_known_at_the_very_moment_counts(world: World) -> None:
    moment = MONDAY + timedelta(weeks=1)
    first = [c for c in world.campaigns if c.released_at == MONDAY]
    kpis = [
        Kpi(campaign_id=c.campaign_id, target_id=t, at=MONDAY, known_at=moment, metric=Metric.REVENUE, value=10.0)
        for c in first
        for t in c.targets
    ]
    history = History.of_records(first, kpis)
    assert build_features(history, first, moment).seen_share.eq(1).all()
    early = build_features(history, first, moment - timedelta(microseconds=1))
    assert early.planned_response.isna().all()


def test_planned_response_agrees_with_the_same_definition_in_sql(world: World) -> None:
    moment = MONDAY + timedelta(weeks=6)
    plans, targets, kpis = world.history.campaigns, world.history.targets, world.history.kpis  # noqa: F841
    now = [c for c in world.campaigns if c.released_at == moment]
    asked = pd.DataFrame(  # noqa: F841
        [(c.campaign_id, c.channel, t, e) for c in now for t, e in c.targets.items()],
        columns=["campaign_id", "channel", "target_id", "exposures"],
    )
    sql = """
    with past as (select *, greatest(ends_at, coalesce(launched_at, ends_at)) over_at,
             greatest(0, 1 - epoch(greatest(coalesce(launched_at, released_at), released_at) - released_at)
                              / epoch(ends_at - released_at)) share from plans),
    shown as (select p.channel, t.target_id, sum(t.planned_exposures * p.share) exposures
              from targets t join past p using (campaign_id) where p.over_at <= $moment group by all),
    earned as (select p.channel, k.target_id, sum(k.value) revenue from kpis k join past p using (campaign_id)
               where k.metric = 'revenue' and k.at <= p.over_at and greatest(k.known_at, p.over_at) <= $moment
               group by all),
    rates as (select *, coalesce(revenue, 0) r, coalesce(exposures, 0) e
              from shown full join earned using (channel, target_id)),
    channels as (select channel, sum(r) / sum(e) rate from rates group by all),
    joined as (select a.*, coalesce(r.r, 0) r, coalesce(r.e, 0) e, c.rate channel_rate from asked a
               left join rates r using (channel, target_id) join channels c using (channel)),
    prior as (select campaign_id, avg(exposures) / 2 m,
              (sum(r) + avg(exposures) / 2 * any_value(channel_rate)) / (sum(e) + avg(exposures) / 2) pooled
              from joined group by all)
    select campaign_id, sum((r + m * pooled) / (e + m) * exposures) response from joined join prior using (campaign_id)
    group by all
    """
    oracle = duckdb.execute(sql, {"moment": moment}).df().set_index("campaign_id").response
    ours = build_features(world.history, now, moment).planned_response
    np.testing.assert_allclose(ours, oracle.loc[ours.index], rtol=1e-9)


def test_windowed_sums_agree_with_a_loop_over_rows(world: World) -> None:
    moment = MONDAY + timedelta(weeks=6, hours=1)
    one = campaign("asked", targets={"p1": 2.0, "p14": 5.0, "p19": 7.0})
    row = build_features(world.history, [one], moment).loc["asked"]
    read = [s for s in world.signals if moment - timedelta(weeks=4) < s.known_at <= moment]
    readings = len({s.at for s in read})
    expected = sum(s.value / readings * one.targets[target] for s in read if (target := s.entity[7:]) in one.targets)
    assert row.target_baseline_4w == pytest.approx(expected, rel=1e-12)


def test_targets_without_a_past_are_expected_to_earn_what_their_kind_did_in_their_channel(world: World) -> None:
    moment = MONDAY + timedelta(weeks=9)
    one = campaign("asked", kind="kind1", channel="push", targets={"new": 3.0, "newer": 4.5})
    row = build_features(world.history, [one], moment).loc["asked"]
    alike = {c.campaign_id: c for c in world.campaigns if (c.kind, c.channel) == ("kind1", "push")}
    shown = {i: 1 - (world.launched[i] - c.released_at) / timedelta(weeks=1) for i, c in alike.items()}
    revenue = sum(k.value for k in world.kpis if k.campaign_id in alike)
    exposures = sum(shown[i] * sum(c.targets.values()) for i, c in alike.items())
    assert row.kind_response == pytest.approx(7.5 * revenue / exposures)
    assert row.seen_share == 0


def test_a_late_launch_does_not_teach_that_late_is_worthless() -> None:
    in_time, half_late = small_world(seed=7, weeks=30), small_world(seed=7, weeks=30, late=0.5)
    moment = MONDAY + timedelta(weeks=31)
    asked = [campaign("next", targets={f"p{t}": 4.0 for t in range(20)}, channel=c, kind="kind0") for c in ("mail",)]
    fair, censored = (build_features(w.history, asked, moment).iloc[0] for w in (in_time, half_late))
    assert censored.planned_response == pytest.approx(fair.planned_response, rel=0.1)
    assert censored.kind_mean_value == pytest.approx(fair.kind_mean_value, rel=0.15)


def test_an_empty_history_knows_only_the_plan() -> None:
    row = build_features(History.empty(), [campaign(targets={"a": 3.0})], MONDAY).iloc[0]
    assert row[["planned_response", "target_baseline", "kind_mean_value", "weeks_since_kind"]].isna().all()
    assert row.planned_exposures == 3
    assert row.window_h == 168
    assert list(row.index) == list(FEATURE_NAMES)


def test_a_campaign_without_targets_still_has_its_kind() -> None:
    world = small_world(seed=1)
    row = build_features(world.history, [campaign(kind="kind1")], MONDAY + timedelta(weeks=9)).iloc[0]
    assert np.isnan(row.planned_response)
    assert np.isnan(row.kind_response)
    assert row.targets == 0
    assert row.kind_mean_value > 0
