"""What the demonstration tells a person at its end."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from training import console
from training.demo.story import DemoResult, Lived


def told(result: DemoResult) -> list[Any]:
    """Parts to print, in order: the crash, the worth of the order, the challenger, and what to type next."""
    tested, retrained = result.trained.backtest, result.retrained
    return [
        "",
        _durability(result.lived),
        "",
        console.results_table(tested.results, tested.weeks),
        f"[dim]Picture: {result.trained.pictures['backtest']}[/]",
        "",
        console.metrics_table(tested.metrics, tested.weeks),
        console.verdict_line(result.trained.registered.version, result.trained.verdict),
        "",
        f"[bold]Retrained[/] on {retrained.logged} campaigns of the log, {retrained.late} of which went live late:",
        console.verdict_line(retrained.registered.version, retrained.verdict),
        "",
        f"[bold]All of this took {result.took_s:.0f} s. What to type next[/]",
        "  .venv/bin/precedence serve                serve the champion and a queue of your own; see README",
        "  .venv/bin/precedence backtest --load 1.5  what the order is worth under overload",
        f"  .venv/bin/mlflow ui --backend-store-uri sqlite:///{result.home / 'mlflow.db'}",
    ]


def _durability(lived: Lived) -> Table:
    table = Table(
        title=f"Week {lived.week}, lived by the services through one kill -9",
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=False,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    counted = lived.durability
    verdict = "[green]nothing lost, nothing finished twice[/]" if counted.holds else "[red]promise broken[/]"
    rows = {
        "submitted": f"{counted.submitted}",
        "finished": f"{counted.finished}",
        "lost": f"{counted.lost}",
        "finished twice": f"{counted.finished_twice}",
        "chunks done again, same key": f"{counted.chunks_again}",
        "preempted and resumed": f"{counted.preemptions}",
        "scheduler was down": f"{lived.down_h:.1f} h of the week's clock",
        "earned": f"${lived.earned_usd:,.0f} of ${lived.possible_usd:,.0f}",
        "verdict": verdict,
    }
    for name, figure in rows.items():
        table.add_row(name, figure)
    return table
