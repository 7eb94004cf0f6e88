"""10,000 live campaigns over a million queued tasks: scored anew, claimed from and looked at, durably, on SQLite.

9,000 of the campaigns are drained: live, of high score, with nothing left to lease. The same is measured over 10,000
queued tasks, as what is asked between two steps must not grow with what is queued. Then a top campaign is put behind
10,000 campaigns of 100 tasks, through the real services: how long until its work begins.
`make bench NAME=reorder` writes .bench/reorder.json. Fewer tasks at most: `python tests/bench/reorder.py 100000`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])

from serving.stores.sql import SqlStore
from tests.bench.ours.overtaking import SETTINGS, Overtaken, filled, overtaking
from tests.bench.ours.reordering import CLAIMED, DRAINED, FULL, ROUNDS, Measured, measured
from tests.measuring import TOP, Figure, keep

SIZES = (10_000, 1_000_000)

MOST_RESCORED_S, MOST_CLAIMED_S, MOST_GROWTH = 0.1, 0.01, 2.0
"""What is promised: of scoring all anew, of the next claim of 100, and of that claim from the smaller to the larger."""

TASKS_EACH, PUTS = 100, 40
MOST_WAITED_S = 0.25
"""What is promised of a top campaign, from its PUT to its start: 95 of 100."""


def run(queued: int) -> Measured:
    """The figures of one size, in a directory of its own on the disk that figures are kept on."""
    (TOP / ".bench").mkdir(exist_ok=True)
    with TemporaryDirectory(dir=TOP / ".bench") as name, closing(SqlStore(f"sqlite:///{name}/queue.db")) as store:
        found = measured(store, queued // FULL, lambda: sum(file.stat().st_size for file in Path(name).iterdir()))
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


def overtaken(queued: int) -> dict[str, Overtaken]:
    """How long top campaigns wait behind so many tasks, where a slot is free and where one is preemptible."""
    found = {}
    for slot in SETTINGS:
        with TemporaryDirectory(dir=TOP / ".bench") as name:
            home = Path(name) / "home"
            filled(home, queued // TASKS_EACH, TASKS_EACH)
            found[slot] = overtaking(home, slot, PUTS)
        print(
            f"{queued:>9,} queued, a slot {slot}: a top campaign begins {1e3 * median(found[slot].waited_s):.0f} ms"
            f" after its PUT, {1e3 * found[slot].late_s():.0f} ms at p95; the scheduler holds"
            f" {found[slot].memory_mb:,.0f} MB",
            flush=True,
        )
    return found


def overtaking_figures(found: Mapping[str, Overtaken], queued: int) -> list[Figure]:
    """The figures of top campaigns."""
    made = []
    for slot, each in found.items():
        where = f"behind {queued} queued tasks, a slot {slot}"
        late_s, promised = each.late_s(), {"promised": MOST_WAITED_S / each.late_s()}
        made += [
            Figure(f"from PUT to start, p50, {where}", 1e3 * median(each.waited_s), "ms", {}, PUTS),
            Figure(f"from PUT to start, p95, {where}", 1e3 * late_s, "ms", promised, PUTS),
            Figure(f"from PUT to answer, p50, {where}", 1e3 * median(each.answered_s), "ms", {}, PUTS),
            Figure(f"memory of the scheduler {where}", each.memory_mb, "MB"),
        ]
    return made


def late(found: Mapping[str, Overtaken]) -> list[str]:
    """Promises to top campaigns that the figures do not hold."""
    return [
        f"a slot {slot}: a top campaign begins {1e3 * each.late_s():.0f} ms after its PUT"
        for slot, each in found.items()
        if each.late_s() > MOST_WAITED_S
    ]


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
    found = overtaken(most)
    keep("reorder", [*figures(sizes), *overtaking_figures(found, most)], ("sqlalchemy",))
    wrong = [*broken(sizes), *late(found)]
    for each in wrong:
        print(f"broken: {each}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
