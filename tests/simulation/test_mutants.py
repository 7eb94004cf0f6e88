"""Every planted fault is seen by an invariant within a few seeds, which the code as it is plays without one."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, planted
from tests.simulation.simulation import simulate

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]  # measuring coverage takes longer than playing

SIZE, MOST_SEEDS = 40, 40
_sound: set[int] = set()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_fault_is_caught_and_the_code_without_it_is_not(mutant: Mutant):
    caught = None
    for seed in range(MOST_SEEDS):
        with planted(mutant):
            broken = {breach.invariant for breach in simulate(seed, size=SIZE).breaches}
        if broken & mutant.caught_by:
            caught = seed
            break
    assert caught is not None, f"{mutant.name} was not seen in {MOST_SEEDS} seeds"
    if caught not in _sound:
        assert simulate(caught, size=SIZE).breaches == ()
        _sound.add(caught)
