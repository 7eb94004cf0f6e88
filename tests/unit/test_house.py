"""The rules of the house: who imports whom, how long a file may be, what lies at the top, what the lock promises."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[2]
PACKAGES = ("features", "serving", "training")

PLANTED = {
    "training imports serving imports features, never back": ("features/planted_back.py", "import serving.errors"),
    "features is pure: no clock, disk or network": ("features/planted_disk.py", "import sqlalchemy"),
    "mlflow only in training.tracking and serving.registry": ("training/planted_mlflow.py", "import mlflow.pyfunc"),
    "bentoml only in serving.service": ("serving/planted_bentoml.py", "import bentoml"),
    "scheduling sees protocols, never stores or executors": (
        "serving/scheduling/planted_store.py",
        "import serving.stores.sql",
    ),
}
"""One violation for each contract: the file it goes into, and the import."""


def tracked() -> list[Path]:
    """The files of the project, as committed or about to be."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (TOP / name).exists()]


def copied(into: Path) -> Path:
    """A copy of the three packages and their import contracts."""
    for package in PACKAGES:
        shutil.copytree(TOP / package, into / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", into)
    return into


def verdicts(tree: Path) -> tuple[dict[str, str], str]:
    """KEPT or BROKEN for each contract in a tree, and all that was said."""
    lint_imports = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [lint_imports, "--no-logo", "--no-cache"],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    found = dict(re.findall(r"^(.*?) (KEPT|BROKEN)", said, flags=re.MULTILINE))
    assert (done.returncode != 0) == ("BROKEN" in found.values()), said
    return found, said


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], str]:
    """What is said of a copy with a violation of each contract."""
    tree = copied(tmp_path_factory.mktemp("planted"))
    for file, violation in PLANTED.values():
        (tree / file).write_text(f'"""Planted."""\n\n{violation}\n')
    return verdicts(tree)


def test_every_import_contract_holds_and_has_a_planted_violation(tmp_path: Path) -> None:
    found, said = verdicts(copied(tmp_path))
    assert found == dict.fromkeys(PLANTED, "KEPT"), said


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_import_breaks_its_contract(contract: str, planted: tuple[dict[str, str], str]) -> None:
    found, said = planted
    assert found.get(contract) == "BROKEN", said
    culprit = PLANTED[contract][0].removesuffix(".py").replace("/", ".")
    details = said.split("Broken contracts", 1)[1].split(contract, 1)[1]
    assert culprit in re.split("|".join(map(re.escape, PLANTED)), details)[0], said


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {path: len((TOP / path).read_text().splitlines()) for path in tracked() if path.suffix == ".py"}
    assert {str(path): lines for path, lines in lengths.items() if lines > 300} == {}


def test_the_top_level_holds_only_what_the_design_names() -> None:
    allowed = {
        *PACKAGES, "docs", "notebooks", "tests",
        ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "pyproject.toml", "requirements.lock",
    }  # fmt: skip
    assert {path.parts[0] for path in tracked()} - allowed == set()


def test_no_room_is_called_utils_helpers_or_manager() -> None:
    vague = re.compile(r"(utils?|helpers?|managers?|misc|common)$")
    assert [str(path) for path in tracked() if any(vague.search(Path(part).stem) for part in path.parts)] == []


def locked() -> list[tuple[str, str]]:
    """Each locked package with its entry: version, marker and hashes. One with two markers stands there twice."""
    entries = re.split(r"\n(?=\S)", (TOP / "requirements.lock").read_text().strip())
    return [(canonicalize_name(re.split(r"[=\[ ]", entry, maxsplit=1)[0]), entry) for entry in entries]


def test_the_lock_pins_every_package_by_hash_and_names_no_host() -> None:
    assert [name for name, entry in locked() if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert [name for name, entry in locked() if "://" in entry] == []


@pytest.mark.parametrize("file", ["Makefile", ".ci/run", "requirements.lock"])
def test_what_builds_the_environment_names_no_host(file: str) -> None:
    assert "://" not in (TOP / file).read_text()


def test_the_lock_satisfies_every_declared_dependency() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    declared = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(each for group in project["project"]["optional-dependencies"].values() for each in group),
        *(each for group in project["dependency-groups"].values() for each in group),
    ]
    versions = [(name, re.findall(r"==([^ ;\\]+)", entry)[0]) for name, entry in locked()]
    wanted = [Requirement(text) for text in declared]
    unsatisfied = [
        str(requirement)
        for requirement in wanted
        if not any(
            name == canonicalize_name(requirement.name) and requirement.specifier.contains(version)
            for name, version in versions
        )
    ]
    assert unsatisfied == []


def test_ci_ends_with_the_tests() -> None:
    script = TOP / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().strip().splitlines()[-1] == "make test"


def test_every_decision_is_listed_and_says_what_would_violate_it() -> None:
    records = sorted((TOP / "docs" / "decisions").glob("[0-9]*.md"))
    index = (TOP / "docs" / "decisions" / "README.md").read_text()
    assert records
    assert [record.name for record in records if f"({record.name})" not in index] == []
    assert [record.name for record in records if "A violating change looks like" not in record.read_text()] == []
