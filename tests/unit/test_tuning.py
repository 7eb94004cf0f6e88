"""When a trial of the search for a recipe is given up."""

from __future__ import annotations

from training.tuning import trailing

EARLIER = [{0: 0.95, 1: 0.91}, {0: 0.95, 1: 0.92}, {0: 0.95, 1: 0.92}, {0: 0.95, 1: 0.93}]


def test_a_trial_is_given_up_when_it_trails_the_median_of_that_block_by_more_than_chance():
    assert trailing(0.917, 1, EARLIER)
    assert not trailing(0.919, 1, EARLIER)


def test_nobody_is_given_up_before_four_have_played_the_block():
    assert not trailing(0.5, 1, EARLIER[:3])
    assert not trailing(0.5, 2, EARLIER)
