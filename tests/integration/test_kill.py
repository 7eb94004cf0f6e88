"""A scheduler killed again and again in the middle of its work loses nothing and finishes nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.killing import kill_again_and_again

KILLS = 10


@pytest.mark.integration
def test_a_scheduler_killed_again_and_again_loses_nothing_and_finishes_nothing_twice(tmp_path: Path):
    killed = kill_again_and_again(KILLS, tmp_path)
    assert killed.breaches == ()
    assert killed.completions == killed.tasks
    assert killed.struck == KILLS, "so many kills hit work"
    assert killed.lost > 0, "work in flight was taken over"
