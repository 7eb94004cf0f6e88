"""What only shows in real processes: TLS, what logs hold, and where a service refuses to be reached."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from features.records import Task
from serving.auth.keyring import Keyring
from serving.auth.scopes import Scope
from serving.auth.tokens import mint
from serving.client import QueueClient
from serving.errors import ExitCode
from serving.settings import ANYBODY_IN_WORDS
from tests.hook import certified
from tests.integration.servers import ROOT, eventually, free_port, process, served
from tests.worlds import campaign

pytestmark = [pytest.mark.integration]

ALWAYS = {"released_at": datetime(2020, 1, 1, tzinfo=UTC), "ends_at": datetime(2099, 1, 1, tzinfo=UTC)}
JSON = {"content-type": "application/json"}


def token_in(home: Path) -> str:
    secret, token = mint("ours", frozenset({Scope.ADMIN}), datetime(2026, 1, 1, tzinfo=UTC))
    Keyring(home / "tokens.json").add(token)
    return secret


def ports() -> dict[str, object]:
    return {"priority_port": free_port(), "scheduler_port": free_port()}


def started(home: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """A scheduler that is not expected to stay."""
    given = {"home": home, **ports(), **settings}
    environment = {f"PRECEDENCE_{name.upper()}": str(value) for name, value in given.items()}
    command = [sys.executable, "-m", "serving.cli", "serve", "--only", "scheduler"]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - refused
def test_a_service_does_not_start_beyond_loopback_without_tokens(tmp_path: Path, host: str) -> None:
    ended = started(tmp_path, host=host)
    assert ended.returncode == ExitCode.WRONG_SETTING
    assert f"setting host is '{host}': must be a loopback address" in ended.stderr
    assert "precedence token create" in ended.stderr
    assert ANYBODY_IN_WORDS in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_service_does_not_start_on_tokens_that_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text("{")
    ended = started(tmp_path)
    assert ended.returncode == ExitCode.WRONG_SETTING
    assert "setting tokens_file is" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_beyond_loopback_tokens_open_it_and_nothing_else(tmp_path: Path) -> None:
    secret = token_in(tmp_path)
    with served("scheduler", tmp_path / "log", home=tmp_path, host="0.0.0.0", **ports()) as url:  # noqa: S104
        assert httpx.get(f"{url}/queue").status_code == 401
        assert httpx.get(f"{url}/queue", headers={"authorization": f"Bearer {secret}"}).status_code == 200


def test_both_services_speak_tls_to_each_other_and_to_clients(tmp_path: Path) -> None:
    _, chain = certified("localhost", tmp_path)
    secret, known = token_in(tmp_path), ports()
    settings = {
        "home": tmp_path,
        **known,
        "tls_certificate": chain,
        "tls_key": tmp_path / "key.pem",
        "token": secret,
        **{f"{name}_url": f"https://localhost:{known[f'{name}_port']}" for name in ("priority", "scheduler")},
    }
    environment = {f"PRECEDENCE_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "serving.cli", "serve"]
    with process(command, tmp_path / "log", {**environment, "SSL_CERT_FILE": str(chain)}) as running:
        context = ssl.create_default_context(cafile=str(chain))

        def answers(name: str) -> bool:
            assert running.poll() is None, (tmp_path / "log").read_text()
            try:
                return httpx.get(f"{settings[f'{name}_url']}/readyz", verify=context).status_code == 200
            except httpx.TransportError:
                return False

        for name in ("priority", "scheduler"):
            eventually(lambda name=name: answers(name), f"{name} answers over TLS")
        headers = {"authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=str(settings["scheduler_url"]), verify=context, headers=headers) as client:
            assert "strict-transport-security" in client.get("/queue").headers
            eventually(lambda: "closed" in client.get("/readyz").text, "predictions are asked for over TLS")
        asked = subprocess.run(
            [sys.executable, "-m", "serving.cli", "queue", "--json"],
            cwd=ROOT,
            env={**os.environ, **environment, "SSL_CERT_FILE": str(chain)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0, asked.stderr
        assert '"total": 0' in asked.stdout


def test_logs_hold_no_secret_and_nothing_of_what_campaigns_are_sent_to(tmp_path: Path) -> None:
    secret, known = token_in(tmp_path), ports()
    settings = {"home": tmp_path, **known, "token": secret, "http_allow": "127.0.0.1", "attempts": 1}
    private = ["ann@example.com", "+49 170 5550199", "hush-in-query", "hush-in-url"]
    with (
        served("priority", tmp_path / "priority.log", **settings) as priority,
        served("scheduler", tmp_path / "scheduler.log", **settings) as scheduler,
        QueueClient(scheduler, token=secret) as queue,
    ):
        url = f"http://127.0.0.1:9/send?key={private[3]}"
        task = Task(campaign_id="sale", task_id="t", handler="http", units=1.0, payload={"url": url, "to": private[:2]})
        queue.submit(campaign("sale", **ALWAYS), [task])
        eventually(lambda: queue.dead_letters().total == 1, "the task fails for good")
        for url in (priority, scheduler):
            for headers in ({}, {"authorization": "Bearer prec_1_wrong"}, {"authorization": f"Bearer {secret}"}):
                httpx.get(f"{url}/metrics?token={private[2]}", headers=headers)
                httpx.post(f"{url}/signals", content='{"to": "ann@example.com"}', headers={**JSON, **headers})
                asked = '{"campaigns": [{"to": "ann@example.com"}]}'
                httpx.post(f"{url}/predict", content=asked, headers={**JSON, **headers})
        time.sleep(0.2)
    logs = "".join((tmp_path / f"{name}.log").read_text() for name in ("priority", "scheduler"))
    assert "path=/signals" in logs
    assert "request_id=" in logs
    assert "task_died" in logs
    for told in (secret, secret.rsplit("_", 1)[-1], "prec_1_wrong", *private):
        assert told not in logs, told
