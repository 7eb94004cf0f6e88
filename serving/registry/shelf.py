"""Bundles kept on this machine: each in a directory of its own, and a note of which one last served well."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from serving.errors import BundleCorrupt, RegistryUnreachable
from serving.model.storage import META
from serving.registry.alias import Named, first_line

_NOTE = "last_good.json"


def place(cache_dir: Path, named: Named) -> Path:
    """Where a version is kept."""
    # Versions are numbered anew when a registry is; the location of their content never recurs.
    content = hashlib.sha256(named.location.encode()).hexdigest()[:12]
    return cache_dir / f"{named.name}-{named.version}-{content}"


def bundle_in(kept: Path, named: Named) -> Path:
    """The bundle's directory among a version's artifacts.

    Raises
    ------
    BundleCorrupt
        When there is none.
    """
    found = next(kept.rglob(f"artifacts/*/{META}"), None)
    if found is None:
        raise BundleCorrupt(META, f"is missing from version {named.version} of {named.name}")
    return found.parent


def arrive(kept: Path, uri: str, bring: Callable[[Path], object]) -> None:
    """Have a version brought to its place, whole or not at all, whoever else brings it at the same time.

    Raises
    ------
    RegistryUnreachable
        When it cannot be brought.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    arriving = Path(tempfile.mkdtemp(dir=kept.parent, prefix=".arriving-"))
    try:
        bring(arriving)
        arriving.replace(kept)
    except Exception as error:
        # Another worker may have brought the same bundle in the meantime.
        if not kept.is_dir():
            raise RegistryUnreachable(uri, f"its artifacts: {first_line(error)}") from error
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


def note(cache_dir: Path, uri: str, named: Named) -> None:
    """Remember that a version of this registry serves well."""
    arriving = cache_dir / f".{_NOTE}.{hashlib.sha256(named.location.encode()).hexdigest()[:12]}"
    arriving.write_text(json.dumps({"uri": uri, **asdict(named)}) + "\n", encoding="utf-8")
    arriving.replace(cache_dir / _NOTE)


def noted(cache_dir: Path, uri: str) -> Named | None:
    """The version of this registry that last served well, if it is still here."""
    try:
        document = json.loads((cache_dir / _NOTE).read_text(encoding="utf-8"))
        if document.pop("uri") != uri:
            return None
        named = Named(**document)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return named if place(cache_dir, named).is_dir() else None
