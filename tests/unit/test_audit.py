"""An audit that could not be made says so, and is not taken for a clean one."""

from __future__ import annotations

import json

from tests.audit import verdict

CLEAN = {"name": "anyio", "version": "4.9.0", "vulns": []}


def test_a_known_vulnerability_fails_and_names_what_mends_it() -> None:
    bad = {"name": "jinja", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
    code, told = verdict(json.dumps({"dependencies": [CLEAN, bad]}), "")
    assert code == 1
    assert "jinja 1.0: PYSEC-1, mended in 1.1" in told


def test_without_a_network_or_an_index_that_knows_it_says_so_loudly() -> None:
    assert verdict("", "Failed to resolve 'pypi.org'") == (
        0,
        "NOT AUDITED: the list of known vulnerabilities cannot be reached here (Failed to resolve 'pypi.org')",
    )
    skipped = {"name": "own", "skip_reason": "not found"}
    assert verdict(json.dumps({"dependencies": [CLEAN, skipped]}), "")[1].startswith("NOT AUDITED: 1 of 2")


def test_a_clean_lock_is_said_to_be_one() -> None:
    assert verdict(json.dumps({"dependencies": [CLEAN]}), "") == (0, "1 packages, no known vulnerability")
