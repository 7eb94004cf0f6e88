"""What may be asked of a backtest."""

from __future__ import annotations

from typing import Any

import pytest

from features.records import ValueLabel
from serving.errors import BadInput
from training.backtest import Release
from training.backtest.asked import plan_of


def test_all_weeks_with_a_known_worth_are_played_unless_some_are_named():
    assert plan_of(ValueLabel.GROSS).weeks == tuple(range(24, 53))
    assert plan_of(ValueLabel.INCREMENTAL).weeks == tuple(range(24, 50))
    assert plan_of(ValueLabel.GROSS, "44-46").weeks == (44, 45, 46)
    assert plan_of(ValueLabel.GROSS, "51").weeks == (51,)


def test_some_loads_and_releases_are_played_alone():
    plan = plan_of(ValueLabel.GROSS, loads=[0.5, 2.0], releases=["staggered"], replicates=3)
    assert [(s.load, s.release, s.replicates) for s in plan.settings] == [
        (0.5, Release.STAGGERED, 3),
        (2.0, Release.STAGGERED, 3),
    ]
    (setting,) = plan_of(ValueLabel.GROSS, preemptive=True).settings
    assert (setting.load, setting.release, setting.preemptive) == (1.0, Release.TOGETHER, True)


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"weeks": "20-30"}, "weeks is '20-30': a week or from-to within 24 to 52"),
        ({"weeks": "later"}, "weeks is 'later'"),
        ({"weeks": "46-44"}, "weeks is '46-44'"),
        ({"loads": [0.0]}, "load is 0.0: above 0 and at most 10"),
        ({"replicates": 0}, "replicates is 0: from 1 to 1000"),
        ({"releases": ["weekly"]}, "release is 'weekly': one of together"),
    ],
)
def test_what_cannot_be_played_is_refused_by_name(asked: dict[str, Any], complaint: str):
    with pytest.raises(BadInput, match=complaint):
        plan_of(ValueLabel.GROSS, **asked)


def test_weeks_of_an_unknown_increment_are_refused_with_the_reason():
    with pytest.raises(BadInput, match="within 24 to 49, such as 44-49; incremental value is not known of later ones"):
        plan_of(ValueLabel.INCREMENTAL, "44-52")
