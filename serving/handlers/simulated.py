"""A simulated handler: takes time like real work and does nothing else. For demonstrations and tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import Strict, TypeAdapter, ValidationError

from features.records import STRICT, Positive, Task
from serving.api.faults import faults_of
from serving.errors import BadInput
from serving.handlers.contract import Checkpoint, Context

MOST_CHUNKS = 10_000


@dataclass(frozen=True)
class Pretended:
    """The payload: `slot_hours` of the whole task, its `chunks`, and a file for its `effects`.

    Each chunk appends its idempotency key to that file, so that effects can be counted.
    """

    slot_hours: Annotated[Positive, Strict()] = 1.0
    chunks: Annotated[int, Strict(), Ge(1), Le(MOST_CHUNKS)] = 1
    effects: str | None = None

    __pydantic_config__ = STRICT


_PRETENDED = TypeAdapter(Pretended)


class Simulated:
    """Pretends to work for `slot_hours` of the clock, in equal chunks."""

    async def steps(self, task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
        """Let the time of each chunk pass; see `Handler.steps`."""
        asked = _pretended(task)
        for chunk in range(resume or 0, asked.chunks):
            await context.clock.sleep(asked.slot_hours * 3600 / asked.chunks)
            if asked.effects is not None:
                await asyncio.to_thread(_append, Path(asked.effects), context.idempotency_key)
            yield Checkpoint(chunk + 1, task.units * (chunk + 1) / asked.chunks)

    def check(self, task: Task) -> None:
        """Refuse a payload that says nothing sensible; see `Handler.check`."""
        _pretended(task)


simulate = Simulated()


def _pretended(task: Task) -> Pretended:
    try:
        return _PRETENDED.validate_python(task.payload)
    except ValidationError as error:
        raise BadInput.of(faults_of(error, "payload")) from error


def _append(effects: Path, key: str) -> None:
    with effects.open("a", encoding="utf-8") as file:
        file.write(f"{key}\n")
