"""Reasons in plain words: true to the numbers, and nothing that needs a glossary."""

from __future__ import annotations

from math import log

import pytest

from features.contract import FEATURE_NAMES
from serving.model import Bundle, Reason
from serving.model.words import in_words, meanings
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.worlds import World, small_world


@pytest.fixture(scope="module")
def world() -> World:
    return small_world()


@pytest.fixture(scope="module")
def bundle(world: World) -> Bundle:
    return tiny_bundle(world)


def said(feature: str, value: float | None, factor: float) -> tuple[str, ...]:
    return in_words([Reason(feature=feature, value=value, contribution=log(factor))])


def test_a_contribution_to_a_logarithm_is_told_as_a_factor_of_the_value():
    assert said("targets", 3.0, 2.3) == ("how many targets it addresses (3): raises the value 2.3x",)
    assert said("targets", 3.0, 0.43) == ("how many targets it addresses (3): lowers the value to 43 %",)


def test_what_hardly_moves_the_value_is_left_out():
    assert said("targets", 3.0, 1.01) == ()


def test_an_unknown_fact_is_called_unknown():
    assert said("brand", None, 1.5) == ("brand weight its owner declares, 0-1 (unknown): raises the value 1.5x",)


def test_every_feature_has_a_meaning_that_stands_alone():
    assert set(meanings()) == set(FEATURE_NAMES)
    assert not [meaning for meaning in meanings().values() if meaning.startswith("the same")]


def test_an_explained_campaign_says_why_in_words_with_matrix_points_beside(bundle: Bundle, world: World):
    (answer,) = bundle.explain(world.campaigns[-1:], TRAINED_AT)
    assert answer.plain
    assert all("raises" in line or "lowers" in line or "typical campaign" in line for line in answer.plain)
    points = sum(criterion.contribution for criterion in answer.matrix)
    row = bundle.snapshot.features(world.campaigns[-1:], TRAINED_AT)
    assert points == pytest.approx(bundle.matrix.points(world.campaigns[-1:], row)[0])


def test_where_the_matrix_answered_its_points_are_the_words(bundle: Bundle, world: World):
    stranger = [type(world.campaigns[0])(**{**vars(world.campaigns[0]), "kind": "never seen", "targets": {}})]
    (answer,) = bundle.explain(stranger, TRAINED_AT)
    assert answer.fallback
    assert answer.reasons == answer.matrix
    assert all("of 100 points" in line for line in answer.plain)
