"""The prediction API under load: one campaign of about thirty targets a request, eight connections, beside its peers.

Peers have the same bundle and look features up alike: a naive BentoML service with DataFrames, MLflow's scoring server
with our wrapper, and the floor, Starlette and msgspec on uvloop with nothing around. Rounds are interleaved.
`make bench NAME=serving` writes .bench/serving.json. Fewer requests of the memory run: `tests/bench/serving.py 100000`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])

from serving.clock import SystemClock
from serving.hot import Answering
from serving.model import Bundle
from tests.bench.ours import market
from tests.bench.ours.asking import Answered, Asked, measured
from tests.bench.ours.predicting import AT, Server, body, ready_s, servers, steps_us
from tests.measuring import Figure, keep

ROUNDS, SECONDS, WARM_S = 5, 3.0, 1.5
ENTITIES, MANY = 10_000, 1_000_000
BATCH = 1_000

PROMISED = {
    "ours": {"naive": 15.0, "mlflow": 60.0, "floor": 0.7},
    "ours, public": {"naive": 8.0, "mlflow": 30.0, "floor": 0.45},
}
"""Requests a second as multiples of a peer's."""

MOST_P99, MOST_BATCH, MOST_GROWTH, MOST_READY_S, MOST_BY_SIZE = 1.5, 1.3, 1.05, 6.0, 1.25
"""Of the floor's p99, of the direct calls' time, of memory, of a worker's start, and from 10 k to 1 M entities."""


def load(server: Server, **how: object) -> Answered:
    """Ask a server as it wants to be asked."""
    return measured(Asked(server.port, server.path, server.bodies, **how))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Turn(Answered):
    """What came of asking one server once, and the milliseconds of a core that a request took it."""

    core_ms: float


def rounds(running: Mapping[str, Server]) -> dict[str, list[Turn]]:
    """All servers in turn, several times over, each round beginning with another."""
    for server in running.values():
        load(server, seconds=WARM_S)
    names, found = list(running), {name: list[Turn]() for name in running}
    for number in range(ROUNDS):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            before = running[name].cpu_s()
            answered = load(running[name], seconds=SECONDS)
            core_ms = 1e3 * (running[name].cpu_s() - before) / answered.requests
            found[name].append(Turn(**asdict(answered), core_ms=core_ms))
    return found


def batches(server: Server, bundle: Bundle) -> tuple[float, float]:
    """Milliseconds of a thousand campaigns in one request, and of the direct calls behind it; in turn, medians."""
    asked = body(market.campaigns(BATCH, ENTITIES, seed=5))
    answering = Answering(lambda: bundle, SystemClock())
    over_http, direct = [], []
    for _ in range(2 * ROUNDS):
        one = Asked(server.port, server.path, [asked], connections=1, requests=4)
        over_http.append(measured(one).p50_ms)
        begun = time.perf_counter()
        for _ in range(4):
            found = answering.read(asked.encode())
            assert found is not None
            answering.encoded(answering.predicted(found))
        direct.append(1e3 * (time.perf_counter() - begun) / 4)
    return median(over_http), median(direct)


def by_size(bundle: Bundle) -> tuple[float, float]:
    """Microseconds of a prediction over the smaller and the larger snapshot."""
    larger = replace(bundle, snapshot=market.snapshot(MANY))
    asked = {ENTITIES: market.campaigns(500, ENTITIES), MANY: market.campaigns(500, MANY)}
    took: dict[int, list[float]] = {ENTITIES: [], MANY: []}
    for _ in range(10 * ROUNDS):
        for each, entities in ((bundle, ENTITIES), (larger, MANY)):
            begun = time.perf_counter()
            for campaign in asked[entities]:
                each.predict([campaign], AT)
            took[entities].append(1e6 * (time.perf_counter() - begun) / len(asked[entities]))
    return median(took[ENTITIES]), median(took[MANY])


def memory_mb(server: Server, requests: int) -> tuple[float, float]:
    """Megabytes after a tenth of the requests (20,000 at least), and after all of them."""
    load(server, requests=max(requests // 10, 20_000))
    before = server.memory_mb()
    load(server, requests=requests)
    return before, server.memory_mb()


def speed(found: Mapping[str, Sequence[Turn]]) -> tuple[list[Figure], list[str]]:
    """Requests a second and p99 of every server, and which promises they break. Ratios are medians over rounds."""
    made, broken = [], []
    for name, answers in found.items():
        if any(answer.failed for answer in answers):
            broken.append(f"{name}: {sum(answer.failed for answer in answers)} requests failed")
        peers = {
            peer: median(o.per_second / p.per_second for o, p in zip(answers, found[peer], strict=True))
            for peer in PROMISED.get(name, {})
        }
        made.append(Figure(f"requests ({name})", median(a.per_second for a in answers), "per second", peers, ROUNDS))
        late = median(a.p99_ms for a in answers)
        core = median(a.core_ms for a in answers)
        by_core = {peer: median(p.core_ms for p in found[peer]) / core for peer in peers}
        made.append(Figure(f"time of a core a request ({name})", core, "ms", by_core, ROUNDS))
        made.append(Figure(f"p99 ({name})", late, "ms", {"floor": _p99(found, "floor") / late}, ROUNDS))
        broken += [
            f"{name}: {ratio:.2f} x {peer}, promised {PROMISED[name][peer]:g}"
            for peer, ratio in peers.items()
            if ratio < PROMISED[name][peer]
        ]
    if _p99(found, "ours") > MOST_P99 * _p99(found, "floor"):
        broken.append(f"p99 {_p99(found, 'ours'):.2f} ms, the floor's is {_p99(found, 'floor'):.2f}")
    return made, broken


def _p99(found: Mapping[str, Sequence[Turn]], name: str) -> float:
    return median(answer.p99_ms for answer in found[name])


def held(metric: str, value: float, most: float, unit: str = "times") -> tuple[Figure, list[str]]:
    """A figure that may be so large at most."""
    wrong = [f"{metric}: {value:.2f} {unit}, at most {most:g} promised"] if value > most else []
    return Figure(metric, value, unit, {"promised": most / value}), wrong


def main(arguments: Sequence[str]) -> None:
    """Measure all, print and keep the figures; ends with an error when a promise is broken."""
    requests = int(arguments[0]) if arguments else 1_000_000
    bundle = market.bundle(ENTITIES)
    campaigns = market.campaigns(200, ENTITIES)
    with TemporaryDirectory() as name:
        place = Path(name)
        with servers(place, bundle, campaigns) as running:
            figures, wrong = speed(rounds(running))
            for figure in figures:
                print(_told(figure), flush=True)
            over_http, direct = batches(running["ours"], bundle)
            before, after = memory_mb(running["ours"], requests)
        ready = min(ready_s(place, place / "home") for _ in range(3))
    small, large = by_size(bundle)
    more = [
        held(f"{BATCH} campaigns a request beside the direct calls", over_http / direct, MOST_BATCH),
        held(f"memory after {requests} requests beside warmed up", after / before, MOST_GROWTH),
        held("worker ready", ready, MOST_READY_S, "s"),
        held(f"prediction over {MANY} entities beside {ENTITIES}", large / small, MOST_BY_SIZE),
    ]
    plain = [
        Figure(f"{BATCH} campaigns a request", over_http, "ms", {}, 2 * ROUNDS),
        Figure(f"{BATCH} campaigns by direct calls", direct, "ms", {}, 2 * ROUNDS),
        Figure("memory of a worker", after, "MB"),
        *(Figure(f"step: {step}", took / 1e3, "ms") for step, took in steps_us(bundle, campaigns).items()),
    ]
    for figure in (*plain, *(figure for figure, _ in more)):
        print(_told(figure), flush=True)
    figures += [*plain, *(figure for figure, _ in more)]
    wrong += [each for _, said in more for each in said]
    keep("serving", figures, ("bentoml", "mlflow", "lightgbm", "msgspec", "uvloop", "httptools", "starlette"))
    for each in wrong:
        print(f"broken: {each}", file=sys.stderr)
    sys.exit(bool(wrong))


def _told(figure: Figure) -> str:
    ratios = ", ".join(f"{ratio:.2f} x {peer}" for peer, ratio in figure.ratio_to.items())
    return f"{figure.metric:<60} {figure.value:>12,.3f} {figure.unit:<10} {ratios}"


if __name__ == "__main__":
    main(sys.argv[1:])
