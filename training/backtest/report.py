"""A study told: a table for the terminal, pictures for the record; what is simulated says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import isnan
from pathlib import Path

from rich.table import Table

from training import plots
from training.backtest.figures import PolicyResult
from training.backtest.study import Study
from training.backtest.sweeps import Noise, TradeOff
from training.console import POLICIES

NAMES = {
    **POLICIES,
    "expert_same_h": "expert, same h",
    "index_even": "learned, no rhythm",
    "vp": "learned, v/p",
    "value": "learned, v alone",
    "gcmu": "learned, c-mu",
    "atc": "learned, ATC",
    "planner": "planner",
    "edf": "first due",
    "random": "by lot",
    "upper_bound": "upper bound",
}
"""Policies as people call them."""

TINY_GAP = 0.02
"""Share of the bound's dollars between first come and the bound, below which a ratio of the gap says little."""


def tables(study: Study) -> list[Table]:
    """One table a setting."""
    return [_table(list(results), study.weeks) for _, results in groupby(study.results, _setting)]


def pictures(study: Study, directory: Path) -> dict[str, Path]:
    """The study's pictures, by name; fewer where nothing was swept."""
    drawn = {"policies": plots.settings_picture(study.results, study.weeks, directory / "policies.png")}
    if study.noise:
        drawn["noise"] = plots.lines_picture(
            _noise_lines(study.noise),
            "rank correlation of believed with true values",
            "share of the gap",
            "How good predictions must be",
            directory / "noise.png",
        )
    if study.trade_off:
        drawn["trade_off"] = plots.lines_picture(
            _trade_off_lines(study.trade_off),
            "wait of the most valuable tenth, below first come's, %",
            "share of the gap",
            "Value against the wait of the most valuable",
            directory / "trade_off.png",
        )
    return drawn


def metrics(results: Iterable[PolicyResult]) -> dict[str, float]:
    """One setting's figures under one name each."""
    return {
        f"{result.policy}.{name}": value
        for result in results
        for name, value in (
            ("share_of_gap", result.share_of_gap),
            ("share_of_gap.low", result.ci95[0]),
            ("share_of_gap.high", result.ci95[1]),
            ("value_usd", result.value_usd),
            ("minus_expert", result.minus_expert),
            ("minus_expert.low", result.minus_expert_ci95[0]),
            ("minus_expert.high", result.minus_expert_ci95[1]),
            ("top_tenth_latency_h", result.top_tenth_latency_h),
            ("on_time", result.on_time),
        )
        if not isnan(value)  # MLflow has no way to say that there is no figure
    }


def tiny(results: Sequence[PolicyResult]) -> bool:
    """Whether there is next to nothing to win, so that dollars say more than shares."""
    dollars = {result.policy: result.value_usd for result in results}
    return dollars["clairvoyant"] - dollars["fifo"] < TINY_GAP * dollars["clairvoyant"]


def _setting(result: PolicyResult) -> tuple[str, float, bool]:
    return result.release, result.load, result.preemptive


def _table(results: Sequence[PolicyResult], weeks: Sequence[int]) -> Table:
    release, load, preemptive = _setting(results[0])
    little = tiny(results)
    title = f"{release.replace('_', ' ')}, load {load:g}{', preemptive' if preemptive else ''}"
    title += f", weeks {min(weeks)}-{max(weeks)}"
    title += "\n(real campaigns and revenue; simulated workers, processing times and releases)"
    if little:
        title += "\n(next to nothing to win: dollars say more than shares)"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("policy")
    for heading in ("value", "share of gap\n(95 % interval)", "minus expert,\nsame index", "top\ntenth", "on\ntime"):
        table.add_column(heading, justify="right", no_wrap=True)
    most = max(r.replicates for r in results)
    for r in results:
        table.add_row(
            # Other dollars come of other chance: say where a policy was played less often than the rest.
            f"{NAMES.get(r.policy, r.policy)}{f' ({r.replicates}/{most})' if r.replicates < most else ''}",
            f"${r.value_usd:,.0f}",
            "-" if little else _interval(r.share_of_gap, r.ci95),
            "-" if little else _interval(r.minus_expert, r.minus_expert_ci95),
            "-" if isnan(r.top_tenth_latency_h) else f"{r.top_tenth_latency_h:.0f} h",
            "-" if isnan(r.on_time) else f"{100 * r.on_time:.0f} %",
            style="bold" if r.policy == "index" else "",
        )
    return table


def _interval(share: float, ci95: tuple[float, float]) -> str:
    return "-" if isnan(share) else f"{_short(share, 3)} ({_short(ci95[0], 2)} to {_short(ci95[1], 2)})"


def _short(share: float, digits: int) -> str:
    """Without the zero before the point, so that a line holds two intervals."""
    return f"{share:.{digits}f}".replace("0.", ".", 1)


def _noise_lines(points: Sequence[Noise]) -> list[plots.Line]:
    lines = []
    for setting, of_setting in groupby(points, lambda point: (point.release, point.load)):
        every = list(of_setting)
        blurred = [point for point in every if point.values == "noise"]
        lines.append(
            plots.Line(
                f"{setting[0].replace('_', ' ')}, load {setting[1]:g}",
                [point.spearman for point in blurred],
                [point.share_of_gap for point in blurred],
                {p.values: (p.spearman, p.share_of_gap) for p in every if p.values != "noise"},
            )
        )
    return lines


def _trade_off_lines(points: Sequence[TradeOff]) -> list[plots.Line]:
    lines = []
    for setting, of_setting in groupby(points, lambda point: (point.release, point.load)):
        every = list(of_setting)
        lines.append(
            plots.Line(
                f"{setting[0].replace('_', ' ')}, load {setting[1]:g}",
                [100 * point.below_fifo for point in every],
                [point.share_of_gap for point in every],
                {"the index": (100 * every[0].below_fifo, every[0].share_of_gap)},
            )
        )
    return lines
