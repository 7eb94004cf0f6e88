"""Looks every locked package up among known vulnerabilities; says loudly where that cannot be done.

Ends with 1 when a package has a known one, with 0 otherwise: no network is no vulnerability.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "requirements.lock"


def audited(lock: Path) -> subprocess.CompletedProcess[str]:
    """What pip-audit says of a lock, without installing anything."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--format=json", "--progress-spinner=off"]
    return subprocess.run(
        [*command, "--require-hashes", "--disable-pip", "--timeout=10"], capture_output=True, text=True, check=False
    )


def verdict(said: str, failed_of: str) -> tuple[int, str]:
    """The exit code and a line or more for people, from pip-audit's output and the last line of its errors."""
    try:
        found: list[dict[str, Any]] = json.loads(said)["dependencies"]
    except (ValueError, KeyError):
        return 0, f"NOT AUDITED: the list of known vulnerabilities cannot be reached here ({failed_of})"
    known = [
        f"{package['name']} {package['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'none'}"
        for package in found
        for each in package.get("vulns", ())
    ]
    if known:
        return 1, "\n".join(["VULNERABLE:", *known])
    looked_up = [package for package in found if "skip_reason" not in package]
    if len(looked_up) < len(found):
        return 0, f"NOT AUDITED: {len(found) - len(looked_up)} of {len(found)} packages are unknown to the index here"
    return 0, f"{len(found)} packages, no known vulnerability"


if __name__ == "__main__":
    done = audited(LOCK)
    code, told = verdict(done.stdout, (done.stderr.strip().splitlines() or ["no reason given"])[-1][:200])
    print(told, file=sys.stderr)
    raise SystemExit(code)
