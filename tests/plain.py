"""Handlers as somebody might write them, by plain generators: found by name, in other processes too."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from features.records import Task
from serving.handlers.contract import Checkpoint, GiveUp, PlainContext, RetryLater

HALVES = 2


def halves(task: Task, resume: Any, context: PlainContext) -> Generator[Checkpoint, None, None]:
    """Two chunks; writes who works on which of them to the file the payload names, and that it left."""
    notes = Path(task.payload["notes"])
    try:
        for half in range(resume or 0, HALVES):
            _note(notes, f"{context.idempotency_key} {context.units_done:g}")
            print("chatter on standard output")
            yield Checkpoint(half + 1, task.units * (half + 1) / HALVES)
    finally:
        _note(notes, f"left {os.getpid()} {threading.current_thread() is threading.main_thread()}")


def waits(task: Task, _resume: Any, _context: PlainContext) -> Generator[Checkpoint, None, None]:
    """Tell its process, then wait until the file `go` is there, which no event loop sees."""
    _note(Path(task.payload["notes"]), str(os.getpid()))
    go = Path(task.payload["go"])
    while not go.exists():
        threading.Event().wait(0.005)
    yield Checkpoint("done", task.units)
    _note(Path(task.payload["notes"]), "went on")


def dies(task: Task, resume: Any, _context: PlainContext) -> Generator[Checkpoint, None, None]:
    """End its process after the first chunk, as a segmentation fault would; but not the second time."""
    yield Checkpoint("half", task.units / 2)
    if resume is None:
        os.kill(os.getpid(), signal.SIGKILL)


def leaves(_task: Task, _resume: Any, _context: PlainContext) -> Generator[Checkpoint, None, None]:
    """End its process with a code."""
    os._exit(3)
    yield


def raises(task: Task, _resume: Any, _context: PlainContext) -> Generator[Checkpoint, None, None]:
    """Raise what the payload says."""
    errors: dict[str, BaseException] = {
        "later": RetryLater(30, "busy"),
        "never": GiveUp("no such list"),
        "exit": SystemExit(4),
        "cancelled": KeyboardInterrupt(),
        "odd": ValueError("\ud800"),
    }
    raise errors[task.payload["raises"]]
    yield


def lies(task: Task, _resume: Any, _context: PlainContext) -> Generator[Any, None, None]:
    """Yield what is no checkpoint, or none that could be kept."""
    steps: dict[str, Any] = {
        "nothing": None,
        "object": Checkpoint(object(), 1),
        "nan": Checkpoint(None, float("nan")),
        "text": Checkpoint(None, "many"),  # type: ignore[arg-type]
    }
    yield steps[task.payload["yields"]]


def _note(notes: Path, line: str) -> None:
    with notes.open("a") as file:
        file.write(f"{line}\n")
