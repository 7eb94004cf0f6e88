"""Handlers by name, and those given as Python functions."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from importlib import import_module
from typing import Any, cast

from features.records import Task
from serving.errors import HandlerUnknown, SettingInvalid
from serving.handlers.contract import Checkpoint, Context, Handler

__all__ = ["Checkpoint", "Context", "Handler", "Handlers", "InLoop"]

Steps = Callable[[Task, Any, Context], AsyncGenerator[Checkpoint, None]]
"""`async def handler(task, resume, context)` with `yield Checkpoint(...)` wherever it may be preempted."""


class InLoop:
    """A handler given as an async generator function, run in the event loop."""

    def __init__(self, function: Steps) -> None:
        self.steps = function

    def check(self, task: Task) -> None:
        """Take any task: what its payload must hold is the function's own affair."""


class Handlers:
    """Handlers by name."""

    def __init__(self, handlers: Mapping[str, Handler | Steps]) -> None:
        self._handlers = {name: _handler(given) for name, given in handlers.items()}

    @classmethod
    def loaded(cls, paths: Mapping[str, str], built_in: Mapping[str, Handler | Steps]) -> Handlers:
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


def _handler(given: Handler | Steps) -> Handler:
    return InLoop(given) if inspect.isasyncgenfunction(given) else cast("Handler", given)


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
    return InLoop(handler)
