"""What happens to campaigns by the look of their work: the scheduler's moves along the table of states."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from features.records import OnFailure
from serving.scheduling.readiness import worthless_from
from serving.scheduling.reasons import held_by
from serving.scheduling.states import LIVE, NEVER_DONE, Event, State, after
from serving.scheduling.work import Move, Standing

_TO_RUNNING = {
    State.SUBMITTED: (Event.CLEAR, Event.START),
    State.WAITING: (Event.CLEAR, Event.START),
    State.READY: (Event.START,),
}
_TO_READY = {
    State.SUBMITTED: (Event.CLEAR,),
    State.WAITING: (Event.CLEAR,),
    State.RUNNING: (Event.GIVE_WAY,),
}


def moves_of(standings: Iterable[Standing], moment: datetime) -> list[Move]:
    """The changes of state that are due; none for campaigns that are where they belong."""
    moves = []
    for standing in standings:
        state = standing.state
        if state not in LIVE:
            continue
        for event in events_of(standing, moment):
            launched_at = standing.worked_at if event is Event.FINISH else None
            moves.append(Move(campaign_id=standing.campaign_id, before=state, event=event, launched_at=launched_at))
            state = after(state, event)
    return moves


def events_of(standing: Standing, moment: datetime) -> tuple[Event, ...]:
    """What happens to one campaign now, in order."""
    state, progress = standing.state, standing.progress
    if progress.queued == progress.leased == 0:
        # What is left follows a dead letter, and never comes to run.
        return (*_TO_RUNNING.get(state, ()), Event.FAIL if progress.dead else Event.FINISH)
    if progress.leased:
        return _TO_RUNNING.get(state, ())
    ended = _ended_early(standing, moment)
    if ended is not None:
        return (Event.GIVE_WAY, ended) if state is State.RUNNING else (ended,)
    if state is State.PAUSED or standing.estimate is None:
        return ()
    if held_by(standing, moment) is not None:
        return () if state is State.WAITING else (Event.BLOCK,)
    return _TO_READY.get(state, ())


def _ended_early(standing: Standing, moment: datetime) -> Event | None:
    """What ends a campaign that holds no slot before its work is done."""
    campaign, gone_at = standing.campaign, worthless_from(standing.campaign)
    if gone_at is not None and gone_at <= moment:
        return Event.EXPIRE
    never = any(state in NEVER_DONE for _, state in standing.blocked_by)
    return Event.CANCEL if never and campaign.on_failure is OnFailure.CANCEL else None
