"""What every route of both services takes, gives and refuses, for the APIs' documents."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from serving.api import bodies, examples
from serving.api.answers import (
    DeadLetters,
    Explanations,
    Place,
    Placed,
    Predictions,
    Queue,
    Redriven,
    Stored,
    Supposed,
    TasksAdded,
)
from serving.api.document import OF_BODIES, OF_PARAMETERS, Operation
from serving.prediction import Card

_PLACED: tuple[TypeAdapter[Any], Any] = (TypeAdapter(Placed), examples.PLACED)
_PLACE: tuple[TypeAdapter[Any], Any] = (TypeAdapter(Place), examples.PLACE)
_STORED: tuple[TypeAdapter[Any], Any] = (TypeAdapter(Stored), examples.STORED)

PREDICTIONS = {
    ("/predict", "post"): Operation(
        body=bodies.ASKED,
        example=examples.ASKED,
        answers={200: (TypeAdapter(Predictions), examples.PREDICTIONS)},
        refusals=OF_BODIES,
        says=("Predict", "Score campaigns as of a moment (default now), in the order given."),
    ),
    ("/explain", "post"): Operation(
        body=bodies.ASKED,
        example=examples.ASKED,
        answers={200: (TypeAdapter(Explanations), examples.EXPLANATIONS)},
        refusals=OF_BODIES,
        says=("Explain", "Score campaigns, with what each feature adds to the model's raw output."),
    ),
    ("/model", "get"): Operation(answers={200: (TypeAdapter(Card), examples.CARD)}, tagged=True),
}
"""The prediction API."""

QUEUE = {
    ("/campaigns/{campaign_id}", "put"): Operation(
        body=bodies.SUBMISSION,
        example=examples.SUBMISSION,
        answers={200: _PLACED, 201: _PLACED},
        refusals=(*OF_BODIES, 409),
    ),
    ("/campaigns/{campaign_id}", "get"): Operation(answers={200: _PLACED}, refusals=(*OF_PARAMETERS, 404)),
    ("/campaigns/{campaign_id}", "patch"): Operation(
        body=bodies.CHANGE, example=examples.CHANGE, answers={200: _PLACED}, refusals=(*OF_BODIES, 404, 409)
    ),
    ("/campaigns/{campaign_id}", "delete"): Operation(answers={200: _PLACED}, refusals=(*OF_PARAMETERS, 404, 409)),
    ("/campaigns/{campaign_id}/tasks", "post"): Operation(
        body=bodies.MORE_TASKS,
        example=examples.MORE_TASKS,
        answers={200: (TypeAdapter(TasksAdded), examples.TASKS_ADDED)},
        refusals=(*OF_BODIES, 404, 409),
    ),
    ("/campaigns/{campaign_id}/why", "get"): Operation(answers={200: _PLACE}, refusals=(*OF_PARAMETERS, 404)),
    ("/campaigns/{campaign_id}/redrive", "post"): Operation(
        body=bodies.REDRIVE,
        example=examples.REDRIVE,
        body_required=False,
        answers={200: (TypeAdapter(Redriven), examples.REDRIVEN)},
        refusals=(*OF_BODIES, 404, 409),
    ),
    ("/dead-letters", "get"): Operation(
        answers={200: (TypeAdapter(DeadLetters), examples.DEAD_LETTERS)}, refusals=(*OF_PARAMETERS, 404)
    ),
    ("/queue", "get"): Operation(
        answers={200: (TypeAdapter(Queue), examples.QUEUE)}, refusals=OF_PARAMETERS, tagged=True
    ),
    ("/what-if", "post"): Operation(
        body=bodies.WHAT_IF,
        example=examples.WHAT_IF,
        answers={200: (TypeAdapter(Supposed), examples.SUPPOSED)},
        refusals=(*OF_BODIES, 404, 409),
    ),
    ("/outcomes", "post"): Operation(
        body=bodies.OUTCOMES, example=examples.OUTCOMES, answers={200: _STORED}, refusals=OF_BODIES
    ),
    ("/signals", "post"): Operation(
        body=bodies.SIGNALS, example=examples.SIGNALS, answers={200: _STORED}, refusals=OF_BODIES
    ),
    ("/kpis", "get"): Operation(answers={200: (TypeAdapter(dict[str, Any]), examples.KPIS)}, refusals=OF_PARAMETERS),
}
"""The queue API."""
