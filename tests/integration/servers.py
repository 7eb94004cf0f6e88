"""Starts our own services on free ports, waits until they answer, and ends them by the process they are."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
DEADLINE_S = 120.0
web = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
"""Connects anew for every request, as `httpx.get` does, but without a TLS context of its own for each: making one takes
longer than all else, and a core of those who are waited for."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition, what: str, deadline_s: float = DEADLINE_S):
    """The first true answer of `condition`, asked again and again until the deadline."""
    ends = time.monotonic() + deadline_s
    while time.monotonic() < ends:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {deadline_s:g} s: {what}")


def is_ready(url: str, path: str = "/readyz") -> bool:
    try:
        return web.get(url + path, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def served(service: str, log: Path, *, by_bentoml: bool = False, **settings: object) -> Iterator[str]:
    """The service `priority` or `scheduler` in a process of its own; yields its URL."""
    port = settings[f"{service}_port"]
    command = ["serving.cli", "serve", "--only", service]
    if by_bentoml:
        command = ["bentoml", "serve", f"serving.service:{service.title()}", "--host", "127.0.0.1", "--port", str(port)]
    environment = {f"PRECEDENCE_{name.upper()}": str(value) for name, value in settings.items()}
    with process([sys.executable, "-m", *command], log, environment) as running:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: running.poll() is not None or is_ready(url), f"{service} ready")
        assert running.poll() is None, log.read_text()
        yield url


@contextmanager
def process(command: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to a file, ended with the context."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
