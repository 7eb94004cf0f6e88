"""The README stays true: every setting, command and file it must name is there, and its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import typer.main

from serving.settings import Settings
from tests.worlds import small_world
from training.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_stands_in_the_table_with_its_default_and_meaning(name: str) -> None:
    setting = Settings.model_fields[name]
    (row,) = re.findall(rf"^\| `PRECEDENCE_{name.upper()}` \| (.*) \| (.*) \|$", README, flags=re.MULTILINE)
    assert row[1] == setting.description
    if setting.default not in (None, "") and not setting.default_factory:
        assert row[0] == f"`{setting.default}`"


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = {name.lower() for name in re.findall(r"PRECEDENCE_([A-Z_]+)", README)}
    assert documented <= set(Settings.model_fields)


def test_each_metric_of_ours_is_told_and_each_told_exists() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "serving").rglob("*.py"))
    counters = {f"{name}_total" for name in re.findall(r'Counter\(\s*"(precedence_\w+)"', sources)}
    others = set(re.findall(r'(?:Gauge|Histogram)\(\s*"(precedence_\w+)"', sources))
    assert counters | others == set(re.findall(r"^\| `(precedence_\w+)` \|", README, flags=re.MULTILINE))


def test_each_command_the_readme_tells_to_type_exists() -> None:
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    told = set(re.findall(r"precedence ([a-z-]+)\b", README.replace("precedence serve,", "")))
    assert told <= known | {"queue"}
    assert {"train", "serve", "backtest", "retrain", "queue", "why", "submit", "matrix"} <= told


def test_each_linked_file_exists() -> None:
    linked = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("https://")]
    assert linked
    assert [link for link in linked if not (ROOT / link).exists()] == []


def test_own_data_takes_the_lines_the_readme_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = small_world(weeks=30).history
    for name in ("campaigns", "targets", "kpis"):
        getattr(history, name).to_csv(tmp_path / f"{name}.csv", index=False)
    monkeypatch.chdir(tmp_path)
    (own_data,) = [block for block in blocks("python") if "read_csv" in block]
    shown: dict[str, object] = {}
    exec(own_data, shown)  # noqa: S102 - the README's own lines
    assert shown["quarantine"].faults.empty
    assert len(shown["history"].kpis) == len(history.kpis)
    assert isinstance(pd.Series(shown["model"].predict(shown["Lessons"].of(history).features)).mean(), float)


def test_every_python_block_compiles() -> None:
    for block in blocks("python"):
        compile(block, "README.md", "exec")
