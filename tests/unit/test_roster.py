"""What the roster keeps of a campaign is what the policy is told of it."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from features.records import ValueShape
from serving.scheduling.roster import Roster, columns_of
from serving.scheduling.rules import Rules
from serving.scheduling.states import State
from serving.scheduling.work import Estimate, Progress, Standing
from tests.queueing import NOON, a_campaign, after


def test_the_lineup_tells_every_column_of_a_campaign_as_it_is():
    facts = {"value_shape": ValueShape.DEADLINE, "launch_by": after(hours=3), "late_fraction": 0.3}
    estimate = Estimate(campaign_id="sale", value=100.0, points=40.0, p50_h=2.0, p90_h=3.0)
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
