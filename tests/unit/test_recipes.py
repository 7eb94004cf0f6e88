"""Recipes: told apart by what matters, kept in files, and refused with a reason."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from features.records import ValueLabel
from serving.errors import BadInput
from serving.settings import Settings
from tests.bundles import tiny_bundle
from tests.worlds import small_world
from training import recipes
from training.estimators import Recipe

USUAL = asdict(Recipe())


@pytest.fixture(scope="module")
def meta():
    return tiny_bundle(small_world()).meta


def test_chance_and_threads_do_not_make_another_recipe():
    own = recipes.fingerprint_of(USUAL, "c1")
    assert recipes.fingerprint_of({**USUAL, "seed": 7, "threads": 2}, "c1") == own
    assert recipes.fingerprint_of({**USUAL, "leaves": 16}, "c1") != own


def test_what_an_earlier_build_did_not_say_is_as_usual():
    assert recipes.fingerprint_of({"leaves": 15}, "c1") == recipes.fingerprint_of(USUAL, "c1")


def test_another_label_makes_another_recipe(meta):
    said = replace(meta, recipe=USUAL)
    other = replace(said, recipe={**USUAL, "label": "incremental"})
    assert not recipes.same_recipe(said, other)
    assert (meta.label, said.label, other.label) == ("gross", "gross", "incremental")


def test_the_label_asked_for_goes_over_the_file_s_and_that_over_the_setting_s(tmp_path: Path):
    (silent := tmp_path / "silent.json").write_text("{}")
    (gross := tmp_path / "gross.json").write_text('{"label": "gross"}')
    settings = Settings.read(home=tmp_path, label="incremental")
    assert recipes.chosen(str(silent), settings).label == "incremental"
    assert recipes.chosen(str(gross), settings).label == "gross"
    assert recipes.chosen(str(gross), settings, ValueLabel.INCREMENTAL).label == "incremental"


def test_other_features_make_another_recipe():
    assert recipes.fingerprint_of(USUAL, "c1") != recipes.fingerprint_of(USUAL, "c2")


def test_a_bundle_that_does_not_say_how_it_was_made_is_like_no_other(meta):
    said = replace(meta, recipe=USUAL)
    assert recipes.same_recipe(said, replace(said, recipe={**USUAL, "seed": 3}))
    assert not recipes.same_recipe(said, replace(said, recipe={**USUAL, "l2": 1.0}))
    assert not recipes.same_recipe(meta, meta)


def test_the_recipe_of_a_bundle_can_be_followed_again_unless_it_is_of_another_build(meta):
    assert recipes.recipe_of(replace(meta, recipe=USUAL)) == Recipe()
    assert recipes.recipe_of(meta) is None
    assert recipes.recipe_of(replace(meta, recipe={**USUAL, "unheard_of": 1})) is None
    assert recipes.recipe_of(replace(meta, recipe=USUAL, contract="another")) is None


def test_a_recipe_file_is_read_as_it_was_written_and_may_leave_out_what_is_usual(tmp_path: Path):
    chosen = Recipe(leaves=9, objective="poisson")
    recipes.written(chosen, recipes.best_file(tmp_path))
    assert recipes.read("best", tmp_path) == chosen
    short = tmp_path / "short.json"
    short.write_text('{"leaves": 5}')
    assert recipes.read(str(short), tmp_path) == Recipe(leaves=5)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"leafs": 5}', "a JSON object of .*leaves"),
        ('{"leaves": "many"}', "recipe.leaves is 'many'"),
        ('{"label": "net"}', "label is 'net': must be one of gross, incremental"),
        ('{"objective": "guess"}', "objective is 'guess'"),
        ("[]", "a JSON object of"),
        ("{", "JSON"),
    ],
)
def test_what_is_no_recipe_is_refused_by_name(text: str, named: str, tmp_path: Path):
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(BadInput, match=named):
        recipes.read(str(tmp_path / "mine.json"), tmp_path)


def test_without_a_search_there_is_no_best_recipe(tmp_path: Path):
    with pytest.raises(BadInput, match="found by 'precedence tune' first"):
        recipes.read("best", tmp_path)
