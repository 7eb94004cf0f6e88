"""Why a campaign is not running: one reason, the one that would have to go first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from serving.scheduling.progress import Progress
from serving.scheduling.reasons import Reason, Why, why
from serving.scheduling.states import State
from serving.scheduling.work import Standing
from tests.worlds import MONDAY, campaign

LATER = MONDAY + timedelta(hours=5)


def standing(state: State = State.READY, released_at: Any = MONDAY, **facts: Any) -> Standing:
    queued = Progress(units=10, tasks=2, queued=2)
    return Standing(
        campaign=campaign(released_at=released_at), state=state, submitted_at=MONDAY, **{"progress": queued, **facts}
    )


def asked(of: Standing, ahead: str | None = None, slots: int = 4) -> Why | None:
    return why(of, MONDAY, hindered=None, ahead=ahead, slots=slots)


def test_not_released_until_its_release() -> None:
    assert asked(standing(State.WAITING, LATER)) == Why(Reason.NOT_RELEASED, until=LATER)


def test_paused_comes_before_all_other_reasons() -> None:
    held = standing(State.PAUSED, LATER, blocked_by=(("first", State.RUNNING),))
    assert asked(held, ahead="other") == Why(Reason.PAUSED)


def test_depends_on_the_first_predecessor_that_is_not_done() -> None:
    held = standing(State.WAITING, blocked_by=(("first", State.RUNNING), ("second", None)))
    assert asked(held) == Why(Reason.DEPENDS_ON, object="first")


def test_backing_off_until_a_task_may_run_again() -> None:
    assert asked(standing(State.WAITING, backing_off=2, retry_at=LATER)) == Why(Reason.BACKING_OFF, until=LATER)


def test_one_task_that_can_run_is_enough_not_to_back_off() -> None:
    assert asked(standing(backing_off=1, retry_at=LATER)) == Why(Reason.NO_WORKER)


def test_a_back_off_that_is_over_holds_nobody() -> None:
    assert asked(standing(backing_off=2, retry_at=MONDAY)) == Why(Reason.NO_WORKER)


def test_outranked_by_the_campaign_ahead() -> None:
    assert asked(standing(), ahead="bigger") == Why(Reason.OUTRANKED, object="bigger")


def test_the_first_in_line_waits_for_a_worker() -> None:
    assert asked(standing()) == Why(Reason.NO_WORKER)


def test_without_any_worker_all_wait_for_one() -> None:
    assert asked(standing(), ahead="bigger", slots=0) == Why(Reason.NO_WORKER)


@pytest.mark.parametrize("state", [State.RUNNING, State.DONE, State.FAILED, State.EXPIRED, State.CANCELLED])
def test_no_reason_for_what_does_not_wait(state: State) -> None:
    assert asked(standing(state, LATER)) is None
