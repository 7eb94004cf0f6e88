"""The rhythm that training learns: the one that was planted, as known at a moment, and none out of noise."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.curves import Floats, hours
from features.rhythm import WEEK_H, Rhythm
from features.schema import History
from tests.queues import rhythm_of
from tests.worlds import MONDAY
from training.rhythm import Sales


def history(rhythm: Rhythm, windows: list[tuple[int, int]], weeks: int = 6, dollars: float = 1000.0) -> History:
    """Every week, a campaign a window (hours from Monday, length), that earns hour by hour in the market's rhythm."""
    campaigns, kpis = [], []
    for week in range(weeks):
        for opens, lasts in windows:
            start = MONDAY + timedelta(weeks=week, hours=opens)
            campaign_id = f"{week}-{opens}-{lasts}"
            campaigns.append((campaign_id, start, start + timedelta(hours=lasts)))
            hourly = rhythm.rate(hours(start) + np.arange(lasts))
            shares = hourly / hourly.sum()
            kpis += [(campaign_id, start + timedelta(hours=k), dollars * share) for k, share in enumerate(shares)]
    plans = pd.DataFrame(campaigns, columns=["campaign_id", "released_at", "ends_at"])
    plans = plans.assign(account="a", kind="k", channel="c", work_units=1.0)
    results = pd.DataFrame(kpis, columns=["campaign_id", "at", "value"])
    results = results.assign(metric="revenue", known_at=results["at"] + pd.Timedelta(hours=1))
    return History.of_tables({"campaigns": plans, "kpis": results})


def rates(sales: Sales, moment: datetime) -> Floats:
    learned = sales.rhythm(moment)
    assert learned is not None
    return learned.rates


LATER = MONDAY + timedelta(weeks=7)


def test_a_planted_rhythm_is_found() -> None:
    planted = rhythm_of(5)
    found = rates(Sales.of(history(planted, [(0, WEEK_H + k) for k in range(0, 10)], weeks=30)), LATER)
    assert np.corrcoef(np.log(found), np.log(planted.rates))[0, 1] > 0.97


def test_hours_that_windows_cover_more_often_are_not_taken_for_better_ones() -> None:
    even = Rhythm(np.ones(WEEK_H))
    found = rates(Sales.of(history(even, [(30, 40), (33, 50), (40, 30), *[(0, WEEK_H + k) for k in range(5)]])), LATER)
    np.testing.assert_allclose(found, 1.0, rtol=1e-6)


def test_what_is_not_known_yet_teaches_nothing() -> None:
    sales = Sales.of(history(rhythm_of(5), [(0, WEEK_H + k) for k in range(20)]))
    moment = MONDAY + timedelta(weeks=4)
    known = sales.known_h <= hours(moment)
    wild = replace(sales, dollars=np.where(known, sales.dollars, 1e6))
    np.testing.assert_array_equal(rates(wild, moment), rates(sales, moment))


def test_lately_weighs_more() -> None:
    old, new = rhythm_of(6), rhythm_of(7)
    then = history(old, [(0, WEEK_H + k) for k in range(10)])
    now = history(new, [(0, WEEK_H + k) for k in range(10)])
    shift = pd.Timedelta(weeks=40)
    now = replace(
        now,
        campaigns=now.campaigns.assign(
            campaign_id="new" + now.campaigns.campaign_id,
            released_at=now.campaigns.released_at + shift,
            ends_at=now.campaigns.ends_at + shift,
        ),
        kpis=now.kpis.assign(
            campaign_id="new" + now.kpis.campaign_id, at=now.kpis["at"] + shift, known_at=now.kpis.known_at + shift
        ),
    )
    found = rates(Sales.of(then.joined(now)), LATER + timedelta(weeks=40))
    assert np.corrcoef(np.log(found), np.log(new.rates))[0, 1] > 0.97


def test_few_results_are_no_rhythm() -> None:
    assert Sales.of(history(rhythm_of(5), [(0, WEEK_H)], weeks=2)).rhythm(LATER) is None
    assert Sales.of(History.empty()).rhythm(LATER) is None


def test_results_dated_by_the_day_are_no_rhythm() -> None:
    dated = history(rhythm_of(5), [(0, WEEK_H + k) for k in range(10)])
    dated = replace(dated, kpis=dated.kpis.assign(at=dated.kpis["at"].dt.floor("D")))
    assert Sales.of(dated).rhythm(LATER) is None


@pytest.mark.parametrize("late_h", [30, 100])
def test_hours_before_a_late_launch_are_not_taken_for_still_ones(late_h: int) -> None:
    even = history(Rhythm(np.ones(WEEK_H)), [(0, WEEK_H + k) for k in range(20)])
    launched = even.campaigns.released_at + pd.Timedelta(hours=late_h)
    after = even.kpis["at"] >= even.kpis.campaign_id.map(launched.set_axis(even.campaigns.campaign_id))
    late = replace(even, campaigns=even.campaigns.assign(launched_at=launched), kpis=even.kpis[after])
    found = rates(Sales.of(even.joined(late)), LATER)
    np.testing.assert_allclose(found, 1.0, rtol=0.05)
