"""How benchmarks keep their figures: one JSON document each under .bench/, in one form."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

TOP = Path(__file__).parents[1]


@dataclass(frozen=True)
class Figure:
    """One figure. A ratio above 1 means better than that peer, measured in the same run."""

    metric: str
    value: float
    unit: str
    ratio_to: Mapping[str, float] = field(default_factory=dict)
    rounds: int = 1


def keep(name: str, figures: Sequence[Figure], packages: Sequence[str], **versions: str) -> Path:
    """Write `.bench/NAME.json` with the versions of packages, and of whatever else took part."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=TOP, capture_output=True, text=True, check=False)
    document = {
        "name": name,
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
            **versions,
        },
        "results": [asdict(figure) for figure in figures],
    }
    kept = TOP / ".bench" / f"{name}.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(document, indent=1) + "\n")
    return kept
