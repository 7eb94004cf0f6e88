"""The base of every error: its sentence, its facts, and how HTTP and the command line tell it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """How a command ends; 2 is left to the command line parser (wrong usage)."""

    FAILED = 1
    BAD_INPUT = 3
    UNKNOWN = 4
    CONFLICT = 5
    UNREACHABLE = 6
    UNUSABLE_MODEL = 7
    NOTHING_TO_LEARN = 8
    WRONG_SETTING = 9
    BUSY = 10
    REFUSED = 11


class PrecedenceError(Exception):
    """Base of every error this package raises on purpose.

    Attributes
    ----------
    fields : the facts of the case, which a problem response repeats.
    status : HTTP status; exit_code : of a command; title : the kind of error in a few words.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    exit_code: ExitCode = ExitCode.FAILED
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.fields = fields

    @property
    def headers(self) -> Mapping[str, str]:
        """HTTP headers that its response has beside those of every problem."""
        return {}


def shown_url(url: str) -> str:
    """A URL without what may be secret in it: who logs in, with which password, and the query.

    >>> shown_url("https://me:hush@hooks.example.com/send?key=hush"), shown_url("sqlite:////data/queue.db")
    ('https://hooks.example.com/send', 'sqlite:////data/queue.db')
    """
    place = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = place.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def problem(error: PrecedenceError) -> dict[str, Any]:
    """The RFC 9457 problem document of an error: type, title, status, detail and its fields."""
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    own = {"type": f"urn:precedence:{kind}", "title": error.title, "status": int(error.status), "detail": str(error)}
    return {**error.fields, **own}
