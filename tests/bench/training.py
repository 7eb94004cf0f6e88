"""Training at 10,000, 100,000 and 1,000,000 generated campaigns, beside bare LightGBM on the same matrix.

Each size runs in a process of its own, so that its peak memory is its own. `make bench NAME=training` writes
.bench/training.json. Sizes can be given: `python tests/bench/training.py 10000 100000`.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from time import perf_counter

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])  # not beside the benchmarks, one of which is called as a library is

from tests.measuring import TOP, Figure, keep

SIZES = (10_000, 100_000, 1_000_000)
START = datetime(2016, 1, 4, tzinfo=UTC)
WEEKS = 100
TARGETS_EACH = 3
ROUNDS = 3
"""Fits of each kind, the faster one counts: another process may get in the way of one."""

MOST_RATIO, MOST_MEMORY_MB, MOST_GROWTH = 1.5, 4000, 1.25
"""What is promised: our fit beside bare LightGBM's, memory at a million, and growth beside n log n."""


def generated(n: int):
    """A history of `n` weekly campaigns over n / 50 targets: one row of revenue a campaign and target."""
    import numpy as np
    import pandas as pd

    from features.schema import History

    chance = np.random.default_rng(0)
    week = np.sort(chance.integers(0, WEEKS, n))
    starts = pd.Timestamp(START) + pd.to_timedelta(7 * week, unit="D")
    ids = pd.Series(np.arange(n)).map("c{:07d}".format).astype("str")
    targets = max(n // 50, 100)
    rate = chance.lognormal(0.0, 1.0, targets)
    target = chance.integers(0, targets, (n, TARGETS_EACH))
    exposures = chance.integers(1, 20, (n, TARGETS_EACH)).astype(float)
    late = np.where(chance.random(n) < 0.2, chance.integers(1, 72, n), 0)
    left = 1 - late / 168
    earned = rate[target] * exposures * chance.gamma(2.0, 0.5, (n, TARGETS_EACH)) * left[:, None]
    names = pd.Series(np.arange(targets)).map("t{:06d}".format).astype("str")
    row = np.repeat(np.arange(n), TARGETS_EACH)
    kinds = pd.Series([f"kind {k}" for k in range(200)], dtype="str")
    campaigns = pd.DataFrame(
        {
            "campaign_id": ids,
            "account": "shop",
            "kind": kinds.iloc[target[:, 0] % 200].reset_index(drop=True),
            "channel": "mail",
            "released_at": starts,
            "ends_at": starts + pd.Timedelta(days=7),
            "work_units": 100.0 * exposures.sum(axis=1),
            "launched_at": starts + pd.to_timedelta(late, unit="h"),
        }
    )
    planned = pd.DataFrame(
        {
            "campaign_id": ids.iloc[row].reset_index(drop=True),
            "target_id": names.iloc[target.ravel()].reset_index(drop=True),
            "planned_exposures": exposures.ravel(),
        }
    )
    over = starts[row] + pd.Timedelta(days=6)
    kpis = planned[["campaign_id", "target_id"]].assign(
        at=over, known_at=over + pd.Timedelta(hours=1), metric="revenue", value=earned.ravel()
    )
    return History.of_tables({"campaigns": campaigns, "targets": planned, "kpis": kpis})


def measured(n: int) -> dict[str, float]:
    """Seconds and peak megabytes of one size; in this process."""
    import lightgbm
    import numpy as np

    from training.estimators import LEAST_SHARE, Recipe, ValueModel
    from training.learning import Lessons

    history = generated(n)
    generated_mb = peak_mb()
    began = perf_counter()
    examples = Lessons.of(history).examples
    features_s = perf_counter() - began
    del history
    recipe = Recipe()
    ours_s, bare_s = [], []
    for _ in range(ROUNDS if n < 1_000_000 else 1):
        began = perf_counter()
        ValueModel(recipe).fit(examples.features, examples.value, examples.share)
        ours_s.append(perf_counter() - began)
        kept = examples.share >= LEAST_SHARE
        matrix = examples.features[kept].to_numpy()
        label = np.maximum(examples.value[kept], 0.0) / examples.share[kept]
        weight = examples.share[kept] ** (2 - recipe.power)
        began = perf_counter()
        data = lightgbm.Dataset(matrix, label=label, weight=weight)
        lightgbm.train(recipe.parameters(), data, num_boost_round=recipe.rounds)
        bare_s.append(perf_counter() - began)
        del matrix, data
    return {
        "campaigns": n,
        "features_s": features_s,
        "fit_s": min(ours_s),
        "bare_fit_s": min(bare_s),
        "peak_mb": peak_mb(),
        "history_mb": generated_mb,
    }


def peak_mb() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def alone(n: int) -> dict[str, float]:
    """The measurements of one size, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    command = [sys.executable, __file__, "--one", str(n)]
    done = subprocess.run(command, env=environment, cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{n:,} campaigns: {done.stderr.strip().splitlines()[-1] if done.stderr else done.returncode}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def figures(sizes: list[dict[str, float]]) -> list[Figure]:
    """What was measured, of each size and from size to size."""
    results: list[Figure] = []
    for found in sizes:
        n = int(found["campaigns"])
        rounds = ROUNDS if n < 1_000_000 else 1
        bare = {"lightgbm.train": found["bare_fit_s"] / found["fit_s"]}
        results += [
            Figure(f"fit of {n} campaigns", found["fit_s"], "s", bare, rounds),
            Figure(f"features of {n} campaigns", found["features_s"], "s"),
            Figure(f"peak memory at {n} campaigns", found["peak_mb"], "MB"),
        ]
    for smaller, larger in pairwise(sizes):
        n, m = smaller["campaigns"], larger["campaigns"]
        allowed = (m * math.log(m)) / (n * math.log(n))
        took = (larger["features_s"] + larger["fit_s"]) / (smaller["features_s"] + smaller["fit_s"])
        results.append(Figure(f"growth from {n} to {m}", took, "times", {"n log n": allowed / took}))
    return results


def broken(sizes: list[dict[str, float]]) -> list[str]:
    """Promises that the figures do not hold."""
    wrong = []
    for found in sizes:
        n = int(found["campaigns"])
        if found["fit_s"] > MOST_RATIO * found["bare_fit_s"]:
            wrong.append(f"{n:,}: our fit takes {found['fit_s'] / found['bare_fit_s']:.2f} times LightGBM's own")
        if found["peak_mb"] > MOST_MEMORY_MB:
            wrong.append(f"{n:,}: {found['peak_mb']:,.0f} MB at the peak")
    for smaller, larger in pairwise(sizes):
        n, m = smaller["campaigns"], larger["campaigns"]
        allowed = MOST_GROWTH * (m * math.log(m)) / (n * math.log(n))
        took = (larger["features_s"] + larger["fit_s"]) / (smaller["features_s"] + smaller["fit_s"])
        if took > allowed:
            wrong.append(f"from {n:,} to {m:,}: {took:.1f} times as long, {allowed:.1f} allowed")
    return wrong


def main(arguments: list[str]) -> None:
    """Measure all sizes, print and keep the figures; ends with an error when a promise is broken."""
    if arguments[:1] == ["--one"]:
        print(json.dumps(measured(int(arguments[1]))))
        return
    sizes = []
    for n in [int(each) for each in arguments] or SIZES:
        found = alone(n)
        print(
            f"{n:>9,} campaigns: features {found['features_s']:.1f} s, fit {found['fit_s']:.2f} s"
            f" (bare LightGBM {found['bare_fit_s']:.2f} s), peak {found['peak_mb']:,.0f} MB",
            flush=True,
        )
        sizes.append(found)
    keep("training", figures(sizes), ("lightgbm", "numpy", "pandas"))
    wrong = broken(sizes)
    for each in wrong:
        print(f"broken: {each}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
