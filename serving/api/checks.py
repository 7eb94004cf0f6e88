"""What is looked at before anything is stored, beside what bodies and stores hold to by themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from features.records import Campaign, Task
from serving.api.bodies import CAMPAIGN, read
from serving.api.faults import shown
from serving.api.sizes import MOST_PAYLOAD_BYTES
from serving.errors import BadInput, Fault
from serving.handlers.python import Handlers


def check_tasks(tasks: Sequence[Task], handlers: Handlers) -> None:
    """Refuse tasks that no handler could ever do, or whose payload is too large.

    Raises
    ------
    HandlerUnknown, BadInput
    """
    for number, task in enumerate(tasks):
        size = len(json.dumps(task.payload)) if task.payload else 0
        if size > MOST_PAYLOAD_BYTES:
            allowed = f"must be at most {MOST_PAYLOAD_BYTES} bytes of JSON: keep what is larger elsewhere, and name it"
            raise BadInput(f"tasks[{number}].payload", f"{size} bytes", allowed)
        handlers.check(task, where=f"tasks[{number}].")


def with_facts(campaign: Campaign, facts: Mapping[str, Any]) -> Campaign:
    """The campaign with some facts changed, as JSON holds them, looked at as strictly as when it was submitted.

    Raises
    ------
    BadInput
    """
    if not facts:
        return campaign
    if facts.get("campaign_id", campaign.campaign_id) != campaign.campaign_id:
        raise BadInput("facts.campaign_id", shown(facts["campaign_id"]), "cannot be changed: submit another campaign")
    try:
        return read(CAMPAIGN, json.dumps({**CAMPAIGN.dump_python(campaign, mode="json"), **facts}))
    except BadInput as error:
        faults = [Fault(**{**asdict(f), "field": f"facts.{f.field}"}) for f in error.faults]
        raise BadInput.of(faults) from error
