"""How settings are spelt in the environment and in `precedence.toml`, and what may not stand there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.errors import SettingInvalid

_SECRET = re.compile("TOK|SECRET|PASS|KEY")
"""What the name of a secret has, even misspelt."""

PREFIX, FILE = "PRECEDENCE_", "precedence.toml"


def pairs(given: Any) -> Any:
    """`name=module:function, ...`, as an environment variable spells what a TOML table does."""
    if not isinstance(given, str):
        return given
    found = [part.partition("=") for part in given.split(",") if part.strip()]
    if not all(separator for _, separator, _ in found):
        raise ValueError("handlers must be written name=module:function, separated by commas")
    return {name.strip(): path.strip() for name, _, path in found}


def items(given: Any) -> Any:
    """A list as an environment variable spells it: separated by commas."""
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


def refuse_unknown(environment: Mapping[str, str], known: frozenset[str]) -> None:
    """Refuse a variable that is no setting: it was meant to change something, and would not.

    Raises
    ------
    SettingInvalid
    """
    for variable, value in environment.items():
        if variable.upper().startswith(PREFIX) and variable.upper().removeprefix(PREFIX).lower() not in known:
            shown = "***" if _SECRET.search(variable.upper()) else value
            raise SettingInvalid(variable, shown, f"is no known setting; known are {', '.join(sorted(known))}")


def refuse_secrets(file: Path, secrets: tuple[str, ...]) -> None:
    """Refuse a file that holds a secret: files are copied, shown and checked in.

    Raises
    ------
    SettingInvalid
    """
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    for name in secrets:
        if re.search(rf"^\s*{name}\s*=", text, re.MULTILINE):
            raise SettingInvalid(name, "***", f"must be given by environment only ({PREFIX}{name.upper()})")
