"""Campaigns in files, as people keep them: one JSON object, an array of them, or one a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from features.records import Campaign
from serving.api.bodies import SUBMISSION, Submission, parsed, read, read_for
from serving.errors import BadInput, Fault, NotJson


def submissions_of(path: Path) -> list[Submission]:
    """The campaigns of a file with their tasks; `-` is standard input. All are checked before any is returned.

    Raises
    ------
    BadInput
        When the file cannot be read, or naming each row and field at fault.
    """
    found: list[Submission] = []
    faults: list[Fault] = []
    for where, document in _documents(path):
        try:
            found.append(_submission(document))
        except BadInput as error:
            faults += [Fault(f"{where}: {fault.field}", fault.value, fault.allowed) for fault in error.faults]
    if faults:
        raise BadInput.of(faults)
    return found


def campaign_of(submission: Submission) -> Campaign:
    """The campaign of a submission, without its tasks."""
    return Campaign(**{field.name: getattr(submission, field.name) for field in fields(Campaign)})


def _documents(path: Path) -> Iterator[tuple[str, Any]]:
    """Every document of the file, and where it stands."""
    text = _text(path)
    if not text.strip():
        raise BadInput("FILE", str(path), "must hold campaigns as JSON, and is empty")
    try:
        whole = parsed(text)
    except NotJson as error:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
        if len(lines) < 2 or not lines[0][1].rstrip().endswith("}"):
            allowed = f"must be JSON, or one JSON object a line: {error.faults[0].allowed}"
            raise BadInput("FILE", str(path), allowed) from error
        for number, line in lines:
            yield f"{path} line {number}", _parsed_line(f"{path} line {number}", line)
        return
    rows = whole.get("campaigns", whole) if isinstance(whole, dict) else whole
    if isinstance(rows, list):
        yield from ((f"{path} campaign {number}", row) for number, row in enumerate(rows, start=1))
    else:
        yield str(path), rows


def _text(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("FILE", str(path), f"must be a file that can be read ({error})") from error


def _parsed_line(where: str, line: str) -> Any:
    try:
        return parsed(line)
    except NotJson as error:
        raise BadInput(where, line.strip(), error.faults[0].allowed) from error


def _submission(document: Any) -> Submission:
    name = document.get("campaign_id") if isinstance(document, dict) else None
    body = json.dumps(document)
    return read_for(name, SUBMISSION, body) if isinstance(name, str) else read(SUBMISSION, body)
