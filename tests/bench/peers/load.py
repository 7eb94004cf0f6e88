"""The same work for everybody: campaigns with tasks that do nothing, and what came of handing them over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parents[3]

PATIENCE_S = 300.0
"""How long anything here may take before it counts as stuck."""


@dataclass(frozen=True)
class Load:
    """So many campaigns, each with so many tasks."""

    campaigns: int
    tasks_each: int

    @property
    def tasks(self) -> int:
        """Tasks in all."""
        return self.campaigns * self.tasks_each


@dataclass(frozen=True)
class Ran:
    """A load from its first submission to its last task done: what was given, what ran, and the seconds it took."""

    way: str
    load: Load
    submitted_s: float
    finished_s: float

    @property
    def per_second(self) -> float:
        """Tasks a second, submission included."""
        return self.load.tasks / self.finished_s


def until(condition: Callable[[], bool], what: str, every_s: float = 0.02) -> None:
    """Wait for a condition.

    Raises
    ------
    RuntimeError
        When it does not come true within `PATIENCE_S`.
    """
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > ends:
            raise RuntimeError(f"not within {PATIENCE_S:g} s: {what}")
        time.sleep(every_s)


@contextmanager
def processes(command: Sequence[str], count: int, log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """As many processes of `python -m command`; killed with all they started: their work is done by then."""
    variables = {**os.environ, "PYTHONPATH": str(TOP)}
    with log.open("ab") as output:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=TOP,
                env=variables,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            for _ in range(count)
        ]
        try:
            yield running
        finally:
            for each in running:
                os.killpg(each.pid, signal.SIGKILL)
                each.wait()


def alive(running: Sequence[subprocess.Popen[bytes]], log: Path) -> bool:
    """True, always.

    Raises
    ------
    RuntimeError
        When one of the processes has ended, with the end of what it said.
    """
    if any(each.poll() is not None for each in running):
        raise RuntimeError(f"a process ended: {log.read_text(errors='replace')[-2000:]}")
    return True
