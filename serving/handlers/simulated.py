"""A simulated handler: takes time like real work and does nothing else. For demonstrations and tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from features.records import Task
from serving.handlers.python import Checkpoint, Context


async def simulate(task: Task, resume: Any | None, context: Context) -> AsyncGenerator[Checkpoint, None]:
    """Pretend to work for `slot_hours` of the clock, in equal chunks.

    Payload: `slot_hours` (of the whole task, default 1), `chunks` (default 1) and `effects`, the path of a file
    to which each chunk appends its idempotency key, so that effects can be counted.
    """
    slot_hours = float(task.payload.get("slot_hours", 1.0))
    chunks = int(task.payload.get("chunks", 1))
    effects = task.payload.get("effects")
    for chunk in range(resume or 0, chunks):
        await context.clock.sleep(slot_hours * 3600 / chunks)
        if effects is not None:
            await asyncio.to_thread(_append, Path(effects), context.idempotency_key)
        yield Checkpoint(chunk + 1, task.units * (chunk + 1) / chunks)


def _append(effects: Path, key: str) -> None:
    with effects.open("a", encoding="utf-8") as file:
        file.write(f"{key}\n")
