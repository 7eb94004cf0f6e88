"""Whatever is sent as a body is read as what it says, or refused in words; nothing else ever happens."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from features.records import Campaign
from serving.api import bodies, examples
from serving.api.bodies import read, read_for
from serving.errors import BadInput, NotJson, PrecedenceError, problem

TASK = {**examples.TASK, "campaign_id": "flash-sale-shoes"}
BODIES: dict[str, tuple[TypeAdapter[Any], dict[str, Any]]] = {
    "asked": (bodies.ASKED, examples.ASKED),
    "submission": (bodies.SUBMISSION, {**examples.CAMPAIGN, "tasks": [TASK]}),
    "change": (bodies.CHANGE, examples.CHANGE),
    "what_if": (bodies.WHAT_IF, {"campaign": examples.CAMPAIGN, "changes": {}}),
    "outcomes": (bodies.OUTCOMES, examples.OUTCOMES),
    "signals": (bodies.SIGNALS, examples.SIGNALS),
    "redrive": (bodies.REDRIVE, examples.REDRIVE),
}
NUMBERS = ("work_units", "urgency", "brand", "planned_revenue", "late_fraction", "half_life_h", "holdout")
TIMES = ("released_at", "launch_by", "starts_at", "ends_at")

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def refused(body: TypeAdapter[Any], data: bytes | str) -> PrecedenceError | None:
    """How a body is refused; None if it is read. The refusal can be told as JSON."""
    try:
        read(body, data)
    except BadInput as error:
        refusal = error
    else:
        return None
    assert len(json.dumps(problem(refusal), allow_nan=False)) < 10_000 + 2_000 * len(refusal.faults)
    return refusal


def asked(**facts: Any) -> str:
    return json.dumps({"campaigns": [{**examples.CAMPAIGN, **facts}]})


@pytest.mark.parametrize("name", BODIES)
def test_the_examples_are_read(name: str) -> None:
    body, sent = BODIES[name]
    assert refused(body, json.dumps(sent)) is None


@given(data=st.binary(max_size=200))
@example(data=b"\xff\xfe{}")
@example(data=b'{"campaigns": []}\xc3')
@example(data=b'{"campaigns": ["\xed\xa0\x80"]}')
@example(data=b"\x80\x04.")
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    for body, _ in BODIES.values():
        refused(body, data)


@given(document=anything, name=st.sampled_from(sorted(BODIES)))
def test_any_json_is_refused_or_read(document: Any, name: str) -> None:
    refused(BODIES[name][0], json.dumps(document))


@given(name=st.sampled_from(sorted(BODIES)), field=st.text(min_size=1, max_size=20), value=anything)
def test_an_unknown_field_is_refused_by_name(name: str, field: str, value: Any) -> None:
    body, sent = BODIES[name]
    if field in {*sent, "at", "progress", "changes", *(each.name for each in fields(Campaign))}:
        return
    error = refused(body, json.dumps({**sent, field: value}))
    assert isinstance(error, BadInput)
    assert any(fault.field == field and "is no known field" in fault.allowed for fault in error.faults), error.faults


@given(field=st.sampled_from(NUMBERS), number=st.sampled_from(["NaN", "Infinity", "-Infinity", "1e999", "-1e999"]))
def test_what_is_no_number_is_refused(field: str, number: str) -> None:
    document = asked(**{field: "HERE"}).replace('"HERE"', number)
    assert isinstance(refused(bodies.ASKED, document), BadInput)


@given(field=st.sampled_from(NUMBERS), number=st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_is_read_as_itself_or_named_with_what_is_allowed(field: str, number: float) -> None:
    error = refused(bodies.ASKED, asked(**{field: number}))
    if error is None:
        assert number >= 0
        assert math.isfinite(number)
    else:
        assert field in str(error) or "JSON" in str(error)


@given(digits=st.integers(4_000, 8_000), field=st.sampled_from(NUMBERS))
def test_a_number_of_very_many_digits_is_refused_shortly(digits: int, field: str) -> None:
    error = refused(bodies.ASKED, asked(**{field: "HERE"}).replace('"HERE"', "9" * digits))
    assert isinstance(error, BadInput)
    assert len(str(error)) < 1_000


@given(depth=st.integers(150, 5_000), opening=st.sampled_from(["[", '{"a":']))
def test_what_is_nested_too_deep_is_refused(depth: int, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    for body, _ in BODIES.values():
        assert isinstance(refused(body, opening * depth + "1" + closing * depth), BadInput)


@pytest.mark.parametrize("depth", [100, 190, 201, 1_000, 100_000])
def test_a_payload_nested_too_deep_is_refused_and_never_crashes(depth: int) -> None:
    payload = "[" * depth + "]" * depth
    document = json.dumps({**examples.SUBMISSION, "tasks": [{**examples.TASK, "payload": {"list": "HERE"}}]})
    try:
        read_for("flash-sale-shoes", bodies.SUBMISSION, document.replace('"HERE"', payload))
    except NotJson as error:
        assert depth > 190
        assert "must be JSON" in str(error)  # noqa: PT017 - either way is right


@given(field=st.sampled_from(TIMES), moment=st.datetimes())
def test_a_time_without_an_offset_is_refused_by_name(field: str, moment: Any) -> None:
    error = refused(bodies.ASKED, asked(**{field: moment.isoformat()}))
    assert isinstance(error, BadInput)
    (fault,) = [fault for fault in error.faults if fault.field == f"campaigns[0].{field}"]
    assert "offset" in fault.allowed


@pytest.mark.parametrize("moment", [1764230400, "1764230400", "2026-11-27", "27.11.2026 08:00", "noon", "", True, []])
def test_a_time_in_any_other_unit_is_refused(moment: Any) -> None:
    assert isinstance(refused(bodies.ASKED, asked(released_at=moment)), BadInput)


@pytest.mark.parametrize("units", ["12000", "12k", "5 h", True, [5], {"value": 5}])
def test_a_number_in_a_unit_or_in_quotes_is_refused(units: Any) -> None:
    error = refused(bodies.ASKED, asked(work_units=units))
    assert isinstance(error, BadInput)
    assert error.faults[0].field == "campaigns[0].work_units"
