"""Why a campaign is not running: one reason each, the one that would have to go first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from serving.scheduling.states import State
from serving.scheduling.work import Standing


class Reason(StrEnum):
    """What keeps a campaign from running, in the order they are looked for."""

    PAUSED = "paused"
    NOT_RELEASED = "not_released"
    DEPENDS_ON = "depends_on"
    BACKING_OFF = "backing_off"
    CONFLICTS_WITH = "conflicts_with"
    FREQUENCY_CAPPED = "frequency_capped"
    CONCURRENCY_LIMITED = "concurrency_limited"
    RATE_LIMITED = "rate_limited"
    OUTRANKED = "outranked"
    NO_WORKER = "no_worker"


@dataclass(frozen=True)
class Why:
    """A reason, with the campaign, key or target it is about, and until when it holds, where that is known."""

    reason: Reason
    object: str | None = None
    until: datetime | None = None


def held_by(standing: Standing, moment: datetime) -> Why | None:
    """What keeps the campaign from contending for a slot at `moment`; None if nothing does.

    The scheduler blocks and clears campaigns by this answer, so a state and its reason cannot disagree.
    """
    campaign, progress = standing.campaign, standing.progress
    if standing.state is State.PAUSED:
        return Why(Reason.PAUSED)
    if moment < campaign.released_at:
        return Why(Reason.NOT_RELEASED, until=campaign.released_at)
    if standing.blocked_by:
        return Why(Reason.DEPENDS_ON, object=standing.blocked_by[0][0])
    retry_at = standing.retry_at
    if retry_at is not None and moment < retry_at and standing.backing_off >= progress.queued:
        return Why(Reason.BACKING_OFF, until=retry_at)
    return None


def why(standing: Standing, moment: datetime, *, hindered: Why | None, ahead: str | None, slots: int) -> Why | None:
    """Why the campaign is not running at `moment`; None for one that runs, or never will again.

    Parameters
    ----------
    hindered : what holds it although it has work that could start: a conflict, a cap or a limit.
    ahead : id of the waiting campaign just ahead of it in rank; None for the first.
    slots : slots of all workers that are alive, busy or not.
    """
    if standing.state not in _WAITS:
        return None
    held = held_by(standing, moment) or hindered
    if held is not None:
        return held
    # Without a single worker, nobody waits for the campaign ahead: all wait for a worker.
    if ahead is not None and slots > 0:
        return Why(Reason.OUTRANKED, object=ahead)
    return Why(Reason.NO_WORKER)


_WAITS = frozenset({State.SUBMITTED, State.WAITING, State.READY, State.PAUSED})
