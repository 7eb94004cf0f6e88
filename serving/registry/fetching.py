"""Brings a registered version to this machine without importing MLflow here: by a copy, or in a process that ends."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from shutil import copytree
from urllib.parse import unquote, urlparse

from serving.errors import RegistryUnreachable
from serving.registry import shelf
from serving.registry.alias import Named, named

_MOST_S = 600.0
"""How long a download may take."""


def champion_named(uri: str) -> Named:
    """The registry's champion, by whichever way can ask it.

    Raises
    ------
    RegistryUnreachable, NoChampion
    """
    found = named(uri)
    if found is not None:
        return found
    from serving.registry.champion import named_by_mlflow  # noqa: PLC0415 - for registries only MLflow knows

    return named_by_mlflow(uri)


def fetched(uri: str, wanted: Named, cache_dir: Path) -> Path:
    """The directory of a version's bundle, brought here unless it is here already.

    Raises
    ------
    RegistryUnreachable
        When it cannot be had.
    BundleCorrupt
        When it holds no bundle.
    """
    kept = shelf.place(cache_dir, wanted)
    if not kept.is_dir():
        here = _on_this_machine(wanted.location)
        if here is not None:
            shelf.arrive(kept, uri, lambda arriving: copytree(here, arriving, dirs_exist_ok=True))
        else:
            _by_another_process(uri, wanted, kept)
    return shelf.bundle_in(kept, wanted)


def _on_this_machine(location: str) -> Path | None:
    parsed = urlparse(location)
    if parsed.scheme not in ("", "file"):
        return None
    directory = Path(unquote(parsed.path))
    return directory if directory.is_dir() else None


def _by_another_process(uri: str, wanted: Named, kept: Path) -> None:
    told = json.dumps({"uri": uri, "kept": str(kept), "named": asdict(wanted)})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "serving.registry.fetching"],
            input=told,
            capture_output=True,
            text=True,
            timeout=_MOST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RegistryUnreachable(uri, f"its artifacts: not here within {_MOST_S:g} s") from error
    if done.returncode != 0 and not kept.is_dir():
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RegistryUnreachable(uri, f"its artifacts: {last[:200]}")


def _main() -> None:
    from serving.registry.champion import download  # noqa: PLC0415 - the process that may import MLflow

    told = json.load(sys.stdin)
    try:
        download(told["uri"], Named(**told["named"]), Path(told["kept"]))
    except RegistryUnreachable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main()
