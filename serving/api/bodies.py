"""Request bodies: their shapes, and the one strict way they are read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypeVar

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import AwareDatetime, ConfigDict, FiniteFloat, TypeAdapter, ValidationError
from pydantic_core import from_json

from features.records import Campaign, Identifier, Kpi, Signal, Task
from serving.api.faults import faults_of, shown
from serving.api.times import written_out
from serving.errors import BadInput, NotJson
from serving.prediction import Headway
from serving.scheduling.columns import LEAST_BOOST, MOST_BOOST

STRICT = ConfigDict(extra="forbid")

MOST_CAMPAIGNS, MOST_EXPLAINED, MOST_TASKS, MOST_FACTS, MOST_SUPPOSED = 100_000, 10_000, 100_000, 100_000, 1_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`POST /predict` and `/explain`: campaigns, the moment asked about (default: now), and how far work has come."""

    campaigns: Annotated[tuple[Campaign, ...], MaxLen(MOST_CAMPAIGNS)]
    at: AwareDatetime | None = None
    progress: dict[str, Headway] | None = None

    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        unknown = set(self.progress or ()) - {campaign.campaign_id for campaign in self.campaigns}
        if unknown:
            raise ValueError(f"progress must name only campaigns that are asked about, not {shown(min(unknown))!r}")


@dataclass(frozen=True, kw_only=True)
class Submission(Campaign):
    """`PUT /campaigns/{id}`: a campaign with its tasks; `campaign_id` may be left to the path."""

    tasks: Annotated[tuple[Task, ...], MaxLen(MOST_TASKS)] = ()

    __pydantic_config__ = STRICT


@dataclass(frozen=True, kw_only=True)
class Change:
    """`PATCH /campaigns/{id}`: facts that changed, and how the operator steers it; what is absent stays."""

    facts: dict[str, Any] = field(default_factory=dict)
    boost: Annotated[FiniteFloat, Ge(LEAST_BOOST), Le(MOST_BOOST)] | None = None
    pin: bool | None = None
    paused: bool | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True, kw_only=True)
class MoreTasks:
    """`POST /campaigns/{id}/tasks`."""

    tasks: Annotated[tuple[Task, ...], MaxLen(MOST_TASKS)]

    __pydantic_config__ = STRICT


@dataclass(frozen=True, kw_only=True)
class Redrive:
    """`POST /campaigns/{id}/redrive`: the dead letters meant, all of the campaign's by default."""

    task_ids: Annotated[tuple[Identifier, ...], MinLen(1), MaxLen(MOST_TASKS)] | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """`POST /outcomes`."""

    kpis: Annotated[tuple[Kpi, ...], MaxLen(MOST_FACTS)]

    __pydantic_config__ = STRICT


@dataclass(frozen=True, kw_only=True)
class Signals:
    """`POST /signals`."""

    signals: Annotated[tuple[Signal, ...], MaxLen(MOST_FACTS)]

    __pydantic_config__ = STRICT


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """`POST /what-if`: a campaign that is not there, and changes of those that are, by their ids; nothing is stored."""

    campaign: Campaign | None = None
    changes: Annotated[dict[str, Change], MaxLen(MOST_SUPPOSED)] = field(default_factory=dict)

    __pydantic_config__ = STRICT


def refuse_more_than(most: int, asked: Asked) -> None:
    """Refuse a body of more campaigns than this service takes at once.

    Raises
    ------
    BadInput
    """
    count = len(asked.campaigns)
    if count > most:
        raise BadInput(
            "campaigns", f"{count} campaigns", f"must be at most {most}: ask for the rest in another request"
        )


ASKED: TypeAdapter[Asked] = TypeAdapter(Asked)
SUBMISSION: TypeAdapter[Submission] = TypeAdapter(Submission)
CHANGE: TypeAdapter[Change] = TypeAdapter(Change)
MORE_TASKS: TypeAdapter[MoreTasks] = TypeAdapter(MoreTasks)
REDRIVE: TypeAdapter[Redrive] = TypeAdapter(Redrive)
WHAT_IF: TypeAdapter[WhatIf] = TypeAdapter(WhatIf)
OUTCOMES: TypeAdapter[Outcomes] = TypeAdapter(Outcomes)
SIGNALS: TypeAdapter[Signals] = TypeAdapter(Signals)
CAMPAIGN: TypeAdapter[Campaign] = TypeAdapter(Campaign)
TASKS: TypeAdapter[tuple[Task, ...]] = TypeAdapter(tuple[Task, ...])


_MOMENT: TypeAdapter[AwareDatetime] = TypeAdapter(AwareDatetime)

Body = TypeVar("Body")


def read(body: TypeAdapter[Body], data: bytes | str) -> Body:
    """A body from JSON: numbers as numbers, times as text with an offset, no field unknown.

    Raises
    ------
    NotJson
        When it is not JSON; NaN and Infinity are not.
    BadInput
        Naming every field at fault, its value and what is allowed.
    """
    written_out(parsed(data))
    return _validated(body, data)


def read_for(campaign_id: str, body: TypeAdapter[Body], data: bytes | str) -> Body:
    """A body about the campaign of the path, which need not be repeated in the body nor in its tasks.

    Raises
    ------
    NotJson, BadInput
        As `read` does; also when the body names another campaign than the path.
    """
    document = parsed(data)
    written_out(document)
    if not isinstance(document, dict):
        return _validated(body, data)
    if body is SUBMISSION:
        named = document.setdefault("campaign_id", campaign_id)
        if named != campaign_id:
            raise BadInput("campaign_id", shown(named), f"must be {campaign_id!r} as in the path, or left out")
    tasks = document.get("tasks")
    for task in tasks if isinstance(tasks, list) else ():
        if isinstance(task, dict):
            task.setdefault("campaign_id", campaign_id)
    try:
        again = json.dumps(document, allow_nan=False)
    except ValueError as error:
        raise BadInput("body", None, "must hold no number beyond the range of a double, such as 1e999") from error
    return _validated(body, again)


def moment_of(text: str) -> datetime:
    """A moment from ISO 8601 text.

    Raises
    ------
    BadInput
        When it is none, or has no offset.
    """
    try:
        return _MOMENT.validate_python(text)
    except ValidationError as error:
        raise BadInput("at", shown(text), faults_of(error)[0].allowed) from error


def parsed(data: bytes | str) -> Any:
    """The JSON document.

    Raises
    ------
    NotJson
        Saying where it stops being JSON.
    """
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise NotJson(
            "body", shown(data if isinstance(data, str) else data.decode(errors="replace")), f"must be JSON ({error})"
        ) from error


def _validated(body: TypeAdapter[Body], data: bytes | str) -> Body:
    try:
        return body.validate_json(data, strict=True)
    except ValidationError as error:
        raise BadInput.of(faults_of(error)) from error
