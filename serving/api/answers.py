"""What both APIs answer; the typed client reads the same records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import AwareDatetime

from features.records import Campaign
from serving.api.endings import ending
from serving.prediction import Explanation, ModelIdentity, Prediction
from serving.scheduling.ahead.eta import Eta
from serving.scheduling.ahead.turns import eta_of
from serving.scheduling.board import Board
from serving.scheduling.reasons import Reason
from serving.scheduling.states import State
from serving.scheduling.work import Standing


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """`POST /predict`: which model answered, and one prediction a campaign, in the order asked."""

    model: ModelIdentity
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True, kw_only=True)
class Explanations:
    """`POST /explain`: the same, with reasons."""

    model: ModelIdentity
    predictions: tuple[Explanation, ...]


class Outlook(StrEnum):
    """Whether a campaign will make its `launch_by`: even on a bad day, only on a middling one, or not even then."""

    LIKELY = "likely"
    UNCERTAIN = "uncertain"
    UNLIKELY = "unlikely"


@dataclass(frozen=True, kw_only=True)
class Feasibility:
    """Whether a campaign will make its `launch_by`, and with which probability."""

    outlook: Outlook
    probability: float

    @classmethod
    def of(cls, probability: float) -> Self:
        """The outlook that a probability amounts to: from .9 on likely, below .5 unlikely."""
        likely = Outlook.LIKELY if probability >= _LIKELY else Outlook.UNCERTAIN
        return cls(outlook=likely if probability >= _EVEN else Outlook.UNLIKELY, probability=probability)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A moment as it is predicted, on a middling and on a bad day; None if nobody can say."""

    p50: AwareDatetime | None
    p90: AwareDatetime | None


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """When a campaign is predicted to be done, on a middling and on a bad day, and when to begin."""

    p50: AwareDatetime | None
    p90: AwareDatetime | None
    start: Expected

    @classmethod
    def of(cls, eta: Eta, begun_at: datetime | None) -> Self:
        """As predicted; what has begun since is known to have."""
        start = Expected(p50=begun_at or eta.start_p50, p90=begun_at or eta.start_p90)
        return cls(p50=eta.p50, p90=eta.p90, start=start)


@dataclass(frozen=True, kw_only=True)
class WhyNot:
    """What keeps a campaign from running: the reason, whom it is about, and until when, where that is known."""

    reason: Reason
    object: str | None
    until: AwareDatetime | None


@dataclass(frozen=True, kw_only=True)
class Work:
    """How far a campaign's work has come; `share_done` is by units, 0-1."""

    share_done: float
    tasks: int
    done: int
    running: int
    dead: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a campaign stands.

    Attributes
    ----------
    position : 1 for what runs or would start first; None once it cannot start any more, or until it is ranked.
    score : 0-100; index : $ lost per slot-hour if deferred; value : $ if live in time; None where unknown.
    model_version, source, fallback : which model said so, and why not the champion.
    eta : when it will probably be done, and begin.
    feasibility : None without a `launch_by` or a predicted finish.
    ended : why it will not run any more, where that is not by being done.
    """

    campaign_id: str
    account: str
    state: State
    position: int | None
    score: float | None
    index: float | None
    value: float | None
    model_version: str | None
    source: str | None
    fallback: str | None
    eta: Arrival | None
    feasibility: Feasibility | None
    why: WhyNot | None
    ended: str | None
    progress: Work
    boost: float
    pinned: bool
    preemptions: int
    submitted_at: AwareDatetime
    launched_at: AwareDatetime | None

    @classmethod
    def of(cls, standing: Standing, board: Board, **more: Any) -> Self:
        """The campaign's place as the board sees it; `more` fills the fields of a subclass."""
        entry = board.entry(standing.campaign_id)
        eta = eta_of(board, standing.campaign_id)
        why = entry.why if entry else None
        estimate, progress = standing.estimate, standing.progress
        return cls(
            campaign_id=standing.campaign_id,
            account=standing.campaign.account,
            state=standing.state,
            position=entry.position if entry else None,
            score=entry.score if entry else standing.score,
            index=entry.index if entry else None,
            value=estimate.value if estimate else None,
            model_version=standing.model_version,
            source=standing.source,
            fallback=estimate.fallback if estimate else None,
            eta=Arrival.of(eta, standing.begun_at) if eta else None,
            feasibility=None if eta is None or eta.in_time is None else Feasibility.of(eta.in_time),
            why=WhyNot(reason=why.reason, object=why.object, until=why.until) if why else None,
            ended=ending(standing),
            progress=Work(
                share_done=progress.share_done,
                tasks=progress.tasks,
                done=progress.done,
                running=progress.leased,
                dead=progress.dead,
            ),
            boost=standing.boost,
            pinned=standing.pinned,
            preemptions=standing.preemptions,
            submitted_at=standing.submitted_at,
            launched_at=standing.launched_at,
            **more,
        )


@dataclass(frozen=True, kw_only=True)
class Placed(Place):
    """A campaign's place with its facts as they are now."""

    campaign: Campaign


@dataclass(frozen=True, kw_only=True)
class TasksAdded(Place):
    """A campaign's place after tasks were added; those already there are not counted again."""

    added: int


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Live campaigns in the order work would start; `total` counts those that match, shown or not."""

    moment: AwareDatetime
    slots: int
    by_matrix: bool
    total: int
    campaigns: tuple[Place, ...]


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Where a campaign stands, None for one that is not there, and where it would."""

    campaign_id: str
    before: Place | None
    after: Place


@dataclass(frozen=True, kw_only=True)
class Supposed:
    """`POST /what-if`: the campaigns asked about as they would stand, the one that is not there first.

    Attributes
    ----------
    put_back : how many others would stand further back than they do.
    """

    moment: AwareDatetime
    campaigns: tuple[Moved, ...]
    put_back: int


@dataclass(frozen=True, kw_only=True)
class Stored:
    """How many rows were stored; a result that was there in every field is not stored again."""

    stored: int


@dataclass(frozen=True, kw_only=True)
class DeadTask:
    """A task that failed for good, what it failed of last, and after how many attempts."""

    campaign_id: str
    task_id: str
    error: str
    attempts: int
    died_at: AwareDatetime


@dataclass(frozen=True, kw_only=True)
class DeadLetters:
    """Tasks that failed for good, oldest first; `total` counts those that match, shown or not."""

    total: int
    dead_letters: tuple[DeadTask, ...]


@dataclass(frozen=True, kw_only=True)
class Redriven:
    """How many dead letters of a campaign are queued again."""

    campaign_id: str
    redriven: int


_LIKELY, _EVEN = 0.9, 0.5
