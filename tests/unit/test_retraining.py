"""Which weeks a challenger is judged on, and the year continued by what a service logged after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.schema import History
from serving.errors import ExitCode, TooFewWeeks
from serving.model import Bundle
from tests.bundles import tiny_bundle
from tests.worlds import MONDAY, campaign, small_world
from training.datasets.complete_journey import CompleteJourney, week_start, weeks_at
from training.datasets.continued import continued
from training.datasets.outcome_log import OutcomeLog
from training.datasets.truth import HourlyValue
from training.learning import held_out_weeks, learnable_until
from training.retrain import weeks_to_judge_by

ALL = [*range(44, 53), *range(54, 64)]


def champion_until(week: int) -> Bundle:
    bundle = tiny_bundle(small_world()).versioned("3")
    return replace(bundle, meta=replace(bundle.meta, training_window=(week_start(6), week_start(week))))


def test_the_weeks_after_the_log_are_judged_where_there_are_enough():
    assert weeks_to_judge_by(range(44, 53), champion_until(44), week_start(45)) == list(range(45, 53))
    assert weeks_to_judge_by(range(44, 53), champion_until(44), week_start(49)) == [49, 50, 51, 52]


def test_a_log_that_ends_after_the_year_keeps_its_last_weeks_back():
    assert weeks_to_judge_by(ALL, champion_until(44), week_start(64)) == list(range(56, 64))
    assert weeks_to_judge_by(ALL, champion_until(56), week_start(64)) == [60, 61, 62, 63]
    assert weeks_to_judge_by(ALL, champion_until(60), week_start(64)) == [60, 61, 62, 63]


@pytest.mark.parametrize(
    ("until", "told"),
    [
        (62, "learned until 2018-02-26, and 2 weeks of finished campaigns came after: .* so 2 more are needed"),
        (61, "and 3 weeks of finished campaigns came after: .* so 1 more is needed"),
        (64, "and no weeks of finished campaigns came after: .* judged on 4 at least .* so 4 more are needed"),
    ],
)
def test_a_champion_that_has_seen_all_but_a_few_weeks_cannot_be_challenged_yet(until: int, told: str):
    with pytest.raises(TooFewWeeks, match=told) as refused:
        weeks_to_judge_by(ALL, champion_until(until), week_start(64))
    assert refused.value.exit_code is ExitCode.NOTHING_TO_LEARN
    assert refused.value.fields["needed"] == 4


def test_weeks_go_on_by_the_calendar_after_the_year():
    starts = [week_start(week) for week in (2, 44, 53, 54, 470)]
    times = pd.Series(pd.to_datetime([m + h for m in starts for h in (timedelta(0), timedelta(days=6, hours=23))]))
    assert weeks_at(times).tolist() == [2, 2, 44, 44, 53, 53, 54, 54, 470, 470]


def journey_of(history: History, week: int) -> CompleteJourney:
    ids = history.campaigns.campaign_id
    return CompleteJourney(history, HourlyValue.of(history), pd.Series(week, index=pd.Index(ids)))


def log_of(**launched: datetime) -> History:
    """Campaigns of one week worth $7 a day from their launch on, finished."""
    week = timedelta(days=7)
    asked = [campaign(own, released_at=MONDAY, ends_at=MONDAY + week) for own in launched]
    days = [(own, MONDAY + timedelta(days=n, hours=6)) for own in launched for n in range(7)]
    kpis = pd.DataFrame(
        [
            {"campaign_id": own, "at": at, "known_at": at + timedelta(hours=1), "metric": "revenue", "value": 7.0}
            for own, at in days
            if at >= launched[own]
        ]
    )
    log = History.of_records(asked, launched=launched)
    return replace(log, kpis=History.of_tables({"kpis": kpis}).kpis)


END = MONDAY + timedelta(days=7)


def ended(log: History) -> OutcomeLog:
    """The log as it was read a day after the week's end."""
    return OutcomeLog.read_at(log, END + timedelta(days=1))


def test_a_campaign_after_the_year_is_played_in_the_week_it_was_released_in():
    journey = continued(journey_of(History.empty(), 44), ended(log_of(punctual=MONDAY)))
    assert journey.week_of.to_dict() == {"punctual": int(weeks_at(pd.Series([pd.Timestamp(MONDAY)]))[0])}
    assert held_out_weeks(journey) == list(journey.week_of)
    assert journey.truth.total.tolist() == [49]
    assert learnable_until(journey) == END


def test_what_a_late_launch_forfeited_is_added_to_its_truth():
    log = ended(log_of(punctual=MONDAY, late=MONDAY + timedelta(days=3.5)))
    journey = continued(journey_of(History.empty(), 44), log)
    rows = journey.truth.rows(["punctual", "late"])
    shown = log.history.kpis.query("campaign_id == 'late'").value.sum()
    assert journey.truth.total[rows].tolist() == pytest.approx([49, 2 * shown])
    np.testing.assert_allclose(journey.truth.left(rows[1:], [0.0, 42.0, 84.0]), [2 * shown, 1.5 * shown, shown])


def test_a_log_knows_of_results_to_come_only_what_is_over():
    log = log_of(punctual=MONDAY)
    early = OutcomeLog.read_at(replace(log, kpis=log.kpis.iloc[:3]), MONDAY + timedelta(days=3))
    assert early.until == log.kpis.known_at.iloc[2].to_pydatetime()
    assert early.settled_by(early.until).campaigns.empty
    assert ended(log).until == END
    assert len(ended(log).settled_by(END).campaigns) == 1


def test_one_that_could_show_hardly_anything_is_not_played_but_stays_in_the_history():
    log = ended(log_of(punctual=MONDAY, hopeless=MONDAY + timedelta(days=6.5)))
    journey = continued(journey_of(History.empty(), 44), log)
    assert list(journey.week_of.index) == ["punctual"]
    assert set(journey.history.campaigns.campaign_id) == {"punctual", "hopeless"}


def test_a_campaign_of_the_year_lived_again_keeps_its_week_and_its_truth():
    lived = ended(log_of(again=MONDAY + timedelta(days=3.5)))
    year = journey_of(log_of(again=MONDAY), 44)
    journey = continued(year, lived)
    assert journey.week_of.to_dict() == {"again": 44}
    assert journey.truth.total.tolist() == [49]
    assert journey.history.campaigns.launched_at.tolist() == [pd.Timestamp(MONDAY + timedelta(days=3.5))]


def test_truths_of_unlike_windows_are_joined():
    short = HourlyValue(pd.Index(["a"]), np.zeros(1), np.ones(1), np.array([[0.0, 3.0]]))
    long = HourlyValue(pd.Index(["b"]), np.zeros(1), np.full(1, 3.0), np.array([[0.0, 1.0, 2.0, 4.0]]))
    both = short.joined(long)
    assert both.total.tolist() == [3, 4]
    np.testing.assert_allclose(both.left(both.rows(["a", "b"]), [0.5, 2.0]), [1.5, 2.0])
