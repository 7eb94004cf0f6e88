"""Labels: what was observed, how much of the value could be observed at all, and when that was complete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from features.records import Campaign, Kpi, Metric, ValueShape
from features.schema import History
from tests.worlds import MONDAY, campaign
from training.labels import labels

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def sale(at: datetime, dollars: float, campaign_id: str = "spring-sale", **facts: object) -> Kpi:
    usual: dict[str, object] = {"known_at": at + HOUR, "metric": Metric.REVENUE, **facts}
    return Kpi(campaign_id=campaign_id, at=at, value=dollars, **usual)  # type: ignore[arg-type]


def label_of(planned: Campaign, *kpis: Kpi, launched_at: datetime | None = None) -> dict[str, object]:
    launched = {planned.campaign_id: launched_at} if launched_at else {}
    (row,) = labels(History.of_records([planned], kpis, launched=launched)).to_dict("records")
    return row


def test_the_value_is_the_revenue_of_the_window() -> None:
    row = label_of(
        campaign(),
        sale(MONDAY, 10.0),
        sale(MONDAY + 3 * DAY, 20.5),
        sale(MONDAY + 3 * DAY, 7.0, metric=Metric.CLICKS),
        sale(MONDAY + 7 * DAY + HOUR, 500.0),
    )
    assert row["value"] == pytest.approx(30.5)
    assert row["share"] == 1.0
    assert row["matured_at"] == MONDAY + 7 * DAY


def test_a_window_without_a_sale_earned_nothing() -> None:
    assert label_of(campaign())["value"] == 0.0


def test_a_campaign_in_time_or_of_unknown_launch_could_show_all_its_value() -> None:
    assert label_of(campaign(), launched_at=MONDAY)["share"] == 1.0
    assert label_of(campaign(), launched_at=MONDAY - DAY)["share"] == 1.0
    assert label_of(campaign())["share"] == 1.0


def test_a_campaign_launched_after_two_of_eight_days_could_show_three_quarters() -> None:
    eight_days = campaign(ends_at=MONDAY + 8 * DAY)
    row = label_of(eight_days, sale(MONDAY + 5 * DAY, 75.0), launched_at=MONDAY + 2 * DAY)
    assert row["share"] == pytest.approx(0.75)
    assert row["value"] == 75.0


def test_each_shape_leaves_its_own_share() -> None:
    deadline = campaign(value_shape=ValueShape.DEADLINE, launch_by=MONDAY + DAY, ends_at=None, late_fraction=0.3)
    assert label_of(deadline, launched_at=MONDAY + DAY)["share"] == 1.0
    assert label_of(deadline, launched_at=MONDAY + DAY + HOUR)["share"] == pytest.approx(0.3)
    half_life = campaign(value_shape=ValueShape.HALF_LIFE, half_life_h=12.0, ends_at=None)
    assert label_of(half_life, launched_at=MONDAY + DAY)["share"] == pytest.approx(0.25)


def test_a_campaign_launched_when_all_was_over_could_show_nothing() -> None:
    row = label_of(campaign(), launched_at=MONDAY + 9 * DAY)
    assert row["share"] == 0.0
    assert row["matured_at"] == MONDAY + 9 * DAY


def test_a_label_matures_with_its_last_result() -> None:
    late_news = sale(MONDAY + DAY, 5.0, known_at=MONDAY + 10 * DAY)
    assert label_of(campaign(), sale(MONDAY, 1.0), late_news)["matured_at"] == MONDAY + 10 * DAY


def test_only_labels_matured_by_a_moment_are_given() -> None:
    history = History.of_records(
        [campaign("first"), campaign("second", ends_at=MONDAY + 8 * DAY)], [sale(MONDAY, 3.0, "first")]
    )
    end = MONDAY + 7 * DAY
    assert labels(history, until=end - timedelta(microseconds=1)).empty
    assert labels(history, until=end).campaign_id.to_list() == ["first"]
    assert labels(history, until=end, lateness=HOUR).empty
    assert labels(history, until=end + HOUR, lateness=HOUR).campaign_id.to_list() == ["first"]
    assert labels(history, until=end + DAY).campaign_id.to_list() == ["first", "second"]


def test_labels_of_some_campaigns_keep_to_them() -> None:
    kpis = [sale(MONDAY, 3.0, "first"), sale(MONDAY, 4.0, "second")]
    history = History.of_records([campaign("first"), campaign("second")], kpis)
    chosen = labels(history, ["second"])
    assert chosen.campaign_id.to_list() == ["second"]
    assert chosen["value"].to_list() == [4.0]


def test_an_empty_history_has_no_labels() -> None:
    assert labels(History.empty(), until=datetime(2030, 1, 1, tzinfo=UTC)).empty
