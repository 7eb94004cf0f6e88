"""Play many seeds, or one in detail: `python -m tests.simulation --dispatches 1000000`, `--seed 17 --trace`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.simulation.plagues import FAULTS
from tests.simulation.playing import played_by, quiet
from tests.simulation.simulation import Outcome, simulate

MOST_SHOWN, MOST_SAID = 20, 5
"""Broken seeds after which there is no point in going on; breaches said of each."""


def main() -> int:
    """Play, show, and return 1 if an invariant was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--dispatches", type=int, default=1_000_000, help="play until so many tasks were given slots")
    parser.add_argument("--seeds", type=int, default=1_000, help="play at least so many seeds")
    parser.add_argument("--faults", type=int, default=1_000, help="play until each fault happened so often")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--trace", action="store_true", help="print all that happens in it")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON document")
    given = parser.parse_args()
    quiet()
    if given.seed is not None:
        return one(given.seed, traced=given.trace)
    return many(given)


def one(seed: int, *, traced: bool) -> int:
    """Play one seed."""
    outcome = simulate(seed, traced=traced)
    for line in outcome.trace:
        print(line)
    print(json.dumps({"seed": seed, "counts": outcome.counts, "faults": outcome.faults}, indent=1))
    if outcome.breaches:
        show_breach(outcome)
    return int(bool(outcome.breaches))


def many(wanted: argparse.Namespace) -> int:
    """Play seeds from the first on, until there are enough of them, of dispatches, and of each fault."""
    started, console = time.perf_counter(), Console(stderr=True)
    counts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    broken: list[Outcome] = []
    played, least_load = 0, float("inf")
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("dispatches", total=wanted.dispatches)
        for outcome in played_by(wanted.processes, wanted.first):
            played += 1
            counts += outcome.counts
            faults += outcome.faults
            least_load = min(least_load, outcome.load)
            if outcome.breaches:
                broken.append(outcome)
                show_breach(outcome)
            progress.update(bar, completed=counts["dispatches"], description=f"{played} seeds")
            enough = played >= wanted.seeds and counts["dispatches"] >= wanted.dispatches
            if (enough and min(faults[fault] for fault in FAULTS) >= wanted.faults) or len(broken) >= MOST_SHOWN:
                break
    summary = {
        "seeds": played,
        "first_seed": wanted.first,
        "dispatches": counts["dispatches"],
        "least_load": least_load,
        "counts": dict(sorted(counts.items())),
        "faults": dict(sorted(faults.items())),
        "broken": {str(outcome.seed): [f"{b.invariant}: {b.text}" for b in outcome.breaches] for outcome in broken},
        "seconds": round(time.perf_counter() - started, 1),
    }
    if wanted.json:
        print(json.dumps(summary, indent=1))
    else:
        show(summary, Console())
    return int(bool(broken))


def show(summary: dict[str, object], console: Console) -> None:
    """Print the summary as a table."""
    table = Table(title="Simulation", show_header=False)
    for name in ("seeds", "first_seed", "dispatches", "least_load", "seconds"):
        table.add_row(name, str(summary[name]))
    for part in ("faults", "counts"):
        table.add_section()
        for name, value in summary[part].items():  # type: ignore[attr-defined]
            table.add_row(name, f"{value:,}")
    console.print(table)


def show_breach(outcome: Outcome) -> None:
    """Say which invariants a seed broke, and how to see it happen again."""
    print(f"seed {outcome.seed}: python -m tests.simulation --seed {outcome.seed} --trace", file=sys.stderr)
    for breach in outcome.breaches[:MOST_SAID]:
        print(f"  {breach.at_s:.1f} s: {breach.invariant}: {breach.text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
