"""Records: what a caller may send, and what each refusal says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from features.records import Campaign, Kpi, Metric
from tests.worlds import MONDAY, campaign

SOUND: dict[str, Any] = {
    "campaign_id": "spring",
    "account": "shoes",
    "kind": "flash_sale",
    "channel": "mail",
    "released_at": "2026-03-01T00:00:00Z",
    "ends_at": "2026-03-02T00:00:00+00:00",
    "work_units": 10,
}


def test_a_campaign_survives_json() -> None:
    adapter = TypeAdapter(Campaign)
    one = campaign(targets={"p": 2.0}, tags=("a",), urgency=0.5)
    assert adapter.validate_json(adapter.dump_json(one)) == one


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"work_units": 0}, "work_units", "greater than 0"),
        ({"work_units": 1e308}, "work_units", "less than or equal to 1000000000000000"),
        ({"targets": {"p": 1e308}}, "targets", "less than or equal to 1000000000000000"),
        ({"work_units": "many"}, "work_units", "valid number"),
        ({"work_units": float("nan")}, "work_units", "finite"),
        ({"urgency": 1.5}, "urgency", "less than or equal to 1"),
        ({"released_at": "2026-03-01T00:00:00"}, "released_at", "timezone"),
        ({"targets": {"p": -1}}, "targets", "greater than or equal to 0"),
        ({"surprise": 1}, "surprise", "Unexpected"),
        ({"value_shape": "cliff"}, "value_shape", "'window', 'deadline' or 'half_life'"),
        ({"campaign_id": ""}, "campaign_id", "at least 1 character"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Campaign).validate_python(SOUND | change)
    (error,) = refused.value.errors()
    assert error["loc"][0] == field
    assert says in error["msg"]


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"ends_at": MONDAY - timedelta(days=1)}, "ends_at .* must be later than starts_at"),
        ({"ends_at": None}, "ends_at is required when value_shape is 'window'"),
        ({"value_shape": "deadline"}, "launch_by is required"),
        ({"value_shape": "half_life"}, "half_life_h is required"),
        ({"after": ("spring-sale",)}, "cannot follow itself"),
        ({"released_at": datetime(2026, 3, 1)}, "has no offset"),  # noqa: DTZ001
    ],
)
def test_fields_that_contradict_each_other_are_refused(facts: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        campaign(**facts)


def test_a_result_cannot_be_known_before_it_happens() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="known_at"):
        Kpi(campaign_id="a", at=now, known_at=now - timedelta(1), metric=Metric.CLICKS, value=1)
