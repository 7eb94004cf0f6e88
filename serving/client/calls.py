"""What both clients share: when a call is tried again, and how its answer is read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError
from tenacity import retry_if_exception_type, stop_after_attempt, wait_random_exponential

from serving.errors import Refused, ServiceUnreachable

Answer = TypeVar("Answer")

TIMEOUT_S = 10.0
"""How long a call may take by default."""


def patience(*failures: type[Exception]) -> dict[str, Any]:
    """Three tries, shortly after each other, when a call fails in one of these ways."""
    return {
        "retry": retry_if_exception_type(failures),
        "stop": stop_after_attempt(3),
        "wait": wait_random_exponential(multiplier=0.1, max=1.0),
        "reraise": True,
    }


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
