"""The command line: quick to answer, and one sentence about what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
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


def test_help_answers_within_a_second_and_lists_every_command(tmp_path: Path):
    command = [sys.executable, "-m", "training.cli", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    took_s = []
    for _ in range(3):
        began = time.perf_counter()
        answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        took_s.append(time.perf_counter() - began)
    assert all(f" {name} " in answer.stdout for name in COMMANDS)
    assert min(took_s) < 1.0


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
