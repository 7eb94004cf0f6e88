"""A service does not answer, ended, or refused."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from serving.errors.base import ExitCode, PrecedenceError


class ServiceUnreachable(PrecedenceError):
    """One of our services does not answer, or answers what is not an answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = ExitCode.UNREACHABLE
    title = "The service is unreachable"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"no usable answer from {url} ({reason}): start it with 'precedence serve'", url=url, reason=reason
        )


class ServiceEnded(PrecedenceError):
    """A service that was to run ended by itself; its own last words say why."""

    title = "The service ended"

    def __init__(self, service: str, code: int) -> None:
        super().__init__(f"the {service} service ended with exit code {code}: its lines above say why", service=service)
        known = {each.value: each for each in ExitCode}
        self.exit_code = known.get(code, ExitCode.FAILED)


class Refused(PrecedenceError):
    """A service answered with a problem; its sentence is passed on, and its HTTP status as `answered`."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or "refused"), problem=problem)
        self.answered = int(problem.get("status", HTTPStatus.INTERNAL_SERVER_ERROR))
        self.exit_code = _EXIT_CODES.get(self.answered, ExitCode.FAILED)


_EXIT_CODES: dict[int, ExitCode] = {
    HTTPStatus.BAD_REQUEST: ExitCode.BAD_INPUT,
    HTTPStatus.UNPROCESSABLE_ENTITY: ExitCode.BAD_INPUT,
    HTTPStatus.NOT_FOUND: ExitCode.UNKNOWN,
    HTTPStatus.CONFLICT: ExitCode.CONFLICT,
    HTTPStatus.SERVICE_UNAVAILABLE: ExitCode.UNREACHABLE,
}
