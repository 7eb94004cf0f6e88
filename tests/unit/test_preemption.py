"""Who may take a running campaign's slot."""

from __future__ import annotations

import numpy as np
import pytest

from serving.scheduling import policies
from serving.scheduling.columns import Columns
from serving.scheduling.preemption import Preemption
from tests.worlds import campaign

RUNNER = 0


def challenger(*points: float, factor: float = 1.5, **state: object) -> int | None:
    """Who takes the slot of the first campaign, all by matrix points."""
    columns = Columns.of([campaign()] * len(points), 1.0, 1.0, points=points, **state)  # type: ignore[arg-type]
    rule = Preemption(factor=factor)
    return rule.challenger(columns, RUNNER, np.arange(1, len(points)), 0.0, policies.matrix)


def test_the_most_pressing_takes_over_when_it_exceeds_the_factor() -> None:
    assert challenger(40, 50, 70, 61) == 2


def test_the_runner_keeps_its_slot_up_to_the_factor() -> None:
    assert challenger(40, 60) is None


def test_a_boost_counts_for_both() -> None:
    assert challenger(40, 60, boost=[1.0, 2.0]) == 1
    assert challenger(40, 70, boost=[2.0, 1.0]) is None


def test_a_pinned_challenger_needs_no_factor() -> None:
    assert challenger(40, 90, 1, pinned=[False, False, True]) == 2


def test_a_pinned_runner_gives_way_only_to_its_like() -> None:
    assert challenger(40, 99, pinned=[True, False]) is None
    assert challenger(40, 99, 70, pinned=[True, False, True]) == 2
    assert challenger(40, 99, 55, pinned=[True, False, True]) is None


def test_a_worthless_runner_gives_way_to_anything_of_worth_but_not_to_its_like() -> None:
    assert challenger(0, 1) == 1
    assert challenger(0, 0) is None


def test_nobody_waits() -> None:
    assert challenger(40) is None


def test_a_runner_is_disturbed_only_after_its_minimum_run_and_within_its_budget() -> None:
    rule = Preemption(min_run_h=0.5, budget=2)
    assert rule.disturbs(0.5, 1)
    assert not rule.disturbs(0.4, 0)
    assert not rule.disturbs(9.0, 2)


@pytest.mark.parametrize("wrong", [{"factor": 0.9}, {"min_run_h": -1.0}, {"budget": -1}, {"factor": float("nan")}])
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Preemption(**wrong)  # type: ignore[arg-type]
