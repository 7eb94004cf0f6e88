"""What a handler is: it does a task's work chunk by chunk, and says how far it came."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from features.records import Task
from serving.clock import Clock


@dataclass(frozen=True)
class Checkpoint:
    """How far a handler has come.

    Attributes
    ----------
    state : anything JSON can hold; handed back as `resume` when the task goes on from here.
    units_done : units of the task done so far, over all its chunks.
    """

    state: Any
    units_done: float


@dataclass
class PlainContext:
    """What a plain generator may use besides its task; as `Context`, but without a clock to wait on."""

    task: Task
    chunk: int
    units_done: float = 0.0

    @property
    def idempotency_key(self) -> str:
        """Names the chunk being worked on; a chunk run again after a crash carries the same key."""
        return key_of(self.task, self.chunk)


@dataclass
class Context:
    """What a handler may use besides its task.

    Attributes
    ----------
    clock : the one to wait on; a demo runs it faster.
    task : the task being run.
    chunk, units_done : checkpoints stored so far, and the units done by then.
    """

    clock: Clock
    task: Task
    chunk: int
    units_done: float = 0.0

    @property
    def idempotency_key(self) -> str:
        """Names the chunk being worked on; a chunk run again after a crash carries the same key."""
        return key_of(self.task, self.chunk)


class Handler(Protocol):
    """Does the tasks that name it, in chunks that end wherever it may be preempted."""

    def steps(self, task: Task, resume: Any, context: Context) -> AsyncGenerator[Checkpoint, None]:
        """Work from `resume`, the state of the last stored checkpoint (None at first), to the end of the task.

        What lies between two checkpoints may run more than once after a crash: effects are to be made idempotent by
        `context.idempotency_key`. Whatever is raised is a failed attempt, tried again later from the last
        checkpoint; `RetryLater` and `GiveUp` say more.
        """
        ...

    def check(self, task: Task) -> None:
        """Refuse a task that could never be done, before it is taken in.

        Raises
        ------
        BadInput
            Naming the field, such as `payload.url`.
        """
        ...


class RetryLater(Exception):
    """Raised by a handler that is to be called again in `after_s` seconds of the clock, not before.

    Whoever asks to wait has not failed: it does not count towards the dead letter.
    """

    def __init__(self, after_s: float, reason: str = "") -> None:
        super().__init__(reason or f"told to come back in {after_s:g} s")
        self.after_s = float(after_s)


class GiveUp(Exception):
    """Raised by a handler for what no further attempt can mend: the task becomes a dead letter at once."""


class RaisedElsewhere(Exception):
    """What a handler raised where it cannot be brought back from, in its own words."""


def key_of(task: Task, chunk: int) -> str:
    """The idempotency key of a chunk: two chunks never share one, and any header can carry it."""
    return f"{_quoted(task.campaign_id)}/{_quoted(task.task_id)}/{chunk}"


def _quoted(name: str) -> str:
    return quote(name, safe="", errors="surrogatepass")
