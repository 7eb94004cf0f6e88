"""What a queue in PostgreSQL takes: 10,000 live campaigns over a million queued tasks, every commit on disk.

Scored anew, claimed from and given back, as `reorder` does on SQLite; then claimed from by eight processes at once.
`make bench NAME=scale` writes .bench/scale.json. Fewer tasks: `python tests/bench/scale.py 100000`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])

import psycopg

from serving.stores.sql import SqlStore
from tests.bench.ours.claiming import AT_ONCE, claimed_by
from tests.bench.ours.reordering import CLAIMED, DRAINED, FULL, ROUNDS, Measured, measured
from tests.bench.peers import servers
from tests.databases import migrated_schema
from tests.measuring import Figure, keep

QUEUED, CLAIMERS = 1_000_000, (1, 8)
MOST_RESCORED_S = 0.25
"""What is promised of scoring all campaigns anew."""
PACKAGES = ("psycopg", "sqlalchemy")


_SIZE = """
SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
"""


def size_of(url: str) -> int:
    """Bytes that the schema of a URL takes on disk, with its indices."""
    with psycopg.connect(url) as connection:
        row = connection.execute(_SIZE).fetchone()
    return int(row[0]) if row else 0


def figures(found: Measured, rates: dict[int, float]) -> list[Figure]:
    """The figures, each in the unit that it is told in."""
    over, campaigns = f"over {found.queued} queued tasks", DRAINED + FULL
    promised = {"promised": MOST_RESCORED_S / found.rescored_s}
    return [
        Figure(f"{campaigns} campaigns scored anew {over}", 1e3 * found.rescored_s, "ms", promised, ROUNDS),
        Figure(f"{CLAIMED} tasks of {CLAIMED} campaigns claimed {over}", 1e3 * found.claimed_s, "ms", {}, ROUNDS),
        Figure(f"{CLAIMED} tasks given back {over}", 1e3 * found.reported_s, "ms", {}, ROUNDS),
        Figure(f"claimed with {DRAINED} drained campaigns asked too {over}", 1e3 * found.stale_s, "ms", {}, ROUNDS),
        Figure(f"one changed campaign seen {over}", 1e3 * found.looked_s, "ms", {}, ROUNDS),
        Figure(f"{campaigns} campaigns read at the start {over}", found.started_s, "s"),
        Figure(f"database {over}", found.bytes_on_disk / 1e6, "MB"),
        *(
            Figure(f"{count} claiming {AT_ONCE} at a time {over}", rate, "tasks/s", {"one": rate / rates[1]})
            for count, rate in rates.items()
        ),
    ]


def main(arguments: Sequence[str]) -> None:
    """Measure, print and keep the figures; ends with an error when a promise is broken or there is no server."""
    queued = int(arguments[0]) if arguments else QUEUED
    with servers.postgres() as server:
        if server is None:
            sys.exit("there is no PostgreSQL to measure on: BENCH_POSTGRES_URL names one")
        version = str(servers.postgres_version(server))
        with migrated_schema(server, durable=True) as url:
            with closing(SqlStore(url)) as store:
                found = measured(store, queued // FULL, lambda: size_of(url))
            rates, twice = {}, 0
            for claimers in CLAIMERS:
                rates[claimers], again = claimed_by(url, claimers, FULL)
                twice += again
    made = figures(found, rates)
    for figure in made:
        print(f"{figure.metric:<80} {figure.value:>12,.2f} {figure.unit}", flush=True)
    keep("scale", made, PACKAGES, postgresql=version)
    wrong = [f"{twice} tasks were leased twice"] * bool(twice)
    if found.rescored_s > MOST_RESCORED_S:
        wrong.append(f"all scored anew in {1e3 * found.rescored_s:.0f} ms")
    for each in wrong:
        print(f"broken: {each}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
