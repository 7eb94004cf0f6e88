"""The real scheduler in worlds where much goes wrong breaks no invariant; and a seed plays the same each time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.plagues import FAULTS
from tests.simulation.playing import played_by
from tests.simulation.simulation import simulate
from tests.simulation.worlds import LEAST_LOAD

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SEEDS = 24


@pytest.mark.no_cover  # measuring it takes longer than playing
def test_no_seed_breaks_an_invariant_and_every_fault_happens():
    outcomes = [outcome for outcome, _ in zip(played_by(1, first=0), range(SEEDS), strict=False)]
    broken = {outcome.seed: outcome.breaches for outcome in outcomes if outcome.breaches}
    assert broken == {}, "see python -m tests.simulation --seed N --trace"
    faults = sum((outcome.faults for outcome in outcomes), Counter())
    assert [fault for fault in FAULTS if not faults[fault]] == []
    assert min(outcome.load for outcome in outcomes) >= LEAST_LOAD


@pytest.mark.parametrize("seed", [3, 8])
def test_a_seed_plays_the_same_each_time_and_in_any_process(seed: int):
    here = simulate(seed, traced=True).trace
    there = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", str(seed), "--trace"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashing},
            capture_output=True,
            check=True,
        ).stdout.splitlines()
        for hashing in ("1", "2")
    ]
    assert there[0] == there[1]
    assert there[0][: len(here)] == [line.encode() for line in here]
    assert sum(b"claim" in line for line in there[0]) > 100
