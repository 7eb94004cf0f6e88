"""Why a campaign came to its end, in a sentence, by the look of where it stands."""

from __future__ import annotations

from serving.scheduling.readiness import worthless_from
from serving.scheduling.states import State
from serving.scheduling.work import Standing


def ending(standing: Standing) -> str | None:
    """What ended the campaign; None for one that is live, or that ended by being done."""
    if standing.state is State.EXPIRED:
        gone_at = worthless_from(standing.campaign)
        since = "" if gone_at is None else f" since {gone_at.isoformat()}"
        return f"nothing was left to win{since}, with {100 * standing.progress.share_left:.0f} % of its work undone"
    if standing.state is State.FAILED:
        dead = standing.progress.dead
        return f"{dead} of its {standing.progress.tasks} tasks failed for good: see GET /dead-letters"
    if standing.state is State.CANCELLED:
        never = [name for name, state in standing.blocked_by if state in _NEVER_DONE]
        return f"it followed {', '.join(never)}, which never got done" if never else "it was cancelled"
    return None


_NEVER_DONE = frozenset({State.FAILED, State.EXPIRED, State.CANCELLED})
