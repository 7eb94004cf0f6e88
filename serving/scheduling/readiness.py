"""Whether a campaign's work may start, and when time alone will change that."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from features.curves import hours
from features.records import Campaign, ValueShape
from serving.scheduling.reasons import held_by
from serving.scheduling.states import State
from serving.scheduling.work import Standing


def waiting_tasks(standing: Standing) -> int:
    """Tasks that could start now."""
    return standing.progress.queued - standing.backing_off


def startable(standing: Standing, moment: datetime) -> bool:
    """Whether a free slot may go to the campaign: it has work that may start, and is still worth something."""
    gone_at = worthless_from(standing.campaign)
    return (
        standing.state in (State.READY, State.RUNNING)
        and waiting_tasks(standing) > 0
        and (gone_at is None or moment < gone_at)
        and held_by(standing, moment) is None
    )


def worthless_from(campaign: Campaign) -> datetime | None:
    """From when on nothing can be won with the campaign any more, however fast it were done; None for never."""
    nothing_when_late = campaign.value_shape is ValueShape.DEADLINE and campaign.late_fraction == 0
    ends = [at for at in (campaign.ends_at, campaign.launch_by if nothing_when_late else None) if at is not None]
    return min(ends, default=None)


def holds_keys(standing: Standing) -> bool:
    """Whether the campaign keeps others from its exclusive keys: from its first slot to its end.

    Half of a mailing, then another to the same segment, is what such a key forbids; so a campaign that waits between
    two chunks holds it too. One that was paused, and has no task running, lets go.
    """
    return standing.begun_at is not None and (standing.state is not State.PAUSED or standing.progress.leased > 0)


def changes_h(standing: Standing, moment: datetime) -> float:
    """When time alone next changes what may be done with the campaign, hours since the epoch; infinite for never."""
    moments = (standing.campaign.released_at, standing.retry_at, worthless_from(standing.campaign))
    return min((hours(at) for at in moments if at is not None and at > moment), default=np.inf)
