"""A handler does not do what handlers promise."""

from __future__ import annotations

from reprlib import repr as cut_short
from signal import Signals
from typing import Any

from serving.errors.base import PrecedenceError, shown_url


class CheckpointInvalid(PrecedenceError):
    """A handler yielded a checkpoint that cannot be true, or cannot be kept."""

    title = "The checkpoint is not valid"

    def __init__(self, field: str, value: Any, allowed: str) -> None:
        given = cut_short(value)  # of any size, and of somebody else's making
        super().__init__(f"{field} is {given}: {allowed}", field=field, value=given, allowed=allowed)


class WorkerDied(PrecedenceError):
    """The process that ran a handler ended in the middle of its work."""

    title = "The handler's process ended"

    def __init__(self, code: int) -> None:
        how = f"by signal {-code} ({_name_of(-code)})" if code < 0 else f"with exit code {code}"
        super().__init__(f"the process that ran the handler ended {how} in the middle of a chunk", code=code)


def _name_of(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return "unknown"


class AnswerInvalid(PrecedenceError):
    """A handler behind a URL did not answer as it should."""

    title = "The handler's answer is not valid"

    def __init__(self, url: str, status: int, why: str, told: str) -> None:
        url = shown_url(url)
        super().__init__(f"{url} answered {status} ({why}): {told or 'without a word'}", url=url, status_code=status)
