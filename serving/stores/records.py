"""Records as rows, and campaigns back from what was kept of them."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic asks for it before Python 3.12

from features.records import Campaign, Delivers, OnFailure, ValueShape

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@with_config(ConfigDict(extra="allow"))
class _Kept(TypedDict, total=False):
    """The facts of a campaign that JSON cannot hold as they are."""

    released_at: datetime
    launch_by: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None
    tags: tuple[str, ...]
    exclusive: tuple[str, ...]
    after: tuple[str, ...]
    value_shape: ValueShape
    delivers: Delivers
    on_failure: OnFailure


_KEPT = TypeAdapter(_Kept)


def campaign_of(declared: str, facts: str) -> Campaign:
    """The campaign that was declared, with the facts changed since; both as JSON.

    It was judged when it was taken in, and is not judged again: by the rules of a later build it might be refused, and
    nothing else in the store could be read for it.
    """
    kept: dict[str, Any] = {**_KEPT.validate_python({**json.loads(declared), **json.loads(facts)})}
    return Campaign(**kept)


def row_of(record: DataclassInstance) -> dict[str, Any]:
    """The fields of a record by their names: what `dataclasses.asdict` gives, of one level and not copied."""
    return {name: getattr(record, name) for name in _names(type(record))}


@cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
