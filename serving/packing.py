"""Packs the champion beside the services, for `bentoml build`: `python -m serving.packing DIRECTORY`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from serving.errors import PrecedenceError
from serving.model import Bundle
from serving.registry import champion_named, fetched
from serving.settings import Settings

BESIDE = Path(__file__).parents[1] / "champion"
"""Where a Bento holds its champion: beside the packages it holds."""


def packed(settings: Settings, directory: Path) -> str:
    """Put the registry's champion into a directory, made anew; returns its version.

    Raises
    ------
    NoChampion, RegistryUnreachable, BundleCorrupt, ContractMismatch
        When there is none that this build can serve.
    """
    named = champion_named(settings.tracking_uri)
    bundle = Bundle.load(fetched(settings.tracking_uri, named, settings.home / "models")).versioned(named.version)
    shutil.rmtree(directory, ignore_errors=True)
    bundle.save(directory)
    return named.version


def main() -> None:
    """Pack, and say what was packed; the exit code tells what went wrong."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else BESIDE
    try:
        version = packed(Settings.read(), directory)
    except PrecedenceError as error:
        print(error, file=sys.stderr)
        sys.exit(int(error.exit_code))
    print(f"champion, version {version}, packed into {directory}")


if __name__ == "__main__":
    main()
