"""Whoever asks about a campaign that is over is told why."""

from __future__ import annotations

import pytest

from serving.api.endings import ending
from serving.scheduling.progress import Progress
from serving.scheduling.states import State
from serving.scheduling.work import Standing
from tests.queueing import NOON, a_campaign, after


def standing(state: State, **facts: object) -> Standing:
    progress = Progress(units=10.0, units_done=2.5, tasks=4, done=1, dead=1, queued=2)
    return Standing(campaign=a_campaign(), state=state, submitted_at=NOON, progress=progress, **facts)  # type: ignore[arg-type]


def test_an_expired_campaign_says_since_when_and_how_far_it_was() -> None:
    said = f"nothing was left to win since {after(hours=24).isoformat()}, with 75 % of its work undone"
    assert ending(standing(State.EXPIRED)) == said


def test_a_failed_campaign_says_how_many_of_its_tasks_did() -> None:
    assert ending(standing(State.FAILED)) == "1 of its 4 tasks failed for good: see GET /dead-letters"


def test_a_cancelled_campaign_names_the_predecessor_that_took_it_along() -> None:
    assert ending(standing(State.CANCELLED)) == "it was cancelled"
    blocked = (("teaser", State.FAILED), ("other", State.READY))
    assert ending(standing(State.CANCELLED, blocked_by=blocked)) == "it followed teaser, which never got done"


@pytest.mark.parametrize("state", [State.DONE, State.READY, State.RUNNING, State.PAUSED])
def test_there_is_nothing_to_tell_of_others(state: State) -> None:
    assert ending(standing(state)) is None
