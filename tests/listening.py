"""Serves an ASGI application on a free port from a thread of the test's own process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn


@contextmanager
def listening(app: Any, deadline_s: float = 60.0, port: int = 0, **how: Any) -> Iterator[httpx.Client]:
    """A client of the application, which starts and ends with the context, lifespan included."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="on", **how)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        ends = time.monotonic() + deadline_s
        while not server.started:
            assert thread.is_alive(), "the application did not start; see its log"
            assert time.monotonic() < ends, f"the application did not start within {deadline_s:g} s"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def service(name: str, home: Path, **settings: object) -> Iterator[httpx.Client]:
    """A client of the whole service `priority` or `scheduler`, as BentoML makes it; one at a time in a process."""
    from prometheus_client import REGISTRY

    from serving import hot, succession
    from serving.service import application

    hot.meters(), succession.meters()  # one set a process, whatever comes and goes
    counted = set(REGISTRY._collector_to_names)
    with pytest.MonkeyPatch.context() as patch:
        for setting, value in {"home": home, **settings}.items():
            patch.setenv(f"PRECEDENCE_{setting.upper()}", str(value))
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(home))  # as every server that runs it sets
        try:
            with listening(application(name)) as client:
                yield client
        finally:
            # The next service of this process counts under the same names.
            for collector in set(REGISTRY._collector_to_names) - counted:
                REGISTRY.unregister(collector)
