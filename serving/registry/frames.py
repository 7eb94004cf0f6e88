"""Campaigns as a table and back: what a plain MLflow user passes to the model.

One row a campaign, one column a record field. Times are ISO 8601 text with offset; targets and lists
are JSON text; what a campaign does not declare is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import pandas as pd
from pydantic import ValidationError

from features.records import Campaign
from serving.api.bodies import CAMPAIGN, moment_of
from serving.api.faults import faults_of
from serving.errors import BadInput, Fault

COLUMNS = tuple(field.name for field in fields(Campaign))
NUMBERS = ("work_units", "planned_revenue", "urgency", "brand", "late_fraction", "half_life_h", "holdout")
NESTED = ("targets", "tags", "exclusive", "after")
REQUIRED = ("campaign_id", "account", "kind", "channel", "released_at", "work_units")


def frame_of(campaigns: Sequence[Campaign], at: datetime | None = None) -> pd.DataFrame:
    """Campaigns as a table; with `at`, the moment they are asked about stands in a column of that name."""
    rows = [CAMPAIGN.dump_python(campaign, mode="json") for campaign in campaigns]
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    for name in NESTED:
        frame[name] = frame[name].map(json.dumps)
    text = [name for name in COLUMNS if name not in NUMBERS]
    frame = frame.astype(dict.fromkeys(NUMBERS, float) | dict.fromkeys(text, "str"))
    if at is not None:
        frame["at"] = at.isoformat()
    return frame


def campaigns_of_frame(frame: pd.DataFrame) -> list[Campaign]:
    """The campaigns of a table, in its order; a column `at` is left aside.

    Raises
    ------
    BadInput
        When a row is not a campaign; it names row, field, value and what is allowed.
    """
    campaigns: list[Campaign] = []
    faults: list[Fault] = []
    for number, row in enumerate(frame.drop(columns="at", errors="ignore").to_dict("records")):
        try:
            campaigns.append(CAMPAIGN.validate_python(_declared(row)))
        except ValidationError as error:
            faults += faults_of(error, f"row {number}")
    if faults:
        raise BadInput.of(faults)
    return campaigns


def moments_of_frame(frame: pd.DataFrame, default: datetime) -> list[datetime]:
    """The moment each row asks about: its own `at`, else the default."""
    if "at" not in frame.columns:
        return [default] * len(frame)
    return [default if _missing(at) else moment_of(str(at)) for at in frame["at"]]


def _declared(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row without its missing cells, JSON text read."""
    return {name: _read(name, value) for name, value in row.items() if not _missing(value)}


def _read(name: str, value: Any) -> Any:
    if name in NESTED and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value  # left as it is for validation to name
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


def _missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
