"""What the roster keeps of a campaign is what the policy is told of it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from features.records import Delivers, ValueShape
from serving.scheduling.progress import Progress
from serving.scheduling.roster import Roster, columns_of
from serving.scheduling.rules import Rules
from serving.scheduling.states import State
from serving.scheduling.work import Standing
from tests.queueing import NOON, a_campaign, after, an_estimate


def test_the_lineup_tells_every_column_of_a_campaign_as_it_is():
    facts = {"value_shape": ValueShape.DEADLINE, "launch_by": after(hours=3), "late_fraction": 0.3}
    estimate = an_estimate()
    standing = Standing(
        campaign=a_campaign(**facts),
        state=State.READY,
        submitted_at=NOON,
        estimate=estimate,
        progress=Progress(units=10, tasks=1, queued=1),
    )
    roster = Roster(Rules(), lambda _: None, refresh_h=1.0)
    roster.update([standing], NOON)
    told, meant = roster.lineup(1, None).columns, columns_of([standing])
    for part, whole in ((told, meant), (told.curves, meant.curves)):
        for each in fields(part):
            if each.name not in ("curves", "rhythm"):
                np.testing.assert_array_equal(getattr(part, each.name), getattr(whole, each.name), each.name)
    roster.update([replace(standing, state=State.DONE)], NOON)
    assert len(roster) == 0


def standing(units_done: float = 0.0, **said: Any) -> Standing:
    """A running campaign of a hundred units in ten chunks, and what a model said of it at noon."""
    progress = Progress(units=100, units_done=units_done, chunks_done=int(units_done / 10), tasks=1, leased=1)
    return Standing(
        campaign=a_campaign(delivers=Delivers.AS_DONE),
        state=State.RUNNING,
        submitted_at=NOON,
        progress=progress,
        estimate=an_estimate(**said),
        estimated_at=NOON,
        source="champion",
    )


def test_what_is_left_is_what_the_model_said_less_what_was_done_since():
    slower = {"p50_h": 10.0, "left_p50_h": 12.0, "left_p90_h": 20.0, "done_when_asked": 0.4}
    then, now = columns_of([standing(40, **slower), standing(55, **slower)]).remaining_h
    assert (then, now) == pytest.approx((12.0, 12.0 * 0.45 / 0.6))


@pytest.mark.parametrize("left_h", [0.01, 6.0, 600.0])
@pytest.mark.parametrize("done", [0.0, 30.0, 90.0, 100.0])
def test_the_share_left_stays_that_of_the_units_however_long_it_takes(left_h: float, done: float):
    columns = columns_of([standing(done, p50_h=10.0, left_p50_h=left_h, done_when_asked=0.3)])
    assert 0 <= columns.remaining_h[0] <= columns.work_h[0]
    assert columns.remaining_h / columns.work_h == pytest.approx(1 - done / 100)
    assert columns.chunk_h / columns.work_h == pytest.approx(0.1 if done else 1.0)
    assert columns.at_stake.value == pytest.approx(500.0 * (1 - done / 100))


def test_work_added_to_a_campaign_that_was_all_done_takes_as_long_as_first_predicted():
    columns = columns_of([standing(80, p50_h=10.0, left_p50_h=0.0, done_when_asked=1.0)])
    assert columns.remaining_h == pytest.approx(10.0 * 0.2)


@pytest.mark.parametrize(
    ("units_done", "asked"),
    [(59, False), (60, True), (100, True), (40, True)],
)
def test_a_model_is_asked_sooner_when_a_tenth_of_the_work_was_done_or_added_since(units_done: float, asked: bool):
    roster = Roster(Rules(), lambda _: None, refresh_h=1.0)
    moved = standing(units_done, done_when_asked=0.5)
    fresh = replace(standing(50, done_when_asked=0.5), campaign=a_campaign("fresh"))
    unknown = replace(standing(), campaign=a_campaign("unknown"), estimate=None, estimated_at=None)
    roster.update([moved, fresh, unknown], NOON)
    assert [s.campaign_id for s in roster.unsure(after(60))] == ["unknown"]
    assert [s.campaign_id for s in roster.unsure(after(120))] == ["unknown", *(["sale"] if asked else [])]
    assert len(roster.unsure(after(hours=1))) == 3
