"""Rows from outside: sound ones are kept, each bad one is listed with file, row, column and reason."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from features.quarantine import TableUnusable, checked

CAMPAIGNS = """campaign_id,account,kind,channel,released_at,ends_at,work_units,urgency
good,x,k,m,2026-01-01T00:00:00Z,2026-01-03T00:00:00+01:00,5,0.5
naive,x,k,m,2026-01-01T00:00:00,2026-01-03T00:00:00Z,5,0.5
backward,x,k,m,2026-01-01T00:00:00Z,2025-01-03T00:00:00Z,5,0.5
worded,x,k,m,2026-01-01T00:00:00Z,2026-01-03T00:00:00Z,five,0.5
pushy,x,k,m,2026-01-01T00:00:00Z,2026-01-03T00:00:00Z,5,1.5
good,x,k,m,2026-01-01T00:00:00Z,2026-01-03T00:00:00Z,5,
endless,x,k,m,2026-01-01T00:00:00Z,,5,
negative,x,k,m,2026-01-01T00:00:00Z,2026-01-03T00:00:00Z,-5,
ancient,x,k,m,1026-01-01T00:00:00Z,2026-01-03T00:00:00Z,5,
"""
KPIS = """campaign_id,at,known_at,metric,value
good,2026-01-01T05:00:00Z,2026-01-01T06:00:00Z,revenue,3
good,2026-01-01T05:00:00Z,2026-01-01T04:00:00Z,revenue,3
nobody,2026-01-01T05:00:00Z,2026-01-01T06:00:00Z,revenue,3
good,2026-01-01T05:00:00Z,2026-01-01T06:00:00Z,applause,3
"""


def test_each_bad_row_is_kept_aside_with_its_reason() -> None:
    tables = {"campaigns": pd.read_csv(io.StringIO(CAMPAIGNS)), "kpis": pd.read_csv(io.StringIO(KPIS))}
    history, quarantine = checked(tables, source="may/")
    assert history.campaigns.campaign_id.tolist() == ["good"]
    assert history.campaigns.ends_at[0] == pd.Timestamp("2026-01-02T23:00:00Z")
    assert len(history.kpis) == 1
    listed = set(quarantine.faults[["file", "row", "column"]].itertuples(index=False, name=None))
    assert listed == {
        ("may/campaigns", 2, "released_at"),
        ("may/campaigns", 3, "ends_at"),
        ("may/campaigns", 4, "work_units"),
        ("may/campaigns", 5, "urgency"),
        ("may/campaigns", 6, "campaign_id"),
        ("may/campaigns", 7, "ends_at"),
        ("may/campaigns", 8, "work_units"),
        ("may/campaigns", 9, "released_at"),
        ("may/kpis", 2, "known_at"),
        ("may/kpis", 3, "campaign_id"),
        ("may/kpis", 4, "metric"),
    }
    report = str(quarantine)
    assert "campaigns 1 of 9" in report
    assert "may/campaigns row 4: work_units 'five': must be a number" in report
    assert "must be one of impressions, delivered" in report


def test_a_table_without_a_required_column_says_which() -> None:
    with pytest.raises(TableUnusable, match="campaigns has no column 'kind'"):
        checked({"campaigns": pd.read_csv(io.StringIO(CAMPAIGNS)).drop(columns="kind")})


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(TableUnusable, match="clicks is no history table: allowed are campaigns"):
        checked({"clicks": pd.DataFrame()})


def test_sound_tables_pass_whole() -> None:
    _, quarantine = checked({"kpis": pd.read_csv(io.StringIO(KPIS)).iloc[:1]})
    assert quarantine.faults.empty
