"""What a model may learn from: nothing that was not over, and known, before it is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from features.builder import build_features
from features.schema import History, campaigns_of
from tests.planted import Planted, planted
from tests.worlds import MONDAY, small_world
from training.labels import labels
from training.split import Examples


@pytest.fixture(scope="module")
def log() -> Planted:
    return planted(weeks=10, per_week=6, late=0.5, seed=1)


@pytest.fixture(scope="module")
def examples(log: Planted) -> Examples:
    return Examples.of(log.history, labels(log.history))


def test_a_campaign_teaches_once_its_window_is_over(examples: Examples) -> None:
    taught = examples.matured_by(MONDAY + timedelta(weeks=4))
    assert sorted({campaign_id[:3] for campaign_id in taught.features.index}) == ["w00", "w01", "w02", "w03"]


def test_the_embargo_keeps_the_latest_labels_out(examples: Examples) -> None:
    taught = examples.matured_by(MONDAY + timedelta(weeks=4), embargo=timedelta(hours=1))
    assert sorted({campaign_id[:3] for campaign_id in taught.features.index}) == ["w00", "w01", "w02"]


def test_results_that_come_late_keep_their_campaign_out() -> None:
    history = small_world(seed=2, weeks=4).history
    examples = Examples.of(history, labels(history))
    moment = MONDAY + timedelta(weeks=2)
    taught = set(examples.matured_by(moment).features.index)
    unknown = set(history.kpis.campaign_id[history.kpis.known_at > moment])
    assert taught
    assert not taught & unknown


def test_what_is_learned_by_a_moment_does_not_change_with_what_comes_later(log: Planted, examples: Examples) -> None:
    moment = MONDAY + timedelta(weeks=6)
    past = log.history.known_by(moment)
    then = Examples.of(past, labels(past, until=moment))
    now = examples.matured_by(moment)
    pd.testing.assert_frame_equal(then.features, now.features)
    np.testing.assert_array_equal(then.value, now.value)
    np.testing.assert_array_equal(then.share, now.share)
    assert (then.matured_at <= pd.Timestamp(moment)).all()


def test_an_example_has_the_features_of_its_release(log: Planted, examples: Examples) -> None:
    (one,) = campaigns_of(log.history, ["w05-02"])
    alone = build_features(log.history.known_by(one.released_at), [one], one.released_at)
    np.testing.assert_allclose(examples.features.loc["w05-02"], alone.loc["w05-02"], rtol=1e-9)
    assert examples.moments[examples.features.index.get_loc("w05-02")] == one.released_at


def test_examples_can_be_chosen_by_mask_and_by_position(examples: Examples) -> None:
    mask = np.arange(len(examples)) % 2 == 0
    assert examples.where(mask).features.index.equals(examples.where(np.flatnonzero(mask)).features.index)
    assert len(examples.where(mask)) == mask.sum()


def test_an_empty_history_gives_no_examples(log: Planted) -> None:
    assert len(Examples.of(History.empty(), labels(History.empty()))) == 0
    unlabelled = replace(log.history, campaigns=log.history.campaigns.iloc[:0])
    assert len(Examples.of(unlabelled, labels(unlabelled))) == 0
