"""The command line: quick to answer, and one sentence about what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from training.cli import run

COMMANDS = (
    "demo", "train", "tune", "backtest", "retrain", "promote", "rollback", "matrix",
    "serve", "submit", "queue", "why", "predict", "dead-letters", "redrive", "what-if",
)  # fmt: skip


Answer = tuple[int, str, str]


@pytest.fixture
def precedence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Run a command in a directory of its own: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["precedence", *arguments])
        code = 0
        try:
            run()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return command


def test_help_lists_every_command_and_loads_nothing_that_takes_its_time(tmp_path: Path):
    told = "import sys; from training.cli import run; sys.argv = ['precedence', '--help']\n"
    told += "try: run()\nexcept SystemExit: print('loaded', *sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    answer = subprocess.run(
        [sys.executable, "-c", told], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    shown, _, loaded = answer.stdout.partition("loaded ")
    assert all(f" {name} " in shown for name in COMMANDS)
    assert set(loaded.split()).isdisjoint({"numpy", "pandas", "sklearn", "lightgbm", "mlflow", "bentoml", "sqlalchemy"})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, precedence: Callable[..., Answer]):
    code, said, _ = precedence(command, "--help")
    assert code == 0
    assert len(said.split()) > 20


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--weeks", "52-44"), "weeks is '52-44': a week or from-to within 24 to 52"),
        (("--weeks", "soon"), "weeks is 'soon': a week or from-to within 24 to 52"),
        (("--load", "-1"), "load is -1.0: above 0 and at most 10"),
        (("--load", "nan"), "load is nan: above 0 and at most 10"),
        (("--replicates", "0"), "replicates is 0: from 1 to 1000"),
    ],
)
def test_a_backtest_that_cannot_be_played_is_refused_in_one_sentence(
    arguments: tuple[str, ...], sentence: str, precedence: Callable[..., Answer]
):
    code, said, wrong = precedence("backtest", *arguments)
    assert (code, said) == (3, "")
    assert wrong.startswith(f"precedence: {sentence}")
    assert len(wrong.splitlines()) == 1


def test_a_wrong_setting_is_named_before_anything_is_done(
    precedence: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PRECEDENCE_WORKERS", "many")
    code, said, wrong = precedence("matrix", "show")
    assert (code, said) == (9, "")
    assert "workers" in wrong
    assert len(wrong.splitlines()) == 1


def test_the_matrix_in_force_is_shown(precedence: Callable[..., Answer], tmp_path: Path):
    _, said, _ = precedence("matrix", "show", "--json")
    assert json.loads(said)["weights"]["default"]["urgency"] == pytest.approx(0.4)
    assert "flash_sale" in precedence("matrix", "show")[1]
    (tmp_path / "precedence.toml").write_text('matrix_file = "mine.toml"\n')
    code, _, wrong = precedence("matrix", "show")
    assert code == 9
    assert "mine.toml" in wrong
