"""What commands print: one sound JSON document for machines, tables that fit a terminal for people."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from training import console
from training.backtest import PolicyResult


def a_result(policy: str, share: float) -> PolicyResult:
    return PolicyResult(
        policy=policy,
        load=1.0,
        release="together",
        label="gross",
        preemptive=False,
        share_of_gap=share,
        ci95=(share - 0.02, share + 0.02),
        value_usd=102_538.4,
        minus_expert=0.01,
        minus_expert_ci95=(0.0, 0.02),
        latency_h=41.1,
        latency_p95_h=72.6,
        top_tenth_latency_h=23.6,
        top_tenth_p95_h=60.5,
        on_time=0.33,
        throughput_per_h=1.43,
    )


def printed(table: object) -> list[str]:
    out = StringIO()
    Console(file=out, width=80).print(table)
    return out.getvalue().splitlines()


def test_a_document_is_json_even_where_a_figure_is_none(capsys: pytest.CaptureFixture[str]):
    console.show_document({"results": [{"share_of_gap": float("nan"), "ci95": (0.1, float("nan"))}]})
    assert json.loads(capsys.readouterr().out) == {"results": [{"share_of_gap": None, "ci95": [0.1, None]}]}


def test_every_policy_has_one_line_in_eighty_columns():
    lines = printed(console.results_table([a_result(policy, 0.9) for policy in console.POLICIES], range(44, 53)))
    for name in console.POLICIES.values():
        assert len([line for line in lines if line.startswith(f"{name} ")]) == 1
    assert any("$102,538  0.90 (0.88 to 0.92)" in line for line in lines)
    assert not any("…" in line for line in lines)


def test_a_table_of_played_weeks_says_what_is_simulated():
    assert "simulated workers" in " ".join(printed(console.results_table([a_result("fifo", 0.0)], [44])))


def test_a_share_of_nothing_is_shown_as_a_dash():
    assert "- (- to -)" in " ".join(printed(console.results_table([a_result("fifo", float("nan"))], [44])))


def test_progress_stays_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]):
    with console.progress_bar("Training") as progress:
        progress("fitting", 0.5)
    assert capsys.readouterr() == ("", "")
