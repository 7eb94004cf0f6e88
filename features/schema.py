"""The history tables: what a user brings, what the outcome log yields, and what features read.

Each table's pandera schema is its documentation: columns, types, ranges. `features.quarantine` applies
them to rows from outside; inside, a `History` is taken to be sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Self

import pandas as pd
import pandera.pandas as pa

from features.asof import known_by
from features.records import Campaign, Delivers, Kpi, Metric, Signal, ValueShape

UTC_TIME = pd.DatetimeTZDtype("us", "UTC")
_ABSURD = (pd.Timestamp("1990-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC"))


def _text(**options: Any) -> pa.Column:
    return pa.Column(str, pa.Check.str_length(1, 200, error="must be 1 to 200 characters"), coerce=True, **options)


def _time(**options: Any) -> pa.Column:
    between = pa.Check.in_range(*_ABSURD, error="must be a time between 1990 and 2100, with an offset")
    return pa.Column(UTC_TIME, between, coerce=True, **options)


def _number(
    low: float | None = None, high: float | None = None, above: float | None = None, **options: Any
) -> pa.Column:
    checks = []
    if above is not None:
        checks.append(pa.Check.gt(above, error=f"must be more than {above:g}"))
    if low is not None:
        checks.append(pa.Check.ge(low, error=f"must be at least {low:g}"))
    if high is not None:
        checks.append(pa.Check.le(high, error=f"must be at most {high:g}"))
    return pa.Column(float, checks, coerce=True, **options)


def _one_of(names: Iterable[str], **options: Any) -> pa.Column:
    allowed = [str(n) for n in names]
    return pa.Column(str, pa.Check.isin(allowed, error=f"must be one of {', '.join(allowed)}"), coerce=True, **options)


_MAYBE: dict[str, Any] = {"nullable": True, "required": False}

TABLES: dict[str, pa.DataFrameSchema] = {
    "campaigns": pa.DataFrameSchema(
        {
            "campaign_id": _text(unique=True, report_duplicates="exclude_first"),
            "account": _text(),
            "kind": _text(),
            "channel": _text(),
            "released_at": _time(),
            "launch_by": _time(**_MAYBE),
            "starts_at": _time(**_MAYBE),
            "ends_at": _time(**_MAYBE),
            "work_units": _number(above=0),
            "planned_revenue": _number(low=0, **_MAYBE),
            "urgency": _number(low=0, high=1, **_MAYBE),
            "brand": _number(low=0, high=1, **_MAYBE),
            "value_shape": _one_of(ValueShape, default=str(ValueShape.WINDOW), required=False),
            "late_fraction": _number(low=0, high=1, **_MAYBE),
            "half_life_h": _number(above=0, **_MAYBE),
            "delivers": _one_of(Delivers, default=str(Delivers.AT_END), required=False),
            "launched_at": _time(**_MAYBE),
        },
        name="campaigns",
    ),
    "targets": pa.DataFrameSchema(
        {"campaign_id": _text(), "target_id": _text(), "planned_exposures": _number(low=0)}, name="targets"
    ),
    "kpis": pa.DataFrameSchema(
        {
            "campaign_id": _text(),
            "target_id": _text(**_MAYBE),
            "at": _time(),
            "known_at": _time(),
            "metric": _one_of(Metric),
            "value": _number(),
        },
        name="kpis",
    ),
    "signals": pa.DataFrameSchema(
        {
            "entity": _text(),
            "at": _time(),
            "known_at": _time(),
            "name": _text(),
            "value": _number(),
            "source": _text(default="manual", required=False),
        },
        name="signals",
    ),
    "runs": pa.DataFrameSchema(
        {
            "campaign_id": _text(),
            "task_id": _text(),
            "chunk": _number(low=0),
            "enqueued_at": _time(**_MAYBE),
            "started_at": _time(),
            "finished_at": _time(),
            "units": _number(low=0),
            "attempts": _number(low=1),
            "capacity": _number(low=0, **_MAYBE),
            "outcome": _text(),
        },
        name="runs",
    ),
}


def _empty(table: str) -> pd.DataFrame:
    columns = TABLES[table].columns
    return pd.DataFrame({name: pd.Series(dtype=_dtype(column)) for name, column in columns.items()})


def _dtype(column: pa.Column) -> Any:
    kind = str(column.dtype)
    return UTC_TIME if kind.startswith("datetime") else "float64" if kind == "float64" else "str"


def conformed(table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Sound rows with every column of the table, in order and of its type; absent ones are missing or default."""
    columns = TABLES[table].columns
    full = rows.reindex(columns=list(columns))
    for name, column in columns.items():
        if column.default is not None:
            full[name] = full[name].astype(object).where(full[name].notna(), column.default)
    return full.astype({name: _dtype(column) for name, column in columns.items()}).reset_index(drop=True)


@dataclass(frozen=True)
class History:
    """Past campaigns and what was observed: one frame a table, columns as in `TABLES`."""

    campaigns: pd.DataFrame
    targets: pd.DataFrame
    kpis: pd.DataFrame
    signals: pd.DataFrame
    runs: pd.DataFrame

    @classmethod
    def of_tables(cls, tables: Mapping[str, pd.DataFrame]) -> Self:
        """From sound tables; one not given is empty."""
        return cls(**{name: conformed(name, tables[name]) if name in tables else _empty(name) for name in TABLES})

    @classmethod
    def empty(cls) -> Self:
        """Nothing known yet."""
        return cls.of_tables({})

    @classmethod
    def of_records(
        cls,
        campaigns: Sequence[Campaign],
        kpis: Iterable[Kpi] = (),
        signals: Iterable[Signal] = (),
        launched: Mapping[str, datetime] | None = None,
    ) -> Self:
        """From records; `launched` says when campaigns went live, where that is known."""
        rows = pd.DataFrame([asdict(c) | {"launched_at": (launched or {}).get(c.campaign_id)} for c in campaigns])
        targets = [(c.campaign_id, target, planned) for c in campaigns for target, planned in c.targets.items()]
        return cls.of_tables(
            {
                "campaigns": rows,
                "targets": pd.DataFrame(targets, columns=list(TABLES["targets"].columns)),
                "kpis": pd.DataFrame([asdict(k) for k in kpis]),
                "signals": pd.DataFrame([asdict(s) for s in signals]),
            }
        )

    def known_by(self, moment: datetime) -> Self:
        """Only what was known by `moment`: results and signals by `known_at`, plans by `released_at`."""
        campaigns = known_by(self.campaigns, moment, "released_at")
        return type(self)(
            campaigns=campaigns,
            targets=self.targets[self.targets.campaign_id.isin(campaigns.campaign_id)],
            kpis=known_by(self.kpis, moment),
            signals=known_by(self.signals, moment),
            runs=known_by(self.runs, moment, "finished_at"),
        )

    def joined(self, newer: Self) -> Self:
        """Both histories as one; a campaign in both is taken from `newer`, with its targets and results."""
        replaced = set(newer.campaigns.campaign_id)
        parts = {}
        for table in fields(self):
            old, new = getattr(self, table.name), getattr(newer, table.name)
            if "campaign_id" in old.columns:
                old = old[~old.campaign_id.isin(replaced)]
            parts[table.name] = pd.concat([old, new], ignore_index=True) if len(new) else old.reset_index(drop=True)
        return type(self)(**parts)


def campaigns_of(history: History, campaign_ids: Iterable[str] | None = None) -> list[Campaign]:
    """The declared campaigns of a history as records, in the order asked for, or in the table's own."""
    rows = history.campaigns
    if campaign_ids is not None:
        rows = rows.set_index("campaign_id", drop=False).loc[list(campaign_ids)]
    targets: dict[str, dict[str, float]] = {}
    for campaign_id, target_id, planned in history.targets.itertuples(index=False):
        targets.setdefault(campaign_id, {})[target_id] = planned
    declared = rows.drop(columns="launched_at").to_dict("records")
    return [Campaign(**_present(row), targets=targets.get(row["campaign_id"], {})) for row in declared]


def _present(row: Mapping[Any, Any]) -> dict[str, Any]:
    kinds: dict[str, Any] = {"value_shape": ValueShape, "delivers": Delivers}
    values = {name: value for name, value in row.items() if not pd.isna(value)}
    return {
        name: value.to_pydatetime() if isinstance(value, pd.Timestamp) else kinds.get(name, lambda v: v)(value)
        for name, value in values.items()
    }
