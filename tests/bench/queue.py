"""1,000 campaigns of 100 tasks that do nothing: submitted, ordered, run and recorded, durably, beside two peers.

Celery gets the same load over RabbitMQ (it orders nothing and records no result), procrastinate a tenth of it on
PostgreSQL: the more wait, the slower it gets. Each side is first tried in several ways; the quickest counts.
`make bench NAME=queue` writes .bench/queue.json. Fewer campaigns and rounds: `python tests/bench/queue.py 100 1`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # A script's own directory comes first on the path, where this file would stand in for the standard library's queue.
    sys.path[0] = str(Path(__file__).parents[2])

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory

from tests.bench.ours import throughput
from tests.bench.peers import celery_peer, procrastinate_peer, servers
from tests.bench.peers.load import Load, Ran
from tests.measuring import Figure, keep

CAMPAIGNS, TASKS_EACH, ROUNDS = 1_000, 100, 3

CONNECTIONS = (8, 16, 32)
"""Over how many a load is submitted at once."""

LEAST = {"Celery": 3.0, "procrastinate": 5.0}
"""What is promised: so many times the tasks a second of each."""

OURS = "Precedence"
PACKAGES = ("celery", "kombu", "procrastinate", "psycopg", "sqlalchemy", "fastapi", "uvicorn")

Way = Callable[[Load, Path], Ran]


@dataclass(frozen=True)
class Side:
    """Who takes part: the ways it may be at its best, and the share of the campaigns it is given."""

    name: str
    ways: Sequence[Way]
    share: float = 1.0

    def load(self, campaigns: float) -> Load:
        """Its share of so many campaigns."""
        return Load(max(int(campaigns * self.share), 10), TASKS_EACH)


def ourselves_side() -> Side:
    """Precedence, fed over as many connections as Celery."""
    ways = [(16, connections) for connections in CONNECTIONS]
    return Side(OURS, [partial(throughput.measured, slots=slots, publishers=n) for slots, n in ways])


def celery_side(url: str) -> Side:
    """Celery with processes or threads; its solo pool now and then stops taking messages, and is left out."""
    ways = [("prefork", 1, 8), ("prefork", 2, 8), *(("threads", 16, n) for n in CONNECTIONS)]
    return Side("Celery", [partial(celery_peer.measured, url, pool=p, slots=n, publishers=c) for p, n, c in ways])


def procrastinate_side(url: str) -> Side:
    """The same for procrastinate."""
    ways = [(1, 16), (2, 8), (2, 16)]
    measured = procrastinate_peer.measured
    return Side("procrastinate", [partial(measured, url, workers=n, concurrency=each) for n, each in ways], share=0.1)


def address(stack: ExitStack, server: Callable[[], AbstractContextManager[str | None]], peer: str) -> str | None:
    """The server that a peer needs, kept until the stack ends; without one the peer is left out, and it is said."""
    try:
        url = stack.enter_context(server())
    except RuntimeError as error:
        print(error, file=sys.stderr)
        url = None
    if url is None:
        print(f"LEFT OUT: {peer}, for want of a {server.__name__} server", file=sys.stderr, flush=True)
    return url


def run(way: Way, load: Load) -> Ran:
    """One run, in a directory of its own; tells it."""
    with TemporaryDirectory() as name:
        ran = way(load, Path(name))
    print(
        f"{ran.way:<46} {load.tasks:>7,} tasks: submitted after {ran.submitted_s:6.2f} s,"
        f" done after {ran.finished_s:6.2f} s: {ran.per_second:>8,.0f} a second",
        flush=True,
    )
    return ran


def quickest(side: Side, campaigns: int) -> Way:
    """The way that does best with a tenth of the load."""
    return max(side.ways, key=lambda way: run(way, side.load(campaigns / 10)).per_second)


def figures(rounds: Sequence[dict[str, Ran]]) -> list[Figure]:
    """Tasks a second of each side, and the ratios of ours to theirs; medians, each ratio within its round."""
    made = []
    for name, first in rounds[0].items():
        rate = median(each[name].per_second for each in rounds)
        metric = f"{first.way}: {first.load.campaigns} x {first.load.tasks_each} tasks submitted, run and recorded"
        made.append(Figure(metric, rate, "tasks/s", ratios(rounds) if name == OURS else {}, len(rounds)))
    submitted = median(each[OURS].load.tasks / each[OURS].submitted_s for each in rounds)
    return [*made, Figure("tasks submitted by PUT meanwhile", submitted, "tasks/s", {}, len(rounds))]


def ratios(rounds: Sequence[dict[str, Ran]]) -> dict[str, float]:
    """How many times each peer's tasks a second ours are."""
    peers = [name for name in rounds[0] if name != OURS]
    return {name: median(each[OURS].per_second / each[name].per_second for each in rounds) for name in peers}


def broken(found: dict[str, float], left_out: Iterable[str]) -> list[str]:
    """Promises that the figures do not hold, or cannot show."""
    slow = [
        f"{ratio:.2f} times {name}, {LEAST[name]:g} promised" for name, ratio in found.items() if ratio < LEAST[name]
    ]
    return [*slow, *(f"{name} was not there to compare with" for name in left_out)]


def main(arguments: Sequence[str]) -> None:
    """Measure all sides, print and keep the figures; ends with an error when a promise is broken."""
    campaigns, count = [int(each) for each in arguments] or (CAMPAIGNS, ROUNDS)
    versions = {}
    with ExitStack() as stack:
        sides = [ourselves_side()]
        if url := address(stack, servers.rabbitmq, "Celery"):
            sides.append(celery_side(url))
            versions["rabbitmq"] = str(servers.rabbitmq_version(url))
        if url := address(stack, servers.postgres, "procrastinate"):
            sides.append(procrastinate_side(url))
            versions["postgresql"] = str(servers.postgres_version(url))
        best = {side.name: quickest(side, campaigns) for side in sides}
        print("the quickest of each, in turns:", flush=True)
        rounds = [{side.name: run(best[side.name], side.load(campaigns)) for side in sides} for _ in range(count)]
    keep("queue", figures(rounds), PACKAGES, **versions)
    found = ratios(rounds)
    print(", ".join(f"{ratio:.2f} times {name}" for name, ratio in found.items()), flush=True)
    wrong = broken(found, set(LEAST) - set(found))
    for each in wrong:
        print(f"broken: {each}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
