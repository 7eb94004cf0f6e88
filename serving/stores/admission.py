"""What every store checks before it keeps anything: sound tasks, valid facts, no circles, equal content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import TypeAdapter, ValidationError

from features.records import Campaign, Task
from serving.api.faults import faults_of
from serving.errors import BadInput
from serving.scheduling.columns import LEAST_BOOST, MOST_BOOST

CAMPAIGN = TypeAdapter(Campaign)
TASKS = TypeAdapter(tuple[Task, ...])


def content(campaign: Campaign, tasks: Sequence[Task]) -> str:
    """A submission's fingerprint: equal for equal content, however it was written."""
    body = {"campaign": CAMPAIGN.dump_python(campaign, mode="json"), "tasks": _bodies(tasks)}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _bodies(tasks: Sequence[Task]) -> list[Any]:
    bodies: list[Any] = TASKS.dump_python(tuple(tasks), mode="json")
    return sorted(bodies, key=lambda body: str(body["task_id"]))


def revised(campaign: Campaign, facts: Mapping[str, Any]) -> Campaign:
    """The campaign with some facts changed, given as JSON would hold them.

    Raises
    ------
    BadInput
        When it would not be valid, or another campaign.
    """
    if facts.get("campaign_id", campaign.campaign_id) != campaign.campaign_id:
        raise BadInput("facts.campaign_id", facts["campaign_id"], "cannot be changed: submit another campaign")
    try:
        body = json.dumps({**CAMPAIGN.dump_python(campaign, mode="json"), **facts})
        return CAMPAIGN.validate_json(body, strict=True)
    except ValidationError as error:
        raise BadInput.of(faults_of(error, "facts")) from error


def check_submission(campaign: Campaign, tasks: Sequence[Task], after_of: Callable[[str], Iterable[str]]) -> None:
    """Refuse a new campaign that could never run; `after_of` tells what those kept already follow.

    Raises
    ------
    BadInput
        When it has no task, or for the reasons of `check_tasks` and `check_order`.
    """
    if not tasks:
        raise BadInput("tasks", [], "must hold at least one task: a campaign without work never ends")
    check_tasks(campaign.campaign_id, tasks, {})
    check_order(campaign, after_of)


def new_tasks(tasks: Sequence[Task], there: Mapping[str, Task]) -> list[Task]:
    """The tasks that are not there yet; one that is there with equal content is left out.

    Raises
    ------
    BadInput
        When a task of that id is there with other content.
    """
    fresh = []
    for at, task in enumerate(tasks):
        known = there.get(task.task_id)
        if known is None:
            fresh.append(task)
        elif _bodies([known]) != _bodies([task]):
            raise BadInput(f"tasks[{at}].task_id", task.task_id, "is taken by a task with other content")
    return fresh


def check_tasks(campaign_id: str, tasks: Sequence[Task], there: Mapping[str, Task]) -> None:
    """Refuse tasks that could never run; `there` are those kept already that they follow.

    Raises
    ------
    BadInput
        When ids repeat, a task is of another campaign or follows an unknown one, or they follow each other in a circle.
    """
    after = {task.task_id: task.after for task in (*there.values(), *tasks)}
    seen: set[str] = set()
    for at, task in enumerate(tasks):
        field = f"tasks[{at}]"
        if task.campaign_id != campaign_id:
            raise BadInput(f"{field}.campaign_id", task.campaign_id, f"must be {campaign_id!r}, whose task it is")
        if task.task_id in seen:
            raise BadInput(f"{field}.task_id", task.task_id, "must differ from those of the campaign's other tasks")
        missing = next((name for name in task.after if name not in after), None)
        if missing is not None:
            raise BadInput(f"{field}.after", missing, "must name tasks of the same campaign")
        seen.add(task.task_id)
    try:
        TopologicalSorter({task.task_id: task.after for task in tasks if task.after}).prepare()
    except CycleError as error:
        at, task = next((at, task) for at, task in enumerate(tasks) if task.task_id in error.args[1])
        circle = " -> ".join(circle_through(task.task_id, lambda name: after.get(name, ())))
        raise BadInput(f"tasks[{at}].after", list(task.after), f"must not close a circle: {circle}") from error


def check_boost(boost: float) -> None:
    """Refuse a boost that the ranking would refuse.

    Raises
    ------
    BadInput
        When it is outside 0.1-10.
    """
    if not LEAST_BOOST <= boost <= MOST_BOOST:
        raise BadInput("boost", boost, f"must be {LEAST_BOOST:g} to {MOST_BOOST:g}")


def check_order(campaign: Campaign, after_of: Callable[[str], Iterable[str]]) -> None:
    """Refuse a campaign whose `after` closes a circle with those kept already.

    Raises
    ------
    BadInput
        When it does; the circle is named.
    """
    own = campaign.campaign_id
    circle = circle_through(own, lambda name: campaign.after if name == own else after_of(name))
    if circle:
        raise BadInput("after", list(campaign.after), f"must not close a circle: {' -> '.join(circle)}")


def circle_through(start: str, after_of: Callable[[str], Iterable[str]]) -> list[str]:
    """A way from `start` back to itself along what each name follows, both ends included; empty if there is none."""
    came_from: dict[str, str] = {}
    open_names = [start]
    while open_names:
        name = open_names.pop()
        for predecessor in after_of(name):
            if predecessor == start:
                way = [name]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return [*reversed(way), start]
            if predecessor not in came_from:
                came_from[predecessor] = name
                open_names.append(predecessor)
    return []
