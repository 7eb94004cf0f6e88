"""Handlers by name, as settings give them: functions in this process or in others, and addresses."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from features.records import Task
from serving.errors import BadInput, HandlerUnknown, SettingInvalid
from serving.handlers.allowed import NOTHING, Allowed
from serving.handlers.contract import Checkpoint, Context, Handler
from serving.handlers.http import Http
from serving.handlers.imports import imported
from serving.handlers.processes import InProcesses, Processes
from serving.handlers.threads import InThreads, PlainSteps, Threads
from serving.handlers.web import Web

if TYPE_CHECKING:  # it needs an extra
    from serving.handlers.celery import OwnTask

__all__ = ["Checkpoint", "Context", "Given", "Handler", "Handlers", "InLoop", "Steps"]

Steps = Callable[[Task, Any, Context], AsyncGenerator[Checkpoint, None]]
"""`async def handler(task, resume, context)` with `yield Checkpoint(...)` wherever it may be preempted."""

Given = Handler | Steps | PlainSteps
"""What a handler may be given as: functions are wrapped."""

_IN_PROCESSES, _OWN_TASK = "process+", "celery+"


class InLoop:
    """A handler given as an async generator function, run in the event loop."""

    def __init__(self, function: Steps) -> None:
        self.steps = function

    def check(self, task: Task) -> None:
        """Take any task: what its payload must hold is the function's own affair."""


class Handlers:
    """Handlers by name, and what they run in: threads, processes, connections.

    Parameters
    ----------
    most : threads at once; as many as tasks run at once.
    """

    def __init__(self, handlers: Mapping[str, Given], *, most: int = 4) -> None:
        self._threads, self._processes = Threads(most), Processes()
        self._webs: list[Web] = []
        self._own_tasks: list[OwnTask] = []
        self._handlers = {name: self._handler(given) for name, given in handlers.items()}

    @classmethod
    def loaded(
        cls,
        paths: Mapping[str, str],
        built_in: Mapping[str, Given],
        *,
        most: int = 4,
        allowed: Allowed = NOTHING,
        timeout_s: float = 30.0,
    ) -> Handlers:
        """Make handlers of settings, beside those built in and `http`, which posts to any URL allowed.

        A setting is `module:function` of an async or a plain generator function, `process+module:function` of a plain
        one, `celery+module:app.task.name` of a task of a Celery app, or a URL. An operator who names a URL has allowed
        it, an address that is not public too.

        Raises
        ------
        SettingInvalid
            When one leads nowhere, or to what is no handler.
        """
        handlers = cls(built_in, most=most)
        handlers._handlers["http"] = Http(handlers._web(allowed, timeout_s))
        for name, path in paths.items():
            try:
                if path.startswith(("http://", "https://")):
                    web = handlers._web(allowed.with_url(path), timeout_s)
                    handlers._handlers[name] = Http(web, path)
                else:
                    handlers._handlers[name] = handlers._at(path)
            except ValueError as error:
                raise SettingInvalid(f"handlers.{name}", path, str(error)) from error
        return handlers

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

    def check(self, task: Task, where: str = "") -> None:
        """Refuse a task that could never be done; `where`, such as `tasks[3].`, goes before the fields it names.

        Raises
        ------
        HandlerUnknown, BadInput
        """
        handler = self._handlers.get(task.handler)
        if handler is None:
            raise HandlerUnknown(task.handler, self.names, field=f"{where}handler")
        try:
            handler.check(task)
        except BadInput as error:
            raise BadInput.of([replace(fault, field=f"{where}{fault.field}") for fault in error.faults]) from error

    async def close(self) -> None:
        """End what they run in; to be called once nothing runs."""
        self._threads.close()
        await self._processes.close()
        for web in self._webs:
            await web.close()
        for task in self._own_tasks:
            task.close()

    def _web(self, allowed: Allowed, timeout_s: float) -> Web:
        self._webs.append(Web(allowed, timeout_s=timeout_s))
        return self._webs[-1]

    def _own_task(self, path: str) -> Handler:
        from serving.handlers.celery import OwnTask  # noqa: PLC0415 - it needs an extra

        module, _, rest = path.partition(":")
        app, _, name = rest.partition(".")
        if not name:
            raise ValueError("must name a Celery app and a task of it, as in celery+shop.app:app.shop.send")
        task = OwnTask(imported(f"{module}:{app}"), name)
        self._own_tasks.append(task)
        return task

    def _at(self, path: str) -> Handler:
        if path.startswith(_OWN_TASK):
            return self._own_task(path.removeprefix(_OWN_TASK))
        in_process = path.removeprefix(_IN_PROCESSES)
        given = imported(in_process)
        if in_process != path:
            if not inspect.isgeneratorfunction(given):
                raise ValueError("must lead to a plain generator function, to run in a process: def with a yield")
            return InProcesses(in_process, self._processes)
        if not (_is_handler(given) or inspect.isasyncgenfunction(given) or inspect.isgeneratorfunction(given)):
            raise ValueError("must lead to a generator function (def or async def with a yield), or to a handler")
        return self._handler(given)

    def _handler(self, given: Given) -> Handler:
        if inspect.isasyncgenfunction(given):
            return InLoop(given)
        if inspect.isgeneratorfunction(given):
            return InThreads(given, self._threads)
        return cast("Handler", given)


def _is_handler(given: Any) -> bool:
    return (
        not isinstance(given, type)
        and inspect.isasyncgenfunction(getattr(given, "steps", None))
        and callable(getattr(given, "check", None))
    )
