"""Times are written out. A count in quotes, which pydantic takes for one, would leave its unit to be guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from serving.errors import BadInput, Fault

_TIMES = ("released_at", "launch_by", "starts_at", "ends_at", "at", "known_at")
_LISTS = ("campaigns", "kpis", "signals")
_COUNT = re.compile(r"\s*[+-]?\d+\.?\d*\s*")
_ALLOWED = "must be an ISO 8601 time with an offset, such as 2026-11-27T08:00:00+00:00"


def written_out(document: Any) -> None:
    """Refuse a document whose records give a time as a count.

    Raises
    ------
    BadInput
        Naming each.
    """
    faults = [
        Fault(f"{where}{name}", value, _ALLOWED)
        for where, record in _records(document)
        for name in _TIMES
        if isinstance(value := record.get(name), str) and _COUNT.fullmatch(value)
    ]
    if faults:
        raise BadInput.of(faults)


def _records(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What has times of its own, by where it stands; payloads are none of our business."""
    if not isinstance(document, dict):
        return
    yield "", document
    if isinstance(campaign := document.get("campaign"), dict):
        yield "campaign.", campaign
    for name in _LISTS:
        records = document.get(name)
        for row, record in enumerate(records if isinstance(records, list) else ()):
            if isinstance(record, dict):
                yield f"{name}[{row}].", record
