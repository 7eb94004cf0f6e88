"""Python handlers: async generators, registered by name, that yield wherever they may be preempted."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from features.records import Task
from serving.clock import Clock
from serving.errors import HandlerUnknown, SettingInvalid


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
class Context:
    """What a handler may use besides its task.

    Attributes
    ----------
    clock : the one to wait on; a demo runs it faster.
    task : the task being run.
    chunk : checkpoints stored so far.
    """

    clock: Clock
    task: Task
    chunk: int

    @property
    def idempotency_key(self) -> str:
        """Names the chunk being worked on; a chunk run again after a crash carries the same key."""
        return f"{self.task.campaign_id}/{self.task.task_id}/{self.chunk}"


Handler = Callable[[Task, Any, Context], AsyncGenerator[Checkpoint, None]]
"""`async def handler(task, resume, context)` with `yield Checkpoint(...)` wherever it may be preempted.

`resume` is the state of the last stored checkpoint, None at first. What lies between two checkpoints may
run more than once after a crash: make its effects idempotent by `context.idempotency_key`.
"""


class Handlers:
    """Handlers by name."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = dict(handlers)

    @classmethod
    def loaded(cls, paths: Mapping[str, str], built_in: Mapping[str, Handler]) -> Handlers:
        """Import handlers from `module:function` settings, beside those built in.

        Raises
        ------
        SettingInvalid
            When a path is not `module:function`, cannot be imported, or is no async generator function.
        """
        return cls({**built_in, **{name: _imported(name, path) for name, path in paths.items()}})

    @property
    def names(self) -> tuple[str, ...]:
        """The registered names, sorted."""
        return tuple(sorted(self._handlers))

    def named(self, name: str) -> Handler:
        """The handler of that name.

        Raises
        ------
        HandlerUnknown
            When none is registered under it.
        """
        try:
            return self._handlers[name]
        except KeyError:
            raise HandlerUnknown(name, self.names) from None


def _imported(name: str, path: str) -> Handler:
    field = f"handlers.{name}"
    module, _, function = path.partition(":")
    if not (module and function):
        raise SettingInvalid(field, path, "must be 'module:function'")
    try:
        handler = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise SettingInvalid(field, path, f"cannot be imported ({error})") from error
    if not inspect.isasyncgenfunction(handler):
        raise SettingInvalid(field, path, "must be an async generator function: async def with a yield")
    loaded: Handler = handler
    return loaded
