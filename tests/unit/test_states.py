"""The life of a campaign: the whole table, and what it refuses."""

from __future__ import annotations

import pytest

from serving.errors import IllegalTransition
from serving.scheduling.states import LIVE, TRANSITIONS, Event, State, after


def lived(*events: Event) -> State:
    state = State.SUBMITTED
    for event in events:
        state = after(state, event)
    return state


def test_a_campaign_waits_gets_ready_runs_and_is_done() -> None:
    assert lived(Event.BLOCK) is State.WAITING
    assert lived(Event.BLOCK, Event.CLEAR) is State.READY
    assert lived(Event.CLEAR, Event.START) is State.RUNNING
    assert lived(Event.CLEAR, Event.START, Event.FINISH) is State.DONE


def test_a_preempted_campaign_is_ready_again_and_one_that_backs_off_waits() -> None:
    assert lived(Event.CLEAR, Event.START, Event.GIVE_WAY) is State.READY
    assert lived(Event.CLEAR, Event.START, Event.BLOCK) is State.WAITING


def test_a_paused_campaign_is_judged_afresh_when_it_resumes() -> None:
    assert lived(Event.CLEAR, Event.START, Event.PAUSE, Event.RESUME) is State.WAITING


def test_the_chunk_in_flight_of_a_paused_campaign_may_be_its_last() -> None:
    assert lived(Event.CLEAR, Event.START, Event.PAUSE, Event.FINISH) is State.DONE


def test_a_failed_campaign_can_be_driven_again() -> None:
    assert lived(Event.CLEAR, Event.START, Event.FAIL, Event.REDRIVE) is State.WAITING


@pytest.mark.parametrize("state", sorted(LIVE))
def test_any_live_campaign_can_be_cancelled(state: State) -> None:
    assert after(state, Event.CANCEL) is State.CANCELLED


@pytest.mark.parametrize("state", sorted(LIVE - {State.PAUSED}))
def test_any_live_campaign_can_be_paused(state: State) -> None:
    assert after(state, Event.PAUSE) is State.PAUSED


def test_what_runs_does_not_expire() -> None:
    assert {state for state in State if Event.EXPIRE in TRANSITIONS[state]} == LIVE - {State.RUNNING}


@pytest.mark.parametrize("state", [State.DONE, State.EXPIRED, State.CANCELLED])
@pytest.mark.parametrize("event", list(Event))
def test_an_end_is_an_end(state: State, event: Event) -> None:
    with pytest.raises(IllegalTransition, match=f"a campaign that is {state} cannot {event}"):
        after(state, event)


def test_a_refusal_names_what_is_allowed() -> None:
    with pytest.raises(IllegalTransition) as refused:
        after(State.FAILED, Event.START)
    assert refused.value.fields == {"state": "failed", "event": "start", "allowed": ["redrive"]}


def test_every_state_has_its_row_and_can_be_reached() -> None:
    reached = {State.SUBMITTED} | {state for row in TRANSITIONS.values() for state in row.values()}
    assert reached == set(TRANSITIONS) == set(State)
