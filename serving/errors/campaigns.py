"""A campaign, or the work on it, is not where the request takes it to be."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from serving.errors.base import ExitCode, PrecedenceError


class CampaignUnknown(PrecedenceError):
    """No campaign of that name was submitted."""

    status = HTTPStatus.NOT_FOUND
    exit_code = ExitCode.UNKNOWN
    title = "Unknown campaign"

    def __init__(self, campaign_id: str) -> None:
        super().__init__(
            f"no campaign {campaign_id!r} was submitted: submit it with PUT /campaigns/{campaign_id}",
            campaign_id=campaign_id,
        )


class CampaignConflict(PrecedenceError):
    """The campaign was submitted before with other content."""

    status = HTTPStatus.CONFLICT
    exit_code = ExitCode.CONFLICT
    title = "Already submitted with other content"

    def __init__(self, campaign_id: str) -> None:
        super().__init__(
            f"campaign {campaign_id!r} was submitted before with other content:"
            f" change its facts with PATCH /campaigns/{campaign_id}, or submit it under another id",
            campaign_id=campaign_id,
        )


class IllegalTransition(PrecedenceError):
    """A campaign cannot go from its state to the one asked for."""

    status = HTTPStatus.CONFLICT
    exit_code = ExitCode.CONFLICT
    title = "Not possible in this state"

    def __init__(self, state: str, event: str, allowed: Sequence[str]) -> None:
        options = ", ".join(allowed) or "nothing: the state is final"
        super().__init__(
            f"a campaign that is {state} cannot {event}: allowed here is {options}",
            state=state,
            event=event,
            allowed=list(allowed),
        )


class NothingDead(PrecedenceError):
    """The campaign has no dead letter that could be tried again."""

    status = HTTPStatus.CONFLICT
    exit_code = ExitCode.CONFLICT
    title = "No dead letters"

    def __init__(self, campaign_id: str) -> None:
        super().__init__(
            f"campaign {campaign_id!r} has no dead letters: GET /dead-letters lists those there are",
            campaign_id=campaign_id,
        )


class StaleLease(PrecedenceError):
    """A worker reports on a task that was leased again, or settled, meanwhile."""

    status = HTTPStatus.CONFLICT
    exit_code = ExitCode.CONFLICT
    title = "The lease is stale"

    def __init__(self, lease_id: str) -> None:
        super().__init__(
            f"lease {lease_id!r} is stale: its task was given on or settled meanwhile, so this report is dropped",
            lease_id=lease_id,
        )
