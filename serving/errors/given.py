"""What was given is not valid: bodies, files, settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Self

from serving.errors.base import ExitCode, PrecedenceError


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input: where, what was given, and what is allowed there."""

    field: str
    value: Any
    allowed: str


class BadInput(PrecedenceError):
    """An input breaks its rules; `faults` lists every breach found."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    exit_code = ExitCode.BAD_INPUT
    title = "The input is not valid"

    def __init__(self, field: str, value: Any, allowed: str) -> None:
        self.faults: tuple[Fault, ...] = (Fault(field, value, allowed),)
        super().__init__(_sentence(self.faults), errors=[asdict(f) for f in self.faults])

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> Self:
        """One error about several faults, at least one."""
        error = cls(faults[0].field, faults[0].value, faults[0].allowed)
        error.faults = tuple(faults)
        error.args = (_sentence(error.faults),)
        error.fields = {"errors": [asdict(f) for f in faults]}
        return error


class NotJson(BadInput):
    """A body or file is not JSON at all."""

    status = HTTPStatus.BAD_REQUEST
    title = "The body is not JSON"


class ParameterUnknown(BadInput):
    """A query parameter that the route does not have."""

    status = HTTPStatus.BAD_REQUEST
    title = "Unknown query parameter"


class MediaTypeUnknown(PrecedenceError):
    """A body that says it is anything but JSON: no other reader is ever picked by what a caller says."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    exit_code = ExitCode.BAD_INPUT
    title = "The body must be JSON"

    def __init__(self, given: str) -> None:
        super().__init__(f"content-type is {_short(given)}: must be application/json", given=given)


class MethodUnknown(PrecedenceError):
    """A path does not offer the method it was asked with."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    exit_code = ExitCode.BAD_INPUT
    title = "Method not allowed"

    def __init__(self, method: str, path: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"{method} {path} is not offered: allowed is {', '.join(allowed)}",
            method=method,
            path=path,
            allowed=list(allowed),
        )


class SettingInvalid(PrecedenceError):
    """A setting names no known field or holds a value that is not allowed."""

    exit_code = ExitCode.WRONG_SETTING
    title = "A setting is not valid"

    def __init__(self, field: str, value: Any, allowed: str) -> None:
        super().__init__(f"setting {field} is {value!r}: {allowed}", field=field, value=value, allowed=allowed)


class HandlerUnknown(PrecedenceError):
    """A task names a handler that this installation does not run."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    exit_code = ExitCode.BAD_INPUT
    title = "Unknown handler"

    def __init__(self, handler: str, known: Sequence[str], field: str = "handler") -> None:
        allowed = f"one of {', '.join(sorted(known)) or 'none: no handler is registered'}"
        super().__init__(
            f"{field} {handler!r} is not registered: {allowed}",
            errors=[asdict(Fault(field, handler, allowed))],
        )


def _sentence(faults: Sequence[Fault]) -> str:
    """The faults in one line; long values are cut, since a whole body may be the value."""
    return "; ".join(f"{f.field} is {_short(f.value)}: {f.allowed}" for f in faults)


def _short(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
