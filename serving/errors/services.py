"""A service does not answer, ended, or refused."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from serving.errors.base import ExitCode, PrecedenceError, shown_url


class ServiceUnreachable(PrecedenceError):
    """One of our services does not answer, or answers what is not an answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = ExitCode.UNREACHABLE
    title = "The service is unreachable"

    def __init__(self, url: str, reason: str) -> None:
        url = shown_url(url)
        super().__init__(
            f"no usable answer from {url} ({reason}): start it with 'precedence serve'", url=url, reason=reason
        )


class StoreUnreachable(PrecedenceError):
    """The database server that keeps the queue does not answer, or ended what was under way; nothing is half-done."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = ExitCode.UNREACHABLE
    title = "The store is unreachable"

    def __init__(self, url: str, reason: str) -> None:
        url, reason = shown_url(url), " ".join(reason.split())
        super().__init__(f"the database at {url} does not do what it is asked ({reason})", url=url, reason=reason)

    @property
    def headers(self) -> Mapping[str, str]:
        """How long to wait at least."""
        return {"retry-after": "1"}


class ServiceEnded(PrecedenceError):
    """A service that was to run ended by itself; its own last words say why."""

    title = "The service ended"

    def __init__(self, service: str, code: int) -> None:
        if code < 0:
            ended = (
                f"the {service} service was killed by {_signal(-code)} (the system does so when memory runs out):"
                " nothing is lost, start both again with 'precedence serve'"
            )
        else:
            ended = f"the {service} service ended with exit code {code}: its lines above say why"
        super().__init__(ended, service=service, code=code)
        known = {each.value: each for each in ExitCode}
        self.exit_code = known.get(code, ExitCode.FAILED)


class NotReady(PrecedenceError):
    """The service is up but cannot do its work."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = ExitCode.UNREACHABLE
    title = "Not ready"

    def __init__(self, reason: str, **fields: Any) -> None:
        super().__init__(reason, **fields)


class TookTooLong(PrecedenceError):
    """A request was not answered within the time that the service allows."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    exit_code = ExitCode.UNREACHABLE
    title = "Took too long"

    def __init__(self, asked: str, allowed_s: float) -> None:
        super().__init__(
            f"{asked} took longer than the {allowed_s:g} s that the service allows: ask for less at once, or again",
            allowed_s=allowed_s,
        )


class Refused(PrecedenceError):
    """A service answered with a problem; its sentence is passed on, and its HTTP status as `answered`."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or "refused"), problem=problem)
        self.answered = int(problem.get("status", HTTPStatus.INTERNAL_SERVER_ERROR))
        self.exit_code = _EXIT_CODES.get(self.answered, ExitCode.FAILED)


_EXIT_CODES: dict[int, ExitCode] = {
    HTTPStatus.BAD_REQUEST: ExitCode.BAD_INPUT,
    HTTPStatus.UNPROCESSABLE_ENTITY: ExitCode.BAD_INPUT,
    HTTPStatus.UNAUTHORIZED: ExitCode.REFUSED,
    HTTPStatus.FORBIDDEN: ExitCode.REFUSED,
    HTTPStatus.NOT_FOUND: ExitCode.UNKNOWN,
    HTTPStatus.CONFLICT: ExitCode.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ExitCode.BAD_INPUT,
    HTTPStatus.TOO_MANY_REQUESTS: ExitCode.BUSY,
    HTTPStatus.SERVICE_UNAVAILABLE: ExitCode.UNREACHABLE,
}


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
