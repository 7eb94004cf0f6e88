"""What happens to a campaign by the look of its work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from features.records import OnFailure
from serving.scheduling.life import events_of, moves_of
from serving.scheduling.progress import Progress
from serving.scheduling.states import Event, State
from serving.scheduling.states import after as after_event
from serving.scheduling.work import Standing
from tests.queueing import NOON, a_campaign, after, an_estimate

ESTIMATE = an_estimate()
SALE = Standing(campaign=a_campaign(), state=State.READY, submitted_at=NOON, estimate=ESTIMATE)
QUEUED = Progress(units=10, tasks=1, queued=1)
LEASED = Progress(units=10, tasks=1, leased=1)
DONE = Progress(units=10, tasks=1, done=1)
STUCK = Progress(units=20, tasks=2, dead=1)

CLEAR, START, BLOCK, GIVE_WAY = Event.CLEAR, Event.START, Event.BLOCK, Event.GIVE_WAY


@pytest.mark.parametrize(
    ("state", "progress", "events"),
    [
        (State.SUBMITTED, QUEUED, (CLEAR,)),
        (State.WAITING, QUEUED, (CLEAR,)),
        (State.READY, QUEUED, ()),
        (State.RUNNING, QUEUED, (GIVE_WAY,)),
        (State.PAUSED, QUEUED, ()),
        (State.RUNNING, LEASED, ()),
        (State.PAUSED, LEASED, ()),
        (State.READY, LEASED, (START,)),
        (State.WAITING, LEASED, (CLEAR, START)),  # resumed before its chunk in flight reached a checkpoint
        (State.RUNNING, DONE, (Event.FINISH,)),
        (State.PAUSED, DONE, (Event.FINISH,)),
        (State.WAITING, DONE, (CLEAR, START, Event.FINISH)),
        (State.RUNNING, STUCK, (Event.FAIL,)),  # the other task follows the dead one
    ],
)
def test_a_campaign_is_moved_to_where_its_work_is(state, progress, events):
    standing = replace(SALE, state=state, progress=progress, worked_at=after(5))
    assert events_of(standing, NOON) == events
    for event in events:
        state = after_event(state, event)
    assert moves_of([replace(standing, state=state)], NOON) == [], "one look is enough"


@pytest.mark.parametrize(
    ("state", "events"),
    [
        (State.SUBMITTED, (Event.EXPIRE,)),
        (State.READY, (Event.EXPIRE,)),
        (State.PAUSED, (Event.EXPIRE,)),
        (State.RUNNING, (GIVE_WAY, Event.EXPIRE)),
    ],
)
def test_a_campaign_past_its_end_that_holds_no_slot_expires(state, events):
    assert events_of(replace(SALE, state=state, progress=QUEUED), after(hours=24)) == events
    assert events_of(replace(SALE, state=State.RUNNING, progress=LEASED), after(hours=24)) == ()


def test_a_campaign_without_an_estimate_does_not_contend():
    assert events_of(replace(SALE, state=State.SUBMITTED, progress=QUEUED, estimate=None), NOON) == ()


@pytest.mark.parametrize("state", [State.FAILED, State.EXPIRED, State.CANCELLED])
def test_a_predecessor_that_never_finishes_cancels_those_that_ask_for_it(state):
    held = replace(SALE, progress=QUEUED, blocked_by=(("first", state),))
    asks = replace(held, campaign=a_campaign(on_failure=OnFailure.CANCEL))
    assert events_of(held, NOON) == (BLOCK,)
    assert events_of(asks, NOON) == (Event.CANCEL,)
    assert events_of(replace(asks, state=State.RUNNING), NOON) == (GIVE_WAY, Event.CANCEL)


def test_a_launch_is_dated_when_the_last_task_ended():
    (move,) = moves_of([replace(SALE, state=State.RUNNING, progress=DONE, worked_at=after(5))], after(9))
    assert move.launched_at == after(5)
