"""What tasks of the benchmarks do: nothing, go on for long, or say when they began."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from typing import Any

from features.records import Task
from serving.handlers.python import Checkpoint, Context

STEP_S, STEPS = 0.02, 50
"""How long one chunk of bulk work takes, and of how many a task consists."""


async def nothing(task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
    """Do nothing, like the peers' tasks."""
    return
    yield  # makes it a generator, as every handler is


async def bulk(task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
    """Keep a slot busy, chunk by chunk."""
    for step in range(resume or 0, STEPS):
        await asyncio.sleep(STEP_S)
        yield Checkpoint(step + 1, units_done=task.units * (step + 1) / STEPS)


async def began(task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
    """Write down when it began, by the clock that all processes of the machine share."""
    kept = os.open(task.payload["file"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(kept, f"{task.campaign_id} {time.monotonic()!r}\n".encode())
    os.close(kept)
    return
    yield  # makes it a generator, as every handler is
