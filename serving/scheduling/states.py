"""The life of a campaign: every state, every event, one table of what follows what."""

from __future__ import annotations

from enum import StrEnum

from serving.errors import IllegalTransition


class State(StrEnum):
    """Where a campaign stands."""

    SUBMITTED = "submitted"
    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """What happens to a campaign."""

    BLOCK = "block"
    """Something holds it: not released yet, a predecessor, a back-off."""
    CLEAR = "clear"
    """Nothing holds it any more."""
    START = "start"
    """It got its first slot."""
    GIVE_WAY = "give_way"
    """It holds no slot any more and is not done: preempted, stopped at a checkpoint, or its lease ran out."""
    FINISH = "finish"
    """All its work is done."""
    FAIL = "fail"
    """Its work failed for good."""
    EXPIRE = "expire"
    """Its end passed while it held no slot; what already runs is let finish."""
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    """Back to waiting, where what holds it is judged afresh."""
    REDRIVE = "redrive"
    """Try a failed campaign again."""


LIVE = frozenset({State.SUBMITTED, State.WAITING, State.READY, State.RUNNING, State.PAUSED})
"""States that may still lead to work."""

NEVER_DONE = frozenset({State.FAILED, State.EXPIRED, State.CANCELLED})
"""States of campaigns that ended otherwise than by being done."""

_ENDS_EARLY = {Event.EXPIRE: State.EXPIRED, Event.CANCEL: State.CANCELLED}

TRANSITIONS: dict[State, dict[Event, State]] = {
    State.SUBMITTED: {
        Event.BLOCK: State.WAITING,
        Event.CLEAR: State.READY,
        Event.PAUSE: State.PAUSED,
        **_ENDS_EARLY,
    },
    State.WAITING: {Event.CLEAR: State.READY, Event.PAUSE: State.PAUSED, **_ENDS_EARLY},
    State.READY: {Event.BLOCK: State.WAITING, Event.START: State.RUNNING, Event.PAUSE: State.PAUSED, **_ENDS_EARLY},
    State.RUNNING: {
        Event.GIVE_WAY: State.READY,
        Event.BLOCK: State.WAITING,
        Event.FINISH: State.DONE,
        Event.FAIL: State.FAILED,
        Event.PAUSE: State.PAUSED,
        Event.CANCEL: State.CANCELLED,
    },
    # The chunk in flight when a campaign is paused runs on to its checkpoint, and may be the last one.
    State.PAUSED: {Event.RESUME: State.WAITING, Event.FINISH: State.DONE, Event.FAIL: State.FAILED, **_ENDS_EARLY},
    State.FAILED: {Event.REDRIVE: State.WAITING},
    State.DONE: {},
    State.EXPIRED: {},
    State.CANCELLED: {},
}


def after(state: State, event: Event) -> State:
    """The state that `event` leads to.

    Raises
    ------
    IllegalTransition
        When the state does not allow the event; it names those allowed.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(state, event, tuple(TRANSITIONS[state])) from None
