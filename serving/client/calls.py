"""What all clients share: what a call is, when it is tried again, and how its answer is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, Self, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    wait_random_exponential,
)

from serving.errors import Refused, ServiceUnreachable

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Answer]):
    """One request, and what answers it.

    Attributes
    ----------
    request : what httpx takes beside method and path.
    once : what would count twice, and is repeated only if it surely did not arrive.
    """

    answer: TypeAdapter[Answer]
    method: str
    path: str
    request: Mapping[str, Any] = field(default_factory=dict)
    once: bool = False


TIMEOUT_S = 10.0
"""How long a call may take by default."""


TRIES, MOST_WAITS, LONGEST_WAIT_S = 3, 5, 60.0
"""How often a call is tried when nobody answers, and how often, and how long at once, it waits when asked to."""

_SOON = wait_random_exponential(multiplier=0.1, max=1.0)
_LATER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def sent_with(token: str | None) -> dict[str, str]:
    """The headers of every request."""
    headers = {"content-type": "application/json", "accept": "application/json"}
    return headers if token is None else {**headers, "authorization": f"Bearer {token}"}


def patience(*failures: type[Exception], tries: int = TRIES, waits: int = 0) -> dict[str, Any]:
    """So many tries, shortly after each other, when a call fails in one of these ways.

    An answer that asks to come again later is waited for `waits` times, a minute each at most, before it is the answer.
    """

    def enough(state: RetryCallState) -> bool:
        failed = state.outcome is not None and state.outcome.failed
        return state.attempt_number >= (tries if failed else waits + 1)

    return {
        "retry": retry_if_exception_type(failures) | retry_if_result(_asks_to_wait),
        "stop": enough,
        "wait": _wait_s,
        "retry_error_callback": lambda state: state.outcome.result(),  # the answer, or the failure raised again
    }


def _wait_s(state: RetryCallState) -> float:
    if state.outcome is None or state.outcome.failed:
        return _SOON(state)
    # A little later than asked, each caller by another bit: all came at once before.
    return (_retry_after_s(state.outcome.result()) or 0.0) + _SOON(state)


def _asks_to_wait(response: httpx.Response) -> bool:
    wait_s = _retry_after_s(response)
    return wait_s is not None and wait_s <= LONGEST_WAIT_S


def _retry_after_s(response: httpx.Response) -> float | None:
    """Seconds the service asks to wait; None when it does not. Ours say seconds, never a date."""
    asked = response.headers.get("retry-after", "")
    return float(asked) if response.status_code in _LATER and asked.isdecimal() else None


def answered(answer: TypeAdapter[Answer], response: httpx.Response) -> Answer:
    """The record a response holds.

    Raises
    ------
    Refused
        When it is a problem document.
    ServiceUnreachable
        When it is nothing our services say.
    """
    url = str(response.request.url)
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        try:
            problem = response.json()
        except ValueError as error:
            raise ServiceUnreachable(url, f"answered {response.status_code} without a problem document") from error
        raise Refused(problem)
    try:
        return answer.validate_json(response.content)
    except ValidationError as error:
        raise ServiceUnreachable(url, f"its answer is not of this version: {error.errors()[0]['msg']}") from error


def unreachable(url: str, error: httpx.HTTPError) -> ServiceUnreachable:
    """The error to raise when nobody answered."""
    return ServiceUnreachable(url, str(error) or type(error).__name__)


class Caller:
    """Makes calls and waits for their answers.

    Parameters
    ----------
    timeout_s : how long one try may take.
    token : sent with every call, where the service asks for one.
    waits : how often a call waits, when the service refuses it for now, as long as it is asked to.

    Raises
    ------
    ServiceUnreachable
        From every call, when nobody answers or the answer is none of ours.
    Refused
        When the service answers with a problem.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S, token: str | None = None, *, waits: int = 0) -> None:
        self._url, self._waits = url, waits
        self._http = httpx.Client(base_url=url, timeout=timeout_s, headers=sent_with(token))
        self._answered = True

    def __enter__(self) -> Self:
        """Use within `with`, which closes its connections."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def _made(self, call: Call[Answer]) -> Answer:
        again = _patience(call, self._waits, answered_before=self._answered)
        try:
            response = Retrying(**again)(self._http.request, call.method, call.path, **call.request)
        except httpx.HTTPError as error:
            self._answered = False
            raise unreachable(self._url, error) from error
        self._answered = True
        return answered(call.answer, response)


class AsyncCaller:
    """Makes calls without holding up an event loop; see `Caller`."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S, token: str | None = None, *, waits: int = 0) -> None:
        self._url, self._waits = url, waits
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout_s, headers=sent_with(token))
        self._answered = True

    async def __aenter__(self) -> Self:
        """Use within `async with`, which closes its connections."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _made(self, call: Call[Answer]) -> Answer:
        again = AsyncRetrying(**_patience(call, self._waits, answered_before=self._answered))
        try:
            response: httpx.Response = await again(self._http.request, call.method, call.path, **call.request)
        except httpx.HTTPError as error:
            self._answered = False
            raise unreachable(self._url, error) from error
        self._answered = True
        return answered(call.answer, response)


def _patience(call: Call[Answer], waits: int, *, answered_before: bool) -> dict[str, Any]:
    failures = httpx.ConnectError if call.once else httpx.TransportError
    # Who waits for a service that is gone again and again is no quicker to do without it.
    return patience(failures, tries=TRIES if answered_before else 1, waits=waits)
