"""The queue as it would be: campaigns that do not exist, or stand otherwise than they do. Nothing is changed by it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from features.records import Campaign
from serving.scheduling.board import Board
from serving.scheduling.books import Books
from serving.scheduling.life import events_of
from serving.scheduling.policy import Policy
from serving.scheduling.progress import Progress
from serving.scheduling.roster import Roster
from serving.scheduling.states import LIVE, Event, State, after
from serving.scheduling.work import Standing


def newcomer(campaign: Campaign, moment: datetime) -> Standing:
    """A campaign as if it were submitted at a moment, its work one task."""
    progress = Progress(units=campaign.work_units, tasks=1, queued=1)
    return Standing(campaign=campaign, state=State.SUBMITTED, submitted_at=moment, progress=progress)


def steered(standing: Standing, *, boost: float | None, pinned: bool | None, paused: bool | None) -> Standing:
    """A campaign as if its owner had steered it so; what is None stays.

    Raises
    ------
    IllegalTransition
        When it could not be paused or resumed as it stands.
    """
    state = standing.state
    if paused is not None and paused != (state is State.PAUSED):
        state = after(state, Event.PAUSE if paused else Event.RESUME)
    return replace(
        standing,
        state=state,
        boost=standing.boost if boost is None else boost,
        pinned=standing.pinned if pinned is None else pinned,
    )


def supposed(
    roster: Roster, books: Books, slots: int, policy: Policy, standings: Sequence[Standing], moment: datetime
) -> Board:
    """The queue if these campaigns stood so, beside all others as they are; roster and books stay as they are."""
    apart = roster.copy()
    apart.update([_settled(standing, moment) for standing in standings], moment)
    return Board.of(apart, books.copy(), slots, policy, moment)


def _settled(standing: Standing, moment: datetime) -> Standing:
    """The campaign once what is due has happened to it."""
    while standing.state in LIVE and (events := events_of(standing, moment)):
        state = standing.state
        for event in events:
            state = after(state, event)
        ready_since = moment if state is State.READY else standing.ready_since
        standing = replace(standing, state=state, ready_since=ready_since)
    return standing


def put_back(before: Board, then: Board, but: Collection[str]) -> int:
    """How many campaigns, `but` some, would stand further back than they do."""
    place = {before.standings[row].campaign_id: at for at, row in enumerate(before.line)}
    others = ((then.standings[row].campaign_id, at) for at, row in enumerate(then.line))
    return sum(at > place.get(campaign_id, at) for campaign_id, at in others if campaign_id not in but)
