"""Long lists of ids, cut to what one statement takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
_MOST = 10_000
"""SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535."""


def batches(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in their order, in lists short enough for an IN."""
    left = iter(values)
    while some := list(islice(left, _MOST)):
        yield some
