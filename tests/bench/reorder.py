"""10,000 live campaigns over a million queued tasks: scored anew, claimed from and looked at, durably, on SQLite.

9,000 of the campaigns are drained: live, of high score, with nothing left to lease. The same is measured over 10,000
queued tasks, as what is asked between two steps must not grow with what is queued.
`make bench NAME=reorder` writes .bench/reorder.json. Fewer tasks at most: `python tests/bench/reorder.py 100000`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])

from tests.bench.ours.reordering import CLAIMED, DRAINED, FULL, ROUNDS, Measured, measured
from tests.measuring import TOP, Figure, keep

SIZES = (10_000, 1_000_000)

MOST_RESCORED_S, MOST_CLAIMED_S, MOST_GROWTH = 0.1, 0.01, 2.0
"""What is promised: of scoring all anew, of the next claim of 100, and of that claim from the smaller to the larger."""


def run(queued: int) -> Measured:
    """The figures of one size, in a directory of its own on the disk that figures are kept on."""
    (TOP / ".bench").mkdir(exist_ok=True)
    with TemporaryDirectory(dir=TOP / ".bench") as name:
        found = measured(Path(name), queued // FULL)
    print(
        f"{found.queued:>9,} queued: scored anew in {1e3 * found.rescored_s:.1f} ms, {CLAIMED} claimed in"
        f" {1e3 * found.claimed_s:.2f} ms ({1e3 * found.stale_s:.1f} ms where all drained are wanted too), given"
        f" back in {1e3 * found.reported_s:.2f} ms, looked at in"
        f" {1e6 * found.looked_s:.0f} us, read at the start in {found.started_s:.2f} s,"
        f" {found.bytes_a_campaign:,.0f} bytes of memory a campaign, {found.bytes_on_disk / 1e6:,.0f} MB on disk",
        flush=True,
    )
    return found


def figures(sizes: Sequence[Measured]) -> list[Figure]:
    """The figures of all sizes, and how they grow."""
    made = []
    for found in sizes:
        over = f"over {found.queued} queued tasks"
        campaigns = DRAINED + FULL
        made += [
            Figure(f"{campaigns} campaigns scored anew {over}", 1e3 * found.rescored_s, "ms", {}, ROUNDS),
            Figure(f"{CLAIMED} tasks of {CLAIMED} campaigns claimed {over}", 1e3 * found.claimed_s, "ms", {}, ROUNDS),
            Figure(f"{CLAIMED} tasks given back {over}", 1e3 * found.reported_s, "ms", {}, ROUNDS),
            Figure(f"claimed with {DRAINED} drained campaigns asked too {over}", 1e3 * found.stale_s, "ms", {}, ROUNDS),
            Figure(f"one changed campaign seen {over}", 1e3 * found.looked_s, "ms", {}, ROUNDS),
            Figure(f"{campaigns} campaigns read at the start {over}", found.started_s, "s"),
            Figure(f"memory of a live campaign {over}", found.bytes_a_campaign, "bytes"),
            Figure(f"database {over}", found.bytes_on_disk / 1e6, "MB"),
        ]
    smaller, larger = sizes[0], sizes[-1]
    more = larger.queued - smaller.queued
    if more:
        disk = (larger.bytes_on_disk - smaller.bytes_on_disk) / more
        made.append(Figure("disk of a million queued tasks", disk, "MB"))
        grown = larger.claimed_s / smaller.claimed_s
        named = f"claim of {CLAIMED} from {smaller.queued} to {larger.queued} queued tasks"
        made.append(Figure(named, grown, "times", {"promised": MOST_GROWTH / grown}, ROUNDS))
    return made


def broken(sizes: Sequence[Measured]) -> list[str]:
    """Promises that the figures do not hold."""
    wrong = []
    for found in sizes:
        if found.rescored_s > MOST_RESCORED_S:
            wrong.append(f"{found.queued:,} queued: all scored anew in {1e3 * found.rescored_s:.0f} ms")
        if found.claimed_s > MOST_CLAIMED_S:
            wrong.append(f"{found.queued:,} queued: {CLAIMED} claimed in {1e3 * found.claimed_s:.1f} ms")
    grown = sizes[-1].claimed_s / sizes[0].claimed_s
    if grown > MOST_GROWTH:
        wrong.append(f"claims take {grown:.1f} times as long over {sizes[-1].queued:,} queued tasks")
    return wrong


def main(arguments: Sequence[str]) -> None:
    """Measure all sizes, print and keep the figures; ends with an error when a promise is broken."""
    most = int(arguments[0]) if arguments else SIZES[-1]
    sizes = [run(queued) for queued in sorted({min(size, most) for size in SIZES})]
    keep("reorder", figures(sizes), ("sqlalchemy",))
    wrong = broken(sizes)
    for each in wrong:
        print(f"broken: {each}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
