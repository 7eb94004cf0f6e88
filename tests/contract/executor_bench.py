"""What the tests of executors work on: a store that can fail, a hand-moved clock, handlers that note what they do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from features.records import Task
from serving.clock import Clock, ManualClock
from serving.handlers.contract import Checkpoint, Context, Handler
from serving.handlers.python import Steps
from serving.scheduling.ports import Executor, Out, Running, Store
from serving.scheduling.states import Event, State
from serving.scheduling.work import Lease, Move, Outcome, Reached, Want
from serving.stores.memory import MemoryStore
from tests.floor import let_run
from tests.queueing import NOON, a_campaign, a_task

LEASE_S = 60.0
UNITS = 10.0
"""Of each task."""


class Build(Protocol):
    """Makes an executor with two slots, leases of a minute, and three attempts with waits from a second on."""

    def __call__(
        self, store: Store, handlers: Mapping[str, Handler | Steps], clock: Clock, changed: Callable[[], None]
    ) -> Executor:
        """Make it."""
        ...


@runtime_checkable
class Elsewhere(Protocol):
    """An executor whose tasks run where turns of this event loop are not enough for them to go on."""

    async def settled(self) -> None:
        """Let all go on that can."""
        ...


class Disk(MemoryStore):
    """A store whose disk can be full, and which notes how many reports came together.

    Attributes
    ----------
    full : raise instead of keeping.
    refuses : states that it takes for unstorable.
    looks : how often it was asked which leases there are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.refuses: list[Any] = []
        self.together: list[int] = []
        self.looks = 0

    def out(self) -> list[Out]:
        self.looks += 1
        return super().out()

    def report(
        self, reports: Sequence[tuple[Lease, Reached | Outcome]], at: datetime, until: datetime
    ) -> list[Lease | None]:
        self._write()
        if any(isinstance(what, Reached) and what.state in self.refuses for _, what in reports):
            raise ValueError(f"cannot store any of {self.refuses!r}")
        self.together.append(len(reports))
        return super().report(reports, at, until)

    def extend(self, leases: Sequence[Lease], until: datetime) -> list[Lease]:
        self._write()
        return super().extend(leases, until)

    def _write(self) -> None:
        if self.full:
            raise OSError("no space left on device")


class Bench:
    """One ready campaign of ten-unit tasks, worked on in two chunks of a minute by `work`."""

    def __init__(
        self,
        build: Build,
        tasks: int = 1,
        *,
        handler: str | Sequence[str] = "work",
        more: Mapping[str, Handler | Steps] | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        self.store = Disk()
        self.clock = ManualClock(NOON)
        self.changes = 0
        self.log: list[tuple[str, Any]] = []
        handlers = {"work": self.work, "instant": self.instant, **(more or {})}
        self.executor = build(self.store, handlers, self.clock, self._changed)
        facts = {"units": UNITS, "payload": dict(payload or {})}
        each = [handler] * tasks if isinstance(handler, str) else handler
        work = [a_task(f"t{n}", handler=name, **facts) for n, name in enumerate(each)]
        self.store.submit(a_campaign(), work, NOON)
        self.store.move([Move(campaign_id="sale", before=State.SUBMITTED, event=Event.CLEAR)], NOON)

    def _changed(self) -> None:
        self.changes += 1

    async def work(self, task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
        """Two chunks, a minute each; notes what it does."""
        try:
            for chunk in range(resume or 0, 2):
                self.log.append(("chunk", context.idempotency_key))
                await context.clock.sleep(60)
                yield Checkpoint(chunk + 1, task.units * (chunk + 1) / 2)
                self.log.append(("past", context.idempotency_key))
        finally:
            self.log.append(("left", task.task_id))

    async def instant(self, task: Task, _resume: Any, _context: Context) -> AsyncGenerator[Checkpoint, None]:
        """Done as soon as begun."""
        self.log.append(("begun", task.task_id))
        return
        yield

    def leases(self, tasks: int, *, one_chunk: bool = False, for_s: float = LEASE_S) -> list[Lease]:
        """Claim the next tasks at this moment."""
        at = self.clock.now()
        return self.store.claim([Want("sale", tasks, one_chunk)], "here", at, at + timedelta(seconds=for_s))

    def start(self, tasks: int = 1, **terms: Any) -> list[Lease]:
        """Claim the next tasks, and hand them over."""
        leases = self.leases(tasks, **terms)
        self.executor.start(leases)
        return leases

    async def pass_s(self, seconds: int, every: int = 10) -> None:
        """Let time pass in steps."""
        await self.settled()
        for _ in range(seconds // every):
            self.clock.advance(every)
            await self.settled()

    async def settled(self) -> None:
        """Let all go on that can, without any time passing."""
        await (self.executor.settled() if isinstance(self.executor, Elsewhere) else let_run(100))

    @property
    def chunks(self) -> list[str]:
        """The idempotency keys of the chunks begun."""
        return [what for event, what in self.log if event == "chunk"]

    def outcomes(self) -> list[str]:
        """How every chunk of the run log ended."""
        return [run["outcome"] for run in self.store.rows("runs")]

    def progress(self) -> Any:
        """Where the campaign's work is."""
        return self.store.standing("sale", self.clock.now()).progress

    def held(self) -> tuple[list[str], list[str]]:
        """The tasks on slots, and those in line."""
        running = self.executor.running()
        return [_name(r) for r in running if r.since], [_name(r) for r in running if r.since is None and not r.yielding]


def _name(running: Running) -> str:
    return running.lease.task.task_id
