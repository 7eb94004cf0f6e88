"""How results look on a terminal: tables on standard output, progress on standard error, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from math import isnan
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from features.matrix import CRITERIA
from training.progress import Progress

if TYPE_CHECKING:
    from training.backtest import PolicyResult
    from training.promotion import Verdict
    from training.tuning import TuneResult

POLICIES = {
    "index": "Precedence",
    "expert": "expert rule",
    "shrunk_response": "shrunk rule",
    "expert_vp": "expert, v/p",
    "matrix": "hand matrix",
    "spt": "shortest first",
    "fifo": "first come",
    "clairvoyant": "clairvoyant",
}
"""Policies as people call them."""

MODELS = {
    "value": "Precedence",
    "kind_mean": "mean of the kind",
    "planned_response": "planned response",
    "target_baseline": "lifted baseline",
    "expert": "expert rule",
    "shrunk_response": "shrunk rule",
    "ridge": "ridge on logarithms",
}
"""Value models as people call them."""


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A bar on standard error while the work lasts; nothing where that is not a terminal."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - only long work needs a bar
    from rich.progress import Progress as Bars  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]{task.fields[title]}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}", style="dim"),
    )
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=1.0, title=title)
        yield lambda stage, share: bars.update(task, description=stage, completed=share)


def show(*parts: Any) -> None:
    """Print for people."""
    console = Console()
    for part in parts:
        console.print(part)


def show_document(document: Mapping[str, Any]) -> None:
    """Print one JSON document to standard output; what is no number is null there."""
    print(json.dumps(_plain(document), indent=2, allow_nan=False))


def metrics_table(metrics: Mapping[str, Mapping[str, float]], weeks: Sequence[int]) -> Table:
    """How well each model predicts the value of held-out campaigns."""
    table = _table(f"Value of campaigns, weeks {min(weeks)}-{max(weeks)}, held out", "model")
    for heading in ("Spearman", "NDCG@10", "R2", "mean error"):
        table.add_column(heading, justify="right")
    for model, row in metrics.items():
        figures = (f"{row['spearman']:.3f}", f"{row['ndcg_at_10']:.3f}", f"{row['r2']:.3f}", f"${row['mae']:.1f}")
        table.add_row(MODELS.get(model, model), *figures, style="bold" if model == "value" else "")
    return table


def results_table(results: Sequence[PolicyResult], weeks: Sequence[int]) -> Table:
    """What each way to work was worth in the played weeks."""
    table = _table(
        f"Weeks {min(weeks)}-{max(weeks)} played at load {results[0].load:g}\n"
        "(real campaigns and revenue; simulated workers, processing times and due times)",
        "policy",
    )
    for heading in (
        "value",
        "share of gap\n(95 % interval)",
        "latency\nmean / p95",
        "top tenth",
        "on\ntime",
        "per\nhour",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for r in results:
        figures = (
            f"${r.value_usd:,.0f}",
            f"{_share(r.share_of_gap)} ({_share(r.ci95[0])} to {_share(r.ci95[1])})",
            f"{r.latency_h:.0f} / {r.latency_p95_h:.0f} h",
            f"{r.top_tenth_latency_h:.0f} / {r.top_tenth_p95_h:.0f} h",
            f"{100 * r.on_time:.0f} %",
            f"{r.throughput_per_h:.2f}",
        )
        table.add_row(POLICIES.get(r.policy, r.policy), *figures, style="bold" if r.policy == "index" else "")
    return table


def matrix_table(weights: Mapping[str, Sequence[float]]) -> Table:
    """The matrix's weights, one row a campaign kind."""
    table = _table("Weights of the Campaign Prioritization Matrix", "kind")
    for criterion in CRITERIA:
        table.add_column(criterion, justify="right")
    for kind, row in weights.items():
        table.add_row(kind, *(f"{100 * weight:.0f} %" for weight in row))
    return table


def matrix_document(weights: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The same for JSON."""
    return {"weights": {kind: dict(zip(CRITERIA, row, strict=True)) for kind, row in weights.items()}}


def verdict_line(version: str, verdict: Verdict) -> str:
    """Whether a version became champion, and why."""
    colour = "green" if verdict.promoted else "yellow"
    return f"[{colour}]version {version} {verdict.reason}[/]"


def tuning_lines(result: TuneResult) -> list[str]:
    """What a search for a recipe found."""
    matters = ", ".join(f"{name} {100 * share:.0f} %" for name, share in list(result.importance.items())[:4])
    return [
        f"[bold]best recipe: {result.worth:.4f} of the gap[/] on validation weeks; the usual one {result.usual:.4f}",
        f"  {result.trials} trials so far, {result.pruned} given up early"
        + (f"; what matters: {matters}" if matters else ""),
        f"  {', '.join(f'{name} {value}' for name, value in asdict(result.best).items())}",
        f"Kept in {result.recipe_file}: 'precedence train --recipe best' lets it prove itself.",
    ]


def figures_lines(figures: Mapping[str, float]) -> list[str]:
    """The figures a verdict rests on, one a line."""
    return [
        f"  {name.replace('_', ' ').replace('budget.', 'budget: '):<28} {value:>10.4g}"
        for name, value in figures.items()
    ]


def _table(title: str, first: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1))
    table.add_column(first)
    return table


def _share(share: float) -> str:
    return "-" if isnan(share) else f"{share:.2f}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and isnan(value) else value
