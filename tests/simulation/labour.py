"""The handler of the simulated world: takes its time, tells what it does, and may misbehave."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from random import Random
from typing import Any

from features.records import Task
from serving.handlers.python import Checkpoint, Context, Handler
from tests.simulation.ledger import Ledger
from tests.simulation.worlds import GRID_S, LEASE_S, World


class Misdeed(Exception):
    """What a handler raises."""


class Labour:
    """Makes the handler of one worker.

    Parameters
    ----------
    dies : ends the worker on the spot.
    mutes : lets no heartbeat of the worker through for so many seconds.
    """

    def __init__(
        self,
        world: World,
        chance: Random,
        faults: Counter[str],
        ledger: Ledger,
        *,
        dies: Callable[[], None],
        mutes: Callable[[float], None],
    ) -> None:
        self._world, self._chance, self._faults, self._ledger = world, chance, faults, ledger
        self._dies, self._mutes = dies, mutes

    @property
    def handler(self) -> Handler:
        """The handler: `chunks` chunks of `seconds` each, a unit a second; its state is the number of chunks done."""

        async def work(task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
            name = f"{task.campaign_id}/{task.task_id}"
            seconds, chunks = task.payload["seconds"], task.payload["chunks"]
            for chunk in range(resume or 0, chunks):
                self._ledger.begins(name, chunk, context.idempotency_key)
                lie = await self._misbehaves(name, task)
                await context.clock.sleep(self._takes_s(seconds))
                if lie is not None:
                    yield lie
                    self._ledger.breach("lies", f"{name} went on past a checkpoint that cannot be: {lie}")
                yield Checkpoint(chunk + 1, float(seconds * (chunk + 1)))
                self._ledger.passed(name, chunk + 1)

        return work

    def _takes_s(self, seconds: float) -> float:
        """How long a chunk of so many seconds takes from now: no longer, and in most worlds up to the grid."""
        if not self._world.on_grid:
            return seconds
        now = self._ledger.now_s()
        return (now + seconds) // GRID_S * GRID_S - now

    async def _misbehaves(self, name: str, task: Task) -> Checkpoint | None:
        """Take longer, raise, or end the worker; or say which lie to tell."""
        plague, drawn = self._world.plague, self._chance.random()
        nature = Random(f"{self._world.seed}/{name}").random()  # of the task, whoever tries it
        if nature < plague.deadly:
            self._faults["handler deadly"] += 1
            self._dies()
            await asyncio.sleep(0)  # never comes back
        if nature > 1 - plague.poison:
            self._faults["handler poison"] += 1
            raise Misdeed("as always")
        if drawn < plague.raises:
            self._faults["handler raised"] += 1
            raise Misdeed("this time")
        if drawn < plague.raises + plague.lies:
            self._faults["handler lied"] += 1
            return self._chance.choice(
                (
                    Checkpoint({"a", "set"}, 1.0),
                    Checkpoint(1, float("nan")),
                    Checkpoint(1, -1.0),
                    Checkpoint(1, task.units * 2),
                )
            )
        if drawn > 1 - plague.stuck:
            self._faults["handler stuck"] += 1
            self._mutes(LEASE_S * 1.5)
            await asyncio.sleep(LEASE_S * 1.4)
        elif drawn > 1 - plague.stuck - plague.slow:
            self._faults["handler slow"] += 1
            await asyncio.sleep(task.payload["seconds"] * self._chance.choice((1, 2, 5)))
        return None
