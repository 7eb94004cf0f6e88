"""More was asked for than is taken at once: try again later, or ask for less."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from serving.errors.base import ExitCode, PrecedenceError


class TooMuch(PrecedenceError):
    """Base of refusals that time heals; the response says in `Retry-After` how long to wait.

    Attributes
    ----------
    retry_after_s : whole seconds of the wall clock, at least one.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.TOO_MANY_REQUESTS
    exit_code = ExitCode.BUSY

    def __init__(self, message: str, retry_after_s: float, **fields: Any) -> None:
        self.retry_after_s = max(math.ceil(retry_after_s), 1)
        super().__init__(f"{message}: try again in {self.retry_after_s} s", retry_after_s=self.retry_after_s, **fields)

    @property
    def headers(self) -> Mapping[str, str]:
        """How long to wait."""
        return {"retry-after": str(self.retry_after_s)}


class QueueFull(TooMuch):
    """As much is queued as may be."""

    title = "The queue is full"

    def __init__(self, bound: str, most: int, there: int, asked: int, retry_after_s: float) -> None:
        counted = bound.removeprefix("most_").replace("_", " ")
        super().__init__(
            f"{there} {counted} and {asked} more would be above {bound}, which is {most}",
            retry_after_s,
            bound=bound,
            most=most,
            there=there,
            asked=asked,
        )


class SubmittedTooFast(TooMuch):
    """An account submits more campaigns a minute than it may."""

    title = "Too many submissions"

    def __init__(self, account: str, per_min: float, retry_after_s: float) -> None:
        super().__init__(
            f"account {account!r} may submit {per_min:g} campaigns a minute (submissions_per_min)",
            retry_after_s,
            account=account,
            bound="submissions_per_min",
            most=per_min,
        )


class BodyTooLarge(PrecedenceError):
    """A request's body is larger than any that is read."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    exit_code = ExitCode.BAD_INPUT
    title = "The body is too large"

    def __init__(self, most_bytes: int, declared_bytes: int | None) -> None:
        size = "more" if declared_bytes is None else f"{declared_bytes}"
        super().__init__(
            f"the body has {size} bytes: at most {most_bytes} are read; send the rest in further requests",
            most_bytes=most_bytes,
        )
