"""Rows from outside, checked: the sound ones become history, each bad one is kept aside with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandera.errors import SchemaErrors

from features.asof import hours_of
from features.schema import TABLES, History

FAULT_COLUMNS = ["file", "row", "column", "value", "reason"]
_OFFSET = r"(?:[Zz]|[+-]\d{2}:?\d{2})\s*$"


class TableUnusable(ValueError):
    """A table lacks a column that nothing can stand in for; the message names it and what is allowed."""


@dataclass(frozen=True)
class Quarantine:
    """Rows left out of a history.

    Attributes
    ----------
    faults : `file`, `row` (1 is the first after the header), `column`, `value`, `reason`; one row a fault.
    rows_read, rows_kept : counts by table.
    """

    faults: pd.DataFrame
    rows_read: dict[str, int]
    rows_kept: dict[str, int]

    def __str__(self) -> str:
        kept = ", ".join(f"{name} {self.rows_kept[name]} of {count}" for name, count in self.rows_read.items())
        lines = [f"{f.file} row {f.row}: {f.column} {f.value!r}: {f.reason}" for f in self.faults.itertuples()]
        return "\n".join([f"rows kept: {kept}", *lines])


def checked(tables: Mapping[str, pd.DataFrame], source: str = "") -> tuple[History, Quarantine]:
    """Check tables from outside and keep the sound rows.

    Parameters
    ----------
    tables : by name, as in `features.schema.TABLES`; times as text need an offset.
    source : where they come from, put before the table's name in each fault.

    Raises
    ------
    TableUnusable
        When a table is unknown, or a required column is missing from one.
    """
    sound: dict[str, pd.DataFrame] = {}
    faults: list[pd.DataFrame] = []
    for name, rows in tables.items():
        if name not in TABLES:
            raise TableUnusable(f"{source}{name} is no history table: allowed are {', '.join(TABLES)}")
        kept, found = _checked_table(name, rows.reset_index(drop=True))
        sound[name] = kept
        faults.append(found.assign(file=f"{source}{name}"))
    for name in ("targets", "kpis", "runs"):
        if name in sound and "campaigns" in sound:
            sound[name], found = _of_known_campaigns(sound[name], sound["campaigns"])
            faults.append(found.assign(file=f"{source}{name}"))
    listed = pd.concat([f for f in faults if len(f)] or [pd.DataFrame(columns=FAULT_COLUMNS)], ignore_index=True)
    quarantine = Quarantine(
        faults=listed[FAULT_COLUMNS],
        rows_read={name: len(rows) for name, rows in tables.items()},
        rows_kept={name: len(rows) for name, rows in sound.items()},
    )
    return History.of_tables(sound), quarantine


def _checked_table(name: str, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    schema = TABLES[name]
    missing = [c for c, column in schema.columns.items() if column.required and c not in rows.columns]
    if missing:
        raise TableUnusable(
            f"{name} has no column {missing[0]!r}: it needs "
            + ", ".join(c for c, column in schema.columns.items() if column.required)
        )
    faults: list[dict[str, Any]] = []
    typed = rows[[c for c in schema.columns if c in rows.columns]].copy()
    for column in typed.columns:
        typed[column] = _typed(typed[column], str(schema.columns[column].dtype), faults)
    bad = {fault["row"] - 1 for fault in faults}
    typed = typed.drop(index=list(bad))
    try:
        schema.validate(typed, lazy=True)
    except SchemaErrors as error:
        faults += _failures(error.failure_cases, rows)
        typed = typed.drop(index=list({f["row"] - 1 for f in faults} - bad))
    typed, order = _in_order(name, typed)
    return typed, pd.DataFrame(faults + order, columns=[c for c in FAULT_COLUMNS if c != "file"])


def _typed(column: pd.Series, dtype: str, faults: list[dict[str, Any]]) -> pd.Series:
    """A column in its type; what cannot be read is a fault and becomes missing."""
    if dtype.startswith("datetime"):
        parsed = _times(column)
        reason = "must be a time with an offset, such as 2026-03-01T09:00:00+01:00"
    elif dtype == "float64":
        parsed = pd.to_numeric(column, errors="coerce").astype(float)
        reason = "must be a number"
    else:
        return column.astype("str").where(column.notna())
    unread = column.index[column.notna() & parsed.isna()]
    faults.extend(_fault(row, str(column.name), column[row], reason) for row in unread)
    return parsed


def _times(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        moved: pd.Series = column.dt.tz_convert("UTC").dt.as_unit("us")
        return moved
    text = column.astype("str").where(column.notna())
    with_offset = text.where(text.str.contains(_OFFSET, regex=True, na=False))
    parsed: pd.Series = pd.to_datetime(with_offset, errors="coerce", utc=True, format="ISO8601").dt.as_unit("us")
    return parsed


def _failures(cases: pd.DataFrame, rows: pd.DataFrame) -> list[dict[str, Any]]:
    reasons = {"not_nullable": "must not be empty", "field_uniqueness": "must appear once"}
    first = cases.drop_duplicates(["column", "index"])
    return [
        _fault(row, column, rows[column][row], reasons.get(str(check), str(check)))
        for row, column, check in zip(first["index"].astype(int), first["column"], first["check"], strict=True)
    ]


def _in_order(name: str, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Leave out rows whose times contradict each other, or whose value shape lacks what it needs."""
    before = {
        "campaigns": [("starts_at", "ends_at"), ("released_at", "ends_at")],
        "runs": [("started_at", "finished_at")],
    }
    before |= {table: [("at", "known_at")] for table in ("kpis", "signals")}
    faults: list[dict[str, Any]] = []
    for first, second in before.get(name, []):
        if first in rows and second in rows:
            wrong = rows[hours_of(rows[first]) > hours_of(rows[second])]
            faults += [_fault(row, second, v, f"must not be before {first}") for row, v in wrong[second].items()]
    if name == "campaigns":
        shape = rows["value_shape"].fillna("window") if "value_shape" in rows else pd.Series("window", index=rows.index)
        for wanted, needed in (("window", "ends_at"), ("deadline", "launch_by"), ("half_life", "half_life_h")):
            lacking = rows[needed].isna() if needed in rows else pd.Series(True, index=rows.index)
            without = rows.index[(shape == wanted) & lacking]
            faults += [_fault(row, needed, None, f"is required when value_shape is {wanted!r}") for row in without]
    return rows.drop(index=list({f["row"] - 1 for f in faults})), faults


def _fault(row: Any, column: str, value: Any, reason: str) -> dict[str, Any]:
    return {"row": int(row) + 1, "column": column, "value": value, "reason": reason}


def _of_known_campaigns(rows: pd.DataFrame, campaigns: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    unknown = rows[~rows.campaign_id.isin(campaigns.campaign_id)]
    reason = "names no campaign of the campaigns table"
    faults = [_fault(row, "campaign_id", v, reason) for row, v in unknown.campaign_id.items()]
    return rows.drop(index=unknown.index), pd.DataFrame(faults, columns=[c for c in FAULT_COLUMNS if c != "file"])
