"""A handler does not do what handlers promise."""

from __future__ import annotations

from reprlib import repr as cut_short
from typing import Any

from serving.errors.base import PrecedenceError


class CheckpointInvalid(PrecedenceError):
    """A handler yielded a checkpoint that cannot be true, or cannot be kept."""

    title = "The checkpoint is not valid"

    def __init__(self, field: str, value: Any, allowed: str) -> None:
        given = cut_short(value)  # of any size, and of somebody else's making
        super().__init__(f"{field} is {given}: {allowed}", field=field, value=given, allowed=allowed)
