"""How long-running work tells of its progress, whoever listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Told what is being done and how much of the whole is behind us (0-1)."""


def silent(stage: str, share: float) -> None:
    """Nobody listens."""


def part(progress: Progress, start: float, end: float) -> Progress:
    """For a part of the work that takes the whole from `start` to `end`.

    >>> part(lambda stage, share: print(stage, share), 0.5, 1.0)("fitting", 0.5)
    fitting 0.75
    """
    return lambda stage, share: progress(stage, start + (end - start) * share)
