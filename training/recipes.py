"""Recipes: how a value model is made, told apart by a short fingerprint, kept in a file, remembered by a bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from features.contract import fingerprint
from features.records import ValueLabel
from serving.errors import BadInput
from serving.model import Meta
from serving.settings import Settings
from training.estimators import Recipe

BEST = "best"
"""What to call the recipe that tuning found, instead of a file."""

_CHANCE = ("seed", "threads")
"""What changes a model without changing how it is made."""


def best_file(home: Path) -> Path:
    """Where tuning leaves the best recipe."""
    return home / "best-recipe.json"


def fingerprint_of(recipe: Mapping[str, Any], contract: str) -> str:
    """Ten hexadecimal digits that two models share if they differ in their data, and in chance, alone.

    What a recipe leaves out, as one of an earlier build may, is as usual.
    """
    facts = {name: value for name, value in {**asdict(Recipe()), **recipe}.items() if name not in _CHANCE}
    text = json.dumps([facts, contract], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def same_recipe(one: Meta, other: Meta) -> bool:
    """Whether two bundles were made alike; one that does not say how it was made is like no other."""
    said = bool(one.recipe) and bool(other.recipe)
    return said and fingerprint_of(one.recipe, one.contract) == fingerprint_of(other.recipe, other.contract)


def recipe_of(meta: Meta) -> Recipe | None:
    """The recipe a bundle was made by; None where it says none, or one that this build does not know to follow."""
    known = {each.name for each in fields(Recipe)}
    if not meta.recipe or meta.contract != fingerprint() or not set(meta.recipe) <= known:
        return None
    try:
        return TypeAdapter(Recipe).validate_python(dict(meta.recipe))
    except ValidationError:
        return None


def written(recipe: Recipe, path: Path) -> Path:
    """Keep a recipe in a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(recipe), indent=1) + "\n", encoding="utf-8")
    return path


def chosen(source: str, settings: Settings, label: ValueLabel | None = None) -> Recipe:
    """The recipe of a file, by the label asked for; else the file's own, else that of the settings.

    Raises
    ------
    BadInput
        As `read`.
    """
    recipe = read(source, settings.home, Recipe(label=settings.label.value))
    return recipe if label is None else replace(recipe, label=label.value)


def read(source: str, home: Path, usual: Recipe | None = None) -> Recipe:
    """The recipe of a JSON file, or the `best` that tuning left in a home; what a file leaves out is as usual.

    Parameters
    ----------
    usual : what that is; the defaults of a recipe.

    Raises
    ------
    BadInput
        When there is no such file, or what it says is no recipe; it names the entry and what is allowed.
    """
    path = best_file(home) if source == BEST else Path(source)
    if not path.is_file():
        allowed = "found by 'precedence tune' first" if source == BEST else "a JSON file, or 'best'"
        raise BadInput("recipe", source, allowed)
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput("recipe", str(path), f"JSON ({error})") from error
    known = {each.name for each in fields(Recipe)}
    if not isinstance(said, dict) or not set(said) <= known:
        raise BadInput("recipe", str(path), f"a JSON object of {', '.join(sorted(known))}")
    try:
        return TypeAdapter(Recipe).validate_python({**asdict(usual or Recipe()), **said})
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"recipe.{'.'.join(map(str, first['loc']))}", first["input"], first["msg"]) from error
