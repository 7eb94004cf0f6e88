"""Turning a validation error into faults a caller can act on: field, value, and what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from features.records import PLAIN, PRINTABLE
from serving.errors import Fault

_LONGEST_VALUE = 200
_LARGEST_INT = 2**63

_SUBJECT = re.compile(r"^\w+ should")
"""Pydantic begins its sentences with what the value is; ours begin with the field."""

_ALLOWED = {
    "missing": "is required",
    "unexpected_keyword_argument": "is no known field: leave it out, or check its spelling",
    "extra_forbidden": "is no known field: leave it out, or check its spelling",
    "timezone_aware": "must be a time with an offset, such as 2026-11-27T08:00:00+00:00",
    "datetime_type": "must be an ISO 8601 time with an offset, such as 2026-11-27T08:00:00+00:00",
    "datetime_from_date_parsing": "must be an ISO 8601 time with an offset, such as 2026-11-27T08:00:00+00:00",
    "datetime_parsing": "must be an ISO 8601 time with an offset, such as 2026-11-27T08:00:00+00:00",
}


_PATTERNS = {
    PRINTABLE: "must hold no control characters",
    PLAIN: "must be of the letters a-z and A-Z, digits, and _ . : @ + = , ~ -, beginning with a letter, digit or _",
}
"""What a pattern allows, in words."""


def faults_of(error: ValidationError, where: str = "") -> list[Fault]:
    """Every fault of a validation error; `where` is put before the path of its fields."""
    return [fault_of(detail, where) for detail in error.errors(include_url=False)]


def fault_of(detail: Mapping[str, Any], where: str = "") -> Fault:
    """One of pydantic's error details as a fault."""
    path, value, allowed = _path(where, detail["loc"]), detail["input"], _allowed(detail)
    if detail["type"] == "value_error":
        # A rule between fields: its message begins with the field at fault, its input is the whole record.
        field = allowed.split(" ", 1)[0]
        record = getattr(value, "kwargs", value)  # a dataclass gets its input as ArgsKwargs
        if isinstance(record, Mapping) and field.isidentifier():
            path, value = _path(where, (*detail["loc"], field)), record.get(field)
    if detail["type"] == "missing":
        value = None
    return Fault(path, shown(value), allowed)


def _allowed(detail: Mapping[str, Any]) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    if detail["type"] == "string_pattern_mismatch" and detail["ctx"]["pattern"] in _PATTERNS:
        return _PATTERNS[detail["ctx"]["pattern"]]
    return _ALLOWED.get(detail["type"]) or _SUBJECT.sub("must", str(detail["msg"]), count=1)


def _path(where: str, parts: tuple[int | str, ...]) -> str:
    """`campaigns[0].work_units`."""
    path = where
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "body"


def shown(value: Any) -> Any:
    """A value as a problem may show it: short, and writable as JSON."""
    if value is None or (isinstance(value, int) and abs(value) < _LARGEST_INT):
        return value
    if isinstance(value, int):
        return "a number of very many digits"
    if isinstance(value, float) and math.isfinite(value):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
