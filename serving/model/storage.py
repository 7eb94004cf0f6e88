"""A bundle on disk: LightGBM text, JSON and Parquet, with checksums. No pickle, so nothing runs on loading."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import lightgbm
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from features.contract import fingerprint
from features.snapshot import Snapshot
from serving.errors import BundleCorrupt, ContractMismatch
from serving.model.meta import Meta
from serving.model.processing import ProcessingTimes

MODEL, SNAPSHOT, META = "model.txt", "snapshot.parquet", "bundle.json"
PROCESSING = "processing.json"
"""There once enough runs were logged to learn processing times from."""

_PROCESSING = TypeAdapter(ProcessingTimes)


def write(
    directory: Path,
    booster: lightgbm.Booster,
    snapshot: Snapshot,
    meta: Meta,
    processing: ProcessingTimes | None = None,
) -> None:
    """Write a bundle's files; the metadata last, so that a half-written bundle never loads."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MODEL).write_text(booster.model_to_string(), encoding="utf-8")
    snapshot.to_table().to_parquet(directory / SNAPSHOT)
    written = [MODEL, SNAPSHOT]
    if processing is not None:
        (directory / PROCESSING).write_bytes(_PROCESSING.dump_json(processing))
        written.append(PROCESSING)
    document = TypeAdapter(Meta).dump_python(meta, mode="json")
    document["sha256"] = {name: _sha256(directory / name) for name in written}
    (directory / META).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read(directory: Path) -> tuple[lightgbm.Booster, Snapshot, Meta, ProcessingTimes | None]:
    """Read a bundle's parts; no processing times where it learned none.

    Raises
    ------
    BundleCorrupt
        When a file is missing, unreadable or not the one that was saved; it names the file.
    ContractMismatch
        When the model was trained on other feature definitions than this build computes.
    """
    meta, checksums = read_meta(directory)
    # Before the other files: a bundle of another contract is sound, its snapshot is just not ours to read.
    if meta.contract != fingerprint():
        raise ContractMismatch(expected=meta.contract, found=fingerprint())
    for name in (MODEL, SNAPSHOT, *([PROCESSING] if PROCESSING in checksums else [])):
        if not (directory / name).is_file():
            raise BundleCorrupt(name, "is missing")
        if _sha256(directory / name) != checksums.get(name):
            raise BundleCorrupt(name, "is not the file that was saved (its checksum differs)")
    processing = _processing(directory) if PROCESSING in checksums else None
    return _booster(directory, len(meta.features)), _snapshot(directory), meta, processing


def read_meta(directory: Path) -> tuple[Meta, dict[str, str]]:
    """What a bundle says about itself, whatever has become of the rest, and the checksums of its other files.

    Raises
    ------
    BundleCorrupt
        When that cannot be read.
    """
    document = _document(directory)
    checksums = document.pop("sha256", None)
    if not isinstance(checksums, dict):
        raise BundleCorrupt(META, "lists no checksums")
    try:
        return TypeAdapter(Meta).validate_python(document), checksums
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleCorrupt(META, f"is not valid at {where}: {first['msg']}") from error


def _document(directory: Path) -> dict[str, Any]:
    try:
        document = json.loads((directory / META).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleCorrupt(META, f"is missing from {directory}") from error
    except ValueError as error:
        raise BundleCorrupt(META, "is not JSON") from error
    if not isinstance(document, dict):
        raise BundleCorrupt(META, "is not a JSON object")
    return document


def _booster(directory: Path, features: int) -> lightgbm.Booster:
    try:
        booster = lightgbm.Booster(model_str=(directory / MODEL).read_text(encoding="utf-8"))
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise BundleCorrupt(MODEL, f"is not a LightGBM model ({error})") from error
    if booster.num_feature() != features:
        raise BundleCorrupt(MODEL, f"takes {booster.num_feature()} features where {META} names {features}")
    return booster


def _processing(directory: Path) -> ProcessingTimes:
    try:
        return _PROCESSING.validate_json((directory / PROCESSING).read_bytes())
    except ValidationError as error:
        raise BundleCorrupt(PROCESSING, f"is not valid: {error.errors()[0]['msg']}") from error


def _snapshot(directory: Path) -> Snapshot:
    try:
        return Snapshot.from_table(pd.read_parquet(directory / SNAPSHOT))
    except (OSError, ValueError, KeyError) as error:
        raise BundleCorrupt(SNAPSHOT, f"is not a feature snapshot ({error})") from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
