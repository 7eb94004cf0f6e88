"""Made-up requests over all that the documents of both services describe: no crash, and no answer they do not name.

`FUZZ_EXAMPLES` says how many are made up for each route and phase; `make fuzz` asks for 10,000 in all, at least.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from serving.auth.keyring import Keyring
from serving.auth.scopes import Scope
from serving.auth.tokens import mint
from tests.integration.servers import free_port, served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
LEAST = {5: {"priority": 500, "scheduler": 1_000}, 700: {"priority": 800, "scheduler": 9_200}}
"""Requests there are at least, by examples: as many as it takes to know that the fuzzing took place."""

CHECKS = ",".join(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
        "ignored_auth",
    ]
)
COMMAND = ["--phases=examples,coverage,fuzzing", f"--checks={CHECKS}", "--continue-on-failure", "--no-color"]


# A body of campaigns takes long to make up, and two routes read one and the same.
@pytest.mark.parametrize(
    ("service", "document", "examples"),
    [("priority", "/docs.json", max(EXAMPLES // 10, 5)), ("scheduler", "/openapi.json", EXAMPLES)],
)
def test_no_request_breaks_a_service_or_the_promises_of_its_document(
    service: str, document: str, examples: int, tmp_path: Path, record_property
) -> None:
    secret, token = mint("fuzz", frozenset({Scope.ADMIN}), datetime(2026, 1, 1, tzinfo=UTC))
    Keyring(tmp_path / "tokens.json").add(token)
    settings = {"home": tmp_path, "priority_port": free_port(), "scheduler_port": free_port()}
    with served(service, tmp_path / "log", **settings) as url:
        fuzzed = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                url + document,
                f"--header=Authorization: Bearer {secret}",
                f"--max-examples={examples}",
                "--seed=1",
                *COMMAND,
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert httpx.get(f"{url}/readyz").status_code == 200, "it still stands afterwards"
    said = fuzzed.stdout[-8000:] + fuzzed.stderr[-2000:]
    assert fuzzed.returncode == 0, said
    (made,) = re.findall(r"(\d[\d,]*) generated, \1 passed", fuzzed.stdout) or [said]
    print(f"{service}: {made} requests made up, all answered as documented")
    record_property(service, made)
    assert int(made.replace(",", "")) >= LEAST.get(EXAMPLES, {}).get(service, 1)
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert secret not in log
